"""How fast is the cutting room? A film of twelve clips at 1080x1920 with captions and fades, made four ways in turn.

- *ours*: ``providers.media.render`` with nothing kept from before;
- *caption*: the same with every piece kept, after one caption was changed;
- *bare*: one FFmpeg that decodes our film and encodes the same frames and sound with the same settings;
- *moviepy*: the same film made with MoviePy 2 (``with_moviepy.py``). It wants an older Pillow than ours, so it gets an
  environment of its own: ``python -m venv moviepy && moviepy/bin/pip install "moviepy>=2"``.

``python -m benchmarks.render [--runs 3] [--clip-s 4] [--moviepy moviepy/bin/python]`` prints medians, ratios and peaks
of memory (all processes of a run together). Sources are synthesised once and kept in the machine's temporary folder.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from providers.media import ffmpeg
from providers.media.render import render
from providers.media.synth import synthesise
from providers.media.timeline import CRF
from providers.shotstack.template import TemplateClip, standard_edit

WIDTH, HEIGHT, FPS, COUNT = 1080, 1920, 30, 12
FONT = Path(__file__).resolve().parents[1] / "fixtures" / "media" / "fonts" / "open-sans" / "OpenSans.ttf"
SUBJECTS = ("moon", "candle", "rain", "petals", "fish", "smoke", "frost", "boat", "ink", "pear", "honey", "desert")
SAMPLE_S = 0.02


@dataclass
class Stage:
    """The folder of one benchmark, its sources and its Edit."""

    folder: Path
    clip_s: float
    clips: dict[str, Path] = field(default_factory=dict)

    @property
    def edit(self) -> dict[str, Any]:
        """Captions and fades; no zoom, which a bare encode has none of either."""
        clips = [
            TemplateClip(src, self.clip_s, f"{name} no. 1", name)
            for src, name in zip(self.clips, SUBJECTS, strict=True)
        ]
        edit = standard_edit(clips, width_px=WIDTH, height_px=HEIGHT, fps=FPS)
        for track in edit["timeline"]["tracks"]:
            for clip in track["clips"]:
                clip.pop("effect", None)
        return edit

    @property
    def edited(self) -> dict[str, Any]:
        """One caption in the middle of the film is another."""
        edit = copy.deepcopy(self.edit)
        edit["timeline"]["tracks"][0]["clips"][6]["asset"]["text"] = "changed"
        return edit


def prepare(folder: Path, clip_s: float) -> Stage:
    """Synthesises the sources, once."""
    stage = Stage(
        folder, clip_s, {f"https://x.test/{name}.mp4": folder / f"{name}-{clip_s:g}.mp4" for name in SUBJECTS}
    )
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for made in [pool.submit(_source, path, clip_s) for path in stage.clips.values()]:
            made.result()
    return stage


def _source(path: Path, clip_s: float) -> None:
    if not path.exists():
        synthesise(path.stem, path, width_px=WIDTH, height_px=HEIGHT, duration_s=clip_s, fps=24, seed=len(path.stem))


# --- The four ways, each a process of its own


def ours(stage: Stage) -> None:
    kept = stage.folder / "kept"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir()
    render(stage.edit, stage.clips, stage.folder / "ours.mp4", work_dir=stage.folder, kept=kept)


def caption(stage: Stage) -> None:
    render(stage.edited, stage.clips, stage.folder / "caption.mp4", work_dir=stage.folder, kept=stage.folder / "kept")


def bare(stage: Stage) -> None:
    encoder = [*ffmpeg.x264(crf=CRF["high"], fps=FPS), *ffmpeg.aac()]
    ffmpeg.write(["-i", str(stage.folder / "ours.mp4"), *encoder], stage.folder / "bare.mp4", timeout_s=3600)


WAYS: dict[str, Callable[[Stage], None]] = {"ours": ours, "caption": caption, "bare": bare}


def task_of_moviepy(stage: Stage) -> Path:
    """What ``with_moviepy.py`` reads: the Edit, its files and how to encode."""
    task = {
        "edit": stage.edit,
        "clips": {src: str(path) for src, path in stage.clips.items()},
        "font": str(FONT),
        "encoder": ffmpeg.x264(crf=CRF["high"], fps=FPS),
        "target": str(stage.folder / "moviepy.mp4"),
    }
    file = stage.folder / "moviepy.json"
    file.write_text(json.dumps(task))
    return file


# --- Measuring


@dataclass(frozen=True)
class Run:
    """One run of one way: seconds on the clock, and the most memory that its processes held at once."""

    wall_s: float
    peak_mb: float


def command_of(way: str, folder: Path, clip_s: float) -> list[str]:
    options = ["--way", way, "--folder", str(folder), "--clip-s", f"{clip_s:g}"]
    return [sys.executable, "-m", "benchmarks.render", *options]


def measured(command: list[str]) -> Run:
    started = time.monotonic()
    with subprocess.Popen(command) as process:
        peak = _Peak(process.pid)
        code = process.wait()
        wall_s = time.monotonic() - started
    if code:
        sys.exit(f"{' '.join(command)} failed with exit status {code}")
    return Run(wall_s, peak.stop() / 1e6)


class _Peak:
    def __init__(self, pid: int) -> None:
        self._process, self._bytes, self._over = psutil.Process(pid), 0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(SAMPLE_S):
            self._bytes = max(self._bytes, self._now())

    def _now(self) -> int:
        try:
            family = [self._process, *self._process.children(recursive=True)]
            return sum(each.memory_info().rss for each in family)
        except psutil.Error:
            return 0

    def stop(self) -> int:
        self._over.set()
        self._thread.join()
        return self._bytes


def report(runs: dict[str, list[Run]]) -> dict[str, Any]:
    """Medians by way, and the ratios that are promised."""
    medians = {way: statistics.median(run.wall_s for run in each) for way, each in runs.items()}
    found: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "median_s": {way: round(value, 2) for way, value in medians.items()},
        "all_s": {way: [round(run.wall_s, 2) for run in each] for way, each in runs.items()},
        "peak_mb": {way: round(max(run.peak_mb for run in each)) for way, each in runs.items()},
        "ours_to_bare": round(medians["ours"] / medians["bare"], 3),
        "caption_to_ours": round(medians["caption"] / medians["ours"], 3),
    }
    if "moviepy" in medians:
        found["moviepy_to_ours"] = round(medians["moviepy"] / medians["ours"], 2)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="of each way")
    parser.add_argument("--clip-s", type=float, default=4.0, help="length of each of the twelve clips")
    parser.add_argument("--moviepy", metavar="PYTHON", help="a Python that has MoviePy 2")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "myloware-benchmark")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    stage = prepare(options.folder, options.clip_s)
    if options.way:
        WAYS[options.way](stage)
        return
    commands = {way: command_of(way, options.folder, options.clip_s) for way in WAYS}
    if options.moviepy:
        script = Path(__file__).with_name("with_moviepy.py")
        commands["moviepy"] = [options.moviepy, str(script), str(task_of_moviepy(stage))]
    runs: dict[str, list[Run]] = {way: [] for way in commands}
    for _ in range(options.runs):
        for way, command in commands.items():
            runs[way].append(measured(command))
    print(json.dumps(report(runs), indent=2))


if __name__ == "__main__":
    main()
