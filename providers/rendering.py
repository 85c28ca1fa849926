"""Makes the films that wait in our own renderer: one try of one render."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import os
import re
import shutil
import socket
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import OperationalError
from django.utils import timezone

from myloware.kernel.errors import MediaError, MylowareError, StoreUnavailable
from myloware.kernel.lease import kept, patiently
from myloware.kernel.logging import log_context
from myloware.kernel.memory import give_back

from . import renders, sources
from .media import ffmpeg
from .models import Render
from .shotstack import schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

log = logging.getLogger(__name__)

Status = Render.Status
# What a frame's pixel takes in a file, in bytes: four times what was measured for films of ours (0.007).
BYTES_PER_PIXEL = 0.03
# Pieces of a film, and the film that is joined from them.
COPIES = 2
MB = 1_000_000


class Gone(Exception):
    """The render is not this worker's any more: cancelled, or taken over."""


class Stopping(Exception):
    """The worker is to end."""


def work(stopping: Callable[[], bool] = lambda: False) -> str:
    """Renders the oldest film that waits, if this machine has a place for one more; says what came of it.

    ``stopping`` is asked twice a second; when it says yes, the render is left to another worker.
    """
    with _place() as place:
        if place is None:
            return "no place"
        render = renders.take(socket.gethostname())
        renders.clear()
        if render is None:
            return "nothing to render"
        with log_context(renderId=str(render.id)), _cores(place):
            return _tried(render, Watch(render, stopping))


def _tried(render: Render, watch: Watch) -> str:
    with kept(partial(renders.extend, render), settings.RUNS.lease_s):
        try:
            _check_room(render.edit)
            return "done" if _made(render, watch) else "let go"
        except OperationalError:
            # A database that was away is nobody's failure: the lease runs out, and the render is taken over.
            raise
        except Exception as error:
            # Whatever was made of it on its way up, the watch's own reason counts.
            return _left(render, watch.reason or error)


def _left(render: Render, error: Exception) -> str:
    if isinstance(error, Gone):
        return "let go"
    if isinstance(error, Stopping):
        renders.put_off(render)
        return "handed back"
    if isinstance(error, StoreUnavailable) or _is_full(error):
        renders.put_off(render, _reason(error))
        return "put off"
    known = isinstance(error, MylowareError)
    log.log(logging.INFO if known else logging.ERROR, "a render failed", exc_info=error)
    renders.fail(render, error.message if isinstance(error, MylowareError) else f"unexpected {error!r}")
    return "failed"


def _reason(error: Exception) -> str:
    return error.message if isinstance(error, StoreUnavailable) else "The media folder's disk got full."


