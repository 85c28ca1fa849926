"""The whole thing as a newcomer starts it: processes of its own, real sockets, and a film that is looked at."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import psutil
import pytest

from providers.media.probe import loudness, probe
from runs.store import checksum_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
# The tests' own servers are not the demo's.
OWN = {"DB_URL", "REDIS_URL", "PROVIDERS_MODE", "RENDERER", "MYLOWARE_DATA_DIR", "PORT"}
BRIEF = "a moon that orders a cheeseburger"


class Demo:
    """``manage.py demo`` in one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = str(free.getsockname()[1])

    def start(self, *options: str, mode: str = "mock") -> subprocess.Popen[str]:
        fixed = ["--data-dir", str(self.data_dir), "--port", self.port, "--providers-mode", mode, "--json"]
        return subprocess.Popen(
            [sys.executable, "manage.py", "demo", *fixed, "--approve", "auto", *options],
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if name not in OWN},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def film(self, *options: str, mode: str = "mock") -> dict[str, Any]:
        """What the demo tells of its film; the system stops with it."""
        return told(self.start("--exit", *options, mode=mode))

    def log(self) -> str:
        return (self.data_dir / "up.log").read_text()


def told(running: subprocess.Popen[str]) -> dict[str, Any]:
    output, _ = running.communicate(timeout=300)
    assert running.returncode == 0, output[-3000:]
    last: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return last


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    yield Demo(tmp_path / "data of mine")
    assert [each.cmdline() for each in psutil.process_iter() if str(tmp_path) in " ".join(each.cmdline())] == []


def frames(film: Path, *times_s: float) -> list[np.ndarray[Any, Any]]:
    """The pictures (height x width x RGB) nearest to the given times."""
    with av.open(str(film)) as container:
        wanted = [round(time_s * 30) for time_s in times_s]
        decoded = {
            i: frame.to_ndarray(format="rgb24") for i, frame in enumerate(container.decode(video=0)) if i in wanted
        }
    return [decoded[index].astype(int) for index in wanted]


def test_a_sentence_becomes_a_published_film(demo: Demo) -> None:
    made = demo.film("--brief", BRIEF, mode="local")
    film = Path(made["film"])
    seen, heard = probe(film), loudness(film)
    assert made["status"] == "published"
    assert made["sha256"] == checksum_of(film)
    assert made["publish_urls"]
    assert (seen.width_px, seen.height_px, seen.fps) == (1080, 1920, 30)
    assert (seen.video_codec, seen.pixel_format, seen.faststart) == ("h264", "yuv420p", True)
    assert (seen.audio_codec, seen.sample_rate_hz, seen.channels) == ("aac", 48_000, 2)
    assert seen.duration_s == pytest.approx(14.5, abs=1 / 30)
    assert heard.integrated_lufs == pytest.approx(-14, abs=0.5)
    assert heard.true_peak_dbtp <= -1
    start, first, second = frames(film, 0, 4, 11)
    assert start.mean() < 8
    assert first.std() > 10
    assert second.std() > 10
    assert abs(first - second).mean() > 10
    assert made["peak_rss_mb"] < 2048


def test_the_same_brief_and_seed_make_the_same_film_and_another_brief_another(demo: Demo, tmp_path: Path) -> None:
    first = demo.film("--brief", BRIEF, "--seed", "7")
    again = Demo(tmp_path / "elsewhere").film("--brief", BRIEF, "--seed", "7")
    other = demo.film("--brief", "a candle under the sea", "--seed", "7")
    assert first["sha256"] == again["sha256"] != other["sha256"]


def test_a_killed_worker_delays_the_film_and_does_not_lose_it(demo: Demo) -> None:
    running = demo.start("--exit", "--brief", BRIEF, mode="local")
    worker = _worker(demo)
    for process in [worker, *worker.children()]:
        process.send_signal(signal.SIGKILL)
    assert told(running)["status"] == "published"
    assert "killed by SIGKILL" in demo.log()


def _worker(demo: Demo) -> psutil.Process:
    """The worker, once it has work in hand."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if (demo.data_dir / "up.log").exists() and "iggy: pending -> running" in demo.log():
            workers = [each for each in psutil.process_iter() if "worker@%h" in each.cmdline() and _belongs(each, demo)]
            return min(workers, key=psutil.Process.create_time)
        time.sleep(0.05)
    raise AssertionError("no worker began to work")


def _belongs(process: psutil.Process, demo: Demo) -> bool:
    return process.environ().get("MYLOWARE_DATA_DIR") == str(demo.data_dir)
