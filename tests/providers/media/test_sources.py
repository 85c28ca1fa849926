"""Sources as they come: broken ones are named, odd ones are shown as they are meant."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from myloware.kernel.errors import MediaError, MylowareError
from providers.media import ffmpeg
from providers.media.render import render
from tests.providers.media.media_files import Frames, frames_of, make_clip

CLIP = "timeline.tracks[0].clips[0]"
PLAIN = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]


def film(folder: Path, source: Path, *, size: tuple[int, int] = (96, 96), **clip: Any) -> Frames:
    clips = [{"asset": {"type": "video", "src": "u"}, "start": 0, "length": 1.5, "fit": "contain", **clip}]
    output = {"format": "mp4", "size": {"width": size[0], "height": size[1]}, "fps": 30}
    target = folder / "film.mp4"
    edit = {"timeline": {"background": "#404040", "tracks": [{"clips": clips}]}, "output": output}
    render(edit, {"u": source}, target, work_dir=folder)
    return frames_of(target)


def made(path: Path, picture: str, *options: str) -> Path:
    ffmpeg.write(["-f", "lavfi", "-i", picture, *(options or PLAIN)], path, timeout_s=30)
    return path


def picture_box(frame: np.typing.NDArray[np.uint8]) -> tuple[int, int]:
    """Width and height of what is not the background."""
    there = np.abs(frame.astype(int) - 64).max(axis=2) > 40
    return int(there.any(axis=0).sum()), int(there.any(axis=1).sum())


@pytest.fixture
def good(tmp_path: Path) -> bytes:
    clip = make_clip(tmp_path / "good.mp4", picture="testsrc2", size="160x90", duration_s=2)
    return clip.read_bytes()


def test_broken_files_are_named_and_leave_nothing_behind(tmp_path: Path, good: bytes) -> None:
    spoilt = bytearray(good)
    chance = random.Random(2)
    for _ in range(60):
        spoilt[chance.randrange(len(good) // 3, len(good))] = chance.randrange(256)
    broken = {"empty": b"", "words": b"no film" * 99, "cut": good[: len(good) * 6 // 10], "spoilt": bytes(spoilt)}
    for name, content in broken.items():
        source = tmp_path / f"{name}.mp4"
        source.write_bytes(content)
        with pytest.raises(MediaError, match=r"clips\[0\].*(not a media file|damaged data|cannot be read)") as raised:
            film(tmp_path, source, length=2)
        assert " @ 0x" not in raised.value.message
    assert not (tmp_path / "film.mp4").exists()
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]
    assert not [each for each in psutil.Process().children(recursive=True) if "ffmpeg" in each.name()]


def test_a_source_without_a_picture_or_a_sound_where_one_is_needed_is_refused(tmp_path: Path) -> None:
    sound = tmp_path / "sound.m4a"
    ffmpeg.write(["-f", "lavfi", "-i", "sine=d=2", *ffmpeg.aac()], sound, timeout_s=20)
    with pytest.raises(MylowareError, match="no picture"):
        film(tmp_path, sound)
    silent = make_clip(tmp_path / "silent.mp4", sound=None)
    with pytest.raises(MylowareError, match="no sound"):
        film(tmp_path, silent, asset={"type": "audio", "src": "u"})


def test_no_picture_is_ever_stretched(tmp_path: Path) -> None:
    wide = {
        "sixty.mp4": made(tmp_path / "sixty.mp4", "color=white:s=160x120:r=60:d=2"),
        "odd.mkv": made(tmp_path / "odd.mkv", "color=white:s=161x121:r=24:d=2", "-c:v", "ffv1"),
        "pixels.mp4": made(tmp_path / "pixels.mp4", "color=white:s=80x120:r=24:d=2,setsar=2", *PLAIN),
    }
    for source in wide.values():
        width, height = picture_box(film(tmp_path, source)[20])
        assert width == 96
        assert height == pytest.approx(72, abs=2)


def test_a_film_that_was_shot_upright_is_shown_upright(tmp_path: Path) -> None:
    lying = made(tmp_path / "lying.mp4", "color=white:s=160x90:r=24:d=2")
    turned = tmp_path / "turned.mp4"
    ffmpeg.write(["-display_rotation", "90", "-i", str(lying), "-c", "copy"], turned, timeout_s=20)
    width, height = picture_box(film(tmp_path, turned)[20])
    assert width == pytest.approx(54, abs=2)
    assert height == 96


def test_a_film_of_uneven_pace_keeps_its_time(tmp_path: Path) -> None:
    """White after exactly one second, though half of the frames before are missing."""
    change = "color=black:s=64x64:r=30:d=2,drawbox=c=white:t=fill:enable='gte(t,1)',select='gte(t,1)+not(mod(n,2))'"
    uneven = made(tmp_path / "uneven.mp4", change, "-fps_mode", "vfr", *PLAIN)
    lightness = film(tmp_path, uneven)[:, 48, 48, 1]
    assert (lightness[:29] < 40).all()
    assert (lightness[31:] > 200).all()


def test_high_dynamic_range_becomes_ordinary_colours(tmp_path: Path) -> None:
    """PQ's code 0.439 is 49.4 cd/m2 (ST 2084): 0.243 of white at 203, which BT.1886's gamma of 2.4 writes as 0.555."""
    pq = "setparams=color_trc=smpte2084:color_primaries=bt2020:colorspace=bt2020nc"
    bright = made(
        tmp_path / "hdr.mp4", f"color=0x707070:s=64x64:r=24:d=2,format=yuv420p10le,{pq}",
        "-c:v", "libx265", "-x265-params", "log-level=none", "-preset", "ultrafast",
    )  # fmt: skip
    plain = made(tmp_path / "sdr.mp4", "color=0x707070:s=64x64:r=24:d=2")
    shown, same = (film(tmp_path, source)[20, 48, 48].astype(int) for source in (bright, plain))
    assert np.abs(same - 0x70).max() < 8
    assert np.ptp(shown) < 8, "grey stays grey"
    assert shown.mean() == pytest.approx(0.555 * 255, abs=8)


def test_a_source_is_held_at_its_end(tmp_path: Path) -> None:
    short = make_clip(tmp_path / "short.mp4", picture="color=c=red", size="64x64", duration_s=1)
    shown = film(tmp_path, short, length=3)
    assert len(shown) == 90
    assert shown[-1, 48, 48, 0] > 200


def test_what_raises_in_the_report_ends_every_ffmpeg(tmp_path: Path) -> None:
    class Cancelled(Exception):
        pass

    def stop(done: float) -> None:
        if done > 0:
            raise Cancelled

    long = make_clip(tmp_path / "long.mp4", picture="testsrc2", size="640x360", duration_s=20)
    clips = [{"asset": {"type": "video", "src": "u"}, "start": 0, "length": 20, "effect": "zoomIn"}]
    output = {"format": "mp4", "size": {"width": 640, "height": 360}, "fps": 30}
    with pytest.raises(Cancelled):
        render(
            {"timeline": {"tracks": [{"clips": clips}]}, "output": output},
            {"u": long}, tmp_path / "film.mp4", work_dir=tmp_path, on_progress=stop,
        )  # fmt: skip
    assert not [each for each in psutil.Process().children(recursive=True) if "ffmpeg" in each.name()]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["long.mp4"]