def _made(render: Render, watch: Watch) -> bool:
    """Makes the film and ends the render with it; False when that was for nothing."""
    # PyAV, Pillow and NumPy are for those who render.
    from .media.render import render as render_edit

    folder = renders.folder() / renders.name_of(render)
    folder.mkdir()
    try:
        with ffmpeg.interruptible(watch), ExitStack() as held:
            files = _fetched(render.edit, folder, watch, held)
            watch.status = Status.PREPROCESSING
            film = folder / "film.mp4"
            made = render_edit(
                render.edit,
                files,
                film,
                work_dir=folder,
                on_progress=watch.progress,
                kept=renders.pieces(),
                # Beside the whole system, which on two cores has to fit into two gigabytes.
                at_once=max(1, settings.PROVIDERS.render_cores // 2),
            )
            watch.status = Status.SAVING
            watch()
        return _saved(render, film, duration_s=made.duration_s)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fetched(edit: Mapping[str, Any], folder: Path, watch: Watch, held: ExitStack) -> dict[str, Path]:
    places = {url: folder / f"source-{number}{_suffix(url)}" for number, url in enumerate(schema.sources(edit))}
    return {url: sources.fetch(url, place, watch, held) for url, place in places.items()}


def _suffix(url: str) -> str:
    """How a file's name ends, by which FFmpeg knows some formats."""
    found = Path(urlsplit(url).path).suffix
    return found if re.fullmatch(r"\.\w{1,5}", found) else ""


def _saved(render: Render, film: Path, *, duration_s: float) -> bool:
    with film.open("rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    path = renders.keep(render, film)
    if renders.finish(render, path=path, checksum=checksum, duration_s=duration_s):
        return True
    renders.abandon(render)
    return False


class Watch:
    """Is called often; twice a second it asks whether to go on, and writes down how far the render is.

    Raises, and keeps as ``reason``, ``Stopping``, ``Gone`` or, past the deadline, ``MediaError``.
    """

    def __init__(
        self, render: Render, stopping: Callable[[], bool], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.status = Status.FETCHING
        self.reason: Exception | None = None
        self._render = render
        self._stopping = stopping
        self._clock = clock
        self._asked_at = -ffmpeg.PERIOD_S
        self._frames = schema.length_s(render.edit) * schema.fps(render.edit)
        self._share = 0.0
        self._first: tuple[float, float] | None = None

    def __call__(self) -> None:
        now = self._clock()
        if now - self._asked_at < ffmpeg.PERIOD_S:
            return
        self._asked_at = now
        self.reason = self._wrong()
        if self.reason:
            raise self.reason

    def progress(self, share: float) -> None:
        """Takes the finished part, 0..1."""
        self._share = max(self._share, min(share, 1.0))
        if not self._first:
            # Titles and sound are made, and FFmpeg needs the room.
            give_back()
            self._first = (self._clock(), self._share)
        self.status = Status.GENERATING if self._share >= 1 else Status.RENDERING
        self()

    def _wrong(self) -> Exception | None:
        if self._stopping():
            return Stopping()
        if self._render.deadline and timezone.now() >= self._render.deadline:
            return MediaError(f"The render took longer than {settings.PROVIDERS.render_limit_s} s and was stopped.")
        wanted = patiently(lambda: renders.report(self._render, self.status, progress=self._share, **self._pace()))
        return None if wanted else Gone()

    def _pace(self) -> dict[str, float | None]:
        """Frames a second since rendering began, and how long the rest takes at this pace."""
        if not self._first:
            return {}
        since, share = self._first
        took_s, done = self._clock() - since, self._share - share
        if not took_s or not done:
            return {}
        return {"fps": self._frames * done / took_s or None, "left_s": (1 - self._share) * took_s / done}


# --- The machine


@contextmanager
def _place() -> Iterator[int | None]:
    """The number of one of this machine's places for a render, held while this process lives; None: all are taken."""
    for number in range(settings.PROVIDERS.renders_at_once):
        with (renders.folder() / f"{socket.gethostname()}.{number}.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield number
            return
    yield None


@contextmanager
def _cores(place: int) -> Iterator[None]:
    """Keeps this thread, and FFmpeg with it, to the processor cores of a place.

    Not by FFmpeg's number of threads: with another one x264 makes other bytes. (Linux; elsewhere all cores are used.)
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    every = os.sched_getaffinity(0)
    ordered, count = sorted(every), settings.PROVIDERS.render_cores
    os.sched_setaffinity(0, {ordered[(place * count + core) % len(ordered)] for core in range(count)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, every)


def _check_room(edit: Mapping[str, Any]) -> None:
    """Raises StoreUnavailable when the film would leave too little of the disk."""
    needed = schema.pixels(edit) * schema.fps(edit) * schema.length_s(edit) * BYTES_PER_PIXEL * COPIES
    free, spare_mb = shutil.disk_usage(renders.folder()).free, settings.MEDIA.media_spare_mb
    if free < needed + spare_mb * MB:
        raise StoreUnavailable(
            f"Waits for room on the media folder's disk: {needed / MB:.0f} MB are needed and {spare_mb} MB have to "
            f"stay free; {free / MB:.0f} MB are free now."
        )


def _is_full(error: Exception) -> bool:
    """Whether the disk got full on the way."""
    said = str(error.detail.get("stderr", "")) if isinstance(error, MediaError) else ""
    return os.strerror(errno.ENOSPC) in said or getattr(error, "errno", None) == errno.ENOSPC
