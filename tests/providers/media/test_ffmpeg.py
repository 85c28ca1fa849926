from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from myloware.kernel.errors import MediaError
from providers.media import ffmpeg
from tests.providers.media.media_files import frames_of

ENDLESS = ["-re", "-f", "lavfi", "-i", "color=s=64x64:r=25", "-f", "null", "-"]


def _children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "ffmpeg" in child.name()]


def test_it_says_what_ffmpeg_said() -> None:
    with pytest.raises(MediaError, match=r"nowhere\.mp4"):
        ffmpeg.run(["-i", "nowhere.mp4", "-f", "null", "-"], timeout_s=10)


def test_it_stops_at_the_deadline_and_leaves_no_process() -> None:
    started = time.monotonic()
    with pytest.raises(MediaError, match=r"limit of 0.4 s"):
        ffmpeg.run(ENDLESS, timeout_s=0.4)
    assert time.monotonic() - started < 3
    assert _children() == []


def test_it_leaves_no_process_when_the_caller_fails() -> None:
    def fail(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ffmpeg.run(ENDLESS, timeout_s=30, on_progress=fail)
    assert _children() == []


def test_it_leaves_no_process_when_the_frames_fail() -> None:
    def frames() -> Iterator[bytes]:
        yield bytes(64 * 64 * 3)
        raise ZeroDivisionError

    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "64x64", "-i", "pipe:0", "-f", "null", "-"]
    with pytest.raises(ZeroDivisionError):
        ffmpeg.run(raw, timeout_s=30, frames=frames())
    assert _children() == []


def test_it_encodes_the_frames_it_is_fed(tmp_path: Path) -> None:
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "64x64", "-r", "25", "-i", "pipe:0"]
    red = bytes([255, 0, 0]) * (64 * 64)
    ffmpeg.write([*raw, *ffmpeg.x264()], tmp_path / "red.mp4", timeout_s=10, frames=[red] * 5)
    shown = frames_of(tmp_path / "red.mp4")
    assert len(shown) == 5
    assert shown[..., 0].mean() > 180
    assert shown[..., 1:].mean() < 60


def test_an_output_appears_complete_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "film.mp4"
    target.write_bytes(b"the film before")
    with pytest.raises(MediaError):
        ffmpeg.write(["-i", "nowhere.mp4"], target, timeout_s=10)
    assert target.read_bytes() == b"the film before"
    assert list(tmp_path.iterdir()) == [target]


class Enough(Exception):
    """Somebody does not want it any more."""


def _enough(after_s: float) -> Callable[[], None]:
    end = time.monotonic() + after_s

    def check() -> None:
        if time.monotonic() > end:
            raise Enough

    return check


def test_it_is_killed_soon_after_nobody_wants_it_though_it_makes_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "never")
    stuck = ["-i", str(tmp_path / "never"), "-f", "null", "-"]
    started = time.monotonic()
    with pytest.raises(Enough), ffmpeg.interruptible(_enough(0.2)):
        ffmpeg.run(stuck, timeout_s=30)
    assert time.monotonic() - started < 2
    assert _children() == []


def test_it_is_killed_soon_after_nobody_wants_it_while_it_is_fed() -> None:
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "64x64", "-i", "pipe:0", "-f", "null", "-"]
    endless = itertools.repeat(bytes(64 * 64 * 3))
    with pytest.raises(Enough), ffmpeg.interruptible(_enough(0.2)):
        ffmpeg.run(raw, timeout_s=30, frames=endless)
    assert _children() == []


def test_nothing_is_interrupted_outside_of_the_context() -> None:
    with ffmpeg.interruptible(_enough(0)):
        pass
    ffmpeg.run(["-f", "lavfi", "-i", "color=s=64x64:d=0.1", "-f", "null", "-"], timeout_s=10)


def test_it_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    target = str(tmp_path / "endless.mkv")
    starter = f"from providers.media import ffmpeg; ffmpeg.run({[*ENDLESS[:-3], target]!r}, timeout_s=60)"
    parent = subprocess.Popen([sys.executable, "-c", starter])
    child = _using(target)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 3
    while psutil.pid_exists(child.pid) and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _using(path: str) -> psutil.Process:
    """The FFmpeg that has a path on its command line."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for each in psutil.process_iter(["cmdline"]):
            command = each.info["cmdline"] or [""]
            if path in command and "ffmpeg" in command[0]:
                return each
        time.sleep(0.02)
    raise AssertionError("FFmpeg did not start")
