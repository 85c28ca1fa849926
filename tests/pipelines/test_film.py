"""The whole thing as a newcomer starts it: `manage.py demo` in a process of its own, then the film is looked at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import pytest

from providers.media.probe import loudness, probe
from runs.store import checksum_of

ROOT = Path(__file__).parents[2]


def demo(data_dir: Path, *options: str, mode: str = "mock") -> dict[str, Any]:
    """Runs the demo to its end and returns its last line."""
    environment = {
        key: value for key, value in os.environ.items() if key not in {"DB_URL", "REDIS_URL", "PROVIDERS_MODE"}
    }
    arguments = [
        "--data-dir",
        str(data_dir),
        "--providers-mode",
        mode,
        "--approve",
        "auto",
        "--exit",
        "--json",
        *options,
    ]
    done = subprocess.run(
        [sys.executable, "manage.py", "demo", "--port", "0", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def frames(film: Path, *times_s: float) -> list[Any]:
    """Decoded frames (height x width x RGB) at the given times."""
    with av.open(str(film)) as container:
        decoded = {round(frame.time, 2): frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)}
    return [decoded[min(decoded, key=lambda at: abs(at - time_s))] for time_s in times_s]


def test_a_sentence_becomes_a_published_film(tmp_path: Path) -> None:
    told = demo(tmp_path / "a b", "--brief", "a moon that orders a cheeseburger", mode="local")
    film = Path(told["film"])
    seen, heard = probe(film), loudness(film)
    assert told["status"] == "succeeded"
    assert told["sha256"] == checksum_of(film)
    assert told["publish_urls"]
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
    assert abs(first.astype(int) - second.astype(int)).mean() > 10
    assert told["peak_rss_mb"] < 2048
