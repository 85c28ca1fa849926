"""The one place that starts FFmpeg.

Facts: FFmpeg comes with the ``imageio-ffmpeg`` wheel, so no system package is needed. Its options are documented at
https://ffmpeg.org/ffmpeg.html and https://ffmpeg.org/ffmpeg-codecs.html.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import select
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import IO
from uuid import uuid4

import imageio_ffmpeg

from myloware.kernel.child import bound
from myloware.kernel.errors import MediaError

logger = logging.getLogger(__name__)

STDERR_TAIL_BYTES = 4000
# How often FFmpeg reports, and how often somebody may say that it is to end.
PERIOD_S = 0.5

# Threads share a frame, slice by slice, and their number is fixed: every machine makes the same film.
X264_THREADS = 4
# With the macroblock tree, which this preset leaves out, as small and as good as "veryfast" for three quarters of the
# work.
PRESET = "superfast"
# Ten frames of lookahead and three B-frames would take 50 MB more at 1080x1920, for a file of the same size.
TREE = "mbtree=1:subme=2:rc-lookahead=4:bframes=2"
# FFmpeg asks its filters for the matrix and the range alone, and leaves the other two unnamed.
TAGS = "colorprim=bt709:transfer=bt709:colormatrix=bt709"
# What a scaler has to make of any source, so that the tags are true.
BT709 = "out_color_matrix=bt709:out_range=tv"
# x264 (core 165) reads memory that it has not written when the width is no multiple of 16, as 1080 is not. Filled with
# one byte by glibc, it is at least the same at every run.
ENVIRONMENT = {"MALLOC_PERTURB_": "1"}
BITEXACT = ("-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact", "-map_metadata", "-1")

# The last byte of AVERROR_INVALIDDATA (libavutil/error.h), as FFmpeg ends with it.
INVALID_DATA = 183
PLACE = re.compile(r" @ 0x[0-9a-f]+\]")
STATISTICS = ("[libx264]", "[aac]", "[mp4] Starting second pass", "[out#", "frame=", "size=", "Conversion failed!")

Progress = Callable[[float], None]
Check = Callable[[], None]

_check: ContextVar[Check] = ContextVar("check", default=lambda: None)


@contextlib.contextmanager
def interruptible(check: Check) -> Iterator[None]:
    """Calls ``check`` twice a second while FFmpeg works in this context: when it raises, FFmpeg is killed."""
    token = _check.set(check)
    try:
        yield
    finally:
        _check.reset(token)


def run(
    args: Sequence[str],
    *,
    timeout_s: float,
    frames: Iterable[bytes] | None = None,
    on_progress: Progress | None = None,
    tail_bytes: int = STDERR_TAIL_BYTES,
) -> str:
    """Runs ``ffmpeg ARGS`` to its end and returns the last ``tail_bytes`` of what it wrote to stderr.

    ``frames`` are written to its standard input one after the other; ``on_progress`` is called in this thread with the
    seconds of output made so far (not together with ``frames``). The process group is killed at the deadline and
    whenever this function is left early, because ``on_progress`` raises, say; on Linux also when this process dies.

    Raises MediaError with FFmpeg's last lines when it takes longer than ``timeout_s``, and when it fails: then its
    detail has the ``exit_status``.
    """
    with tempfile.TemporaryFile() as log:
        started = time.monotonic()
        with _process(args, log, reads_frames=frames is not None) as process, _deadline(process, timeout_s) as expired:
            if frames is None:
                _follow(process, on_progress)
            else:
                _feed(process, frames)
            code = process.wait()
        elapsed_s = time.monotonic() - started
        tail = _tail(log, tail_bytes)
    if expired.is_set():
        raise MediaError(f"FFmpeg was stopped after its limit of {timeout_s:g} s", stderr=tail)
    if code != 0:
        raise MediaError(f"{_failure(code)}: {_last_lines(tail)}", stderr=tail, exit_status=code)
    logger.debug("ffmpeg finished", extra={"elapsed_s": round(elapsed_s, 3)})
    return tail


def write(
    args: Sequence[str],
    target: Path,
    *,
    timeout_s: float,
    frames: Iterable[bytes] | None = None,
    on_progress: Progress | None = None,
) -> None:
    """Like :func:`run` with ``target`` as the output file, which appears complete or not at all."""
    with replacing(target) as unfinished:
        run([*args, *BITEXACT, str(unfinished)], timeout_s=timeout_s, frames=frames, on_progress=on_progress)


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Gives a path beside ``target`` to write to, renamed onto it at the end and removed after an error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.stem}-{uuid4().hex}{target.suffix}")
    try:
        yield unfinished
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def x264(*, crf: int = 20, fps: float = 30, threads: int = X264_THREADS) -> list[str]:
    """Encoder arguments: H.264 yuv420p in BT.709, a key frame at least every 2 s, index at the front of the file."""
    return [
        *("-c:v", "libx264", "-preset", PRESET, "-crf", str(crf), "-pix_fmt", "yuv420p"),
        *("-threads:v", str(threads), "-x264-params", f"sliced-threads=1:{TREE}:{TAGS}"),
        *("-g", str(round(2 * fps)), "-movflags", "+faststart"),
        *("-colorspace", "bt709", "-color_range", "tv"),
    ]


def aac(*, bitrate_kbps: int = 192) -> list[str]:
    """Encoder arguments: AAC, 48 kHz, stereo."""
    return ["-c:a", "aac", "-b:a", f"{bitrate_kbps}k", "-ar", "48000", "-ac", "2"]


@contextlib.contextmanager
def _process(args: Sequence[str], log: IO[bytes], *, reads_frames: bool) -> Iterator[subprocess.Popen[bytes]]:
    # -nostdin only stops FFmpeg from reading keys; "-i pipe:0" still reads the frames.
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-hide_banner", "-nostats", "-y"]
    command += ["-progress", "pipe:1", "-stats_period", str(PERIOD_S), *args]
    process = subprocess.Popen(
        bound(command, signal.SIGKILL),
        stdin=subprocess.PIPE if reads_frames else subprocess.DEVNULL,
        stdout=subprocess.DEVNULL if reads_frames else subprocess.PIPE,
        stderr=log,
        env=os.environ | ENVIRONMENT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        _kill(process)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


@contextlib.contextmanager
def _deadline(process: subprocess.Popen[bytes], timeout_s: float) -> Iterator[threading.Event]:
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        _kill(process)

    timer = threading.Timer(timeout_s, expire)
    timer.daemon = True
    timer.start()
    try:
        yield expired
    finally:
        timer.cancel()


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _feed(process: subprocess.Popen[bytes], frames: Iterable[bytes]) -> None:
    assert process.stdin is not None  # noqa: S101 - opened as a pipe for frames
    # FFmpeg closes the pipe early when it fails; its exit status tells why.
    with contextlib.suppress(BrokenPipeError):
        for frame in frames:
            _check.get()()
            process.stdin.write(frame)
        process.stdin.close()


def _follow(process: subprocess.Popen[bytes], on_progress: Progress | None) -> None:
    assert process.stdout is not None  # noqa: S101 - opened as a pipe without frames
    for line in _lines(process.stdout):
        _check.get()()
        key, _, value = line.decode("ascii", "replace").partition("=")
        if on_progress is not None and key == "out_time_us" and value.isdigit():
            on_progress(int(value) / 1_000_000)


def _lines(pipe: IO[bytes]) -> Iterator[bytes]:
    """What FFmpeg writes, line by line; empty ones while it hangs, as it does on a source that does not come."""
    watched, rest, ended = select.poll(), b"", False
    watched.register(pipe, select.POLLIN)
    while not ended:
        ready = watched.poll(PERIOD_S * 1000)
        block = os.read(pipe.fileno(), 65536) if ready else b""
        ended = bool(ready) and not block
        *lines, rest = (rest + block).split(b"\n")
        yield from lines or [b""]


def _tail(log: IO[bytes], tail_bytes: int) -> str:
    size_bytes = log.seek(0, os.SEEK_END)
    log.seek(max(0, size_bytes - tail_bytes))
    return log.read().decode("utf-8", "replace")


def _failure(code: int) -> str:
    return (
        "damaged data, FFmpeg cannot read it to the end"
        if code == INVALID_DATA
        else f"FFmpeg failed with exit status {code}"
    )


def _last_lines(tail: str) -> str:
    """Without the places in memory, and without the statistics, which come after every error."""
    told = [PLACE.sub("]", line).strip() for line in tail.splitlines()]
    return " | ".join([line for line in told if line and not line.startswith(STATISTICS)][-3:])
