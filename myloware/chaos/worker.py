"""The Celery application of a worker that dies at named points; ``celery -A myloware.chaos.worker worker``.

The production code is wrapped from outside: it has no hooks of its own. A point kills each run once.
"""

from __future__ import annotations

import errno
import functools
import gc
import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from celery.signals import worker_init, worker_process_init

from myloware.celery import app

from .order import Order

if TYPE_CHECKING:
    from collections.abc import Callable

ORDER = Order.model_validate_json(os.environ["CHAOS_ORDER"])
# Of this thread: whether its next file finds no room.
_disk = threading.local()
MARKS = Path(os.environ["MYLOWARE_DATA_DIR"]) / "chaos"

__all__ = ["app"]


def _once(fault: str, point: str, run: Any, detail: str, step: str) -> bool:
    """Whether this thing is hit here, now, for the first time; leaves a mark."""
    name = f"{fault} {point} {run.payload.options.seed} {detail}".strip()
    chosen = point in ORDER.points if fault == "points" and ORDER.points else ORDER.hits(fault, name)
    if not chosen:
        return False
    try:
        with (MARKS / name.replace(" ", "~")).open("x") as mark:
            json.dump({"fault": fault, "point": point, "step": step, "at": time.time()}, mark)
    except FileExistsError:
        return False
    return True


def _die(point: str, run: Any, detail: str = "", step: str = "") -> None:
    if _once("points", point, run, detail, step):
        os.kill(os.getpid(), signal.SIGKILL)


def _wrap(module: Any, name: str, before: Callable[..., None] | None, after: Callable[..., None] | None) -> None:
    wrapped = getattr(module, name)

    @functools.wraps(wrapped)
    def call(*args: Any, **kwargs: Any) -> Any:
        if before:
            before(*args)
        result = wrapped(*args, **kwargs)
        if after:
            after(result, *args)
        return result

    setattr(module, name, call)


def _at_job(point: str) -> Callable[..., None]:
    """Before a function whose first argument is a job."""
    return lambda job, *_: _die(f"{job.kind}.{point}", job.run, str(job.index))


def _after_job(point: str) -> Callable[..., None]:
    return lambda _, job, *__: _die(f"{job.kind}.{point}", job.run, str(job.index))


def _taken(job: Any, *_: Any) -> None:
    if job is not None:
        _die(f"{job.kind}.taken", job.run, str(job.index))


def _claimed(step: Any, *_: Any) -> None:
    if step is not None:
        # Whose death would leave it: the worker's process group.
        (MARKS / f"{step.id}.{step.attempt}.claim").write_text(str(os.getpgrp()))
        _die("stage.claimed", step.run, step.name, str(step.id))


def _performed(_: Any, step: Any, *__: Any) -> None:
    time.sleep(ORDER.stage_s)
    _die("stage.performed", step.run, step.name, str(step.id))


def _full(path: Any) -> None:
    """The disk has no room, for a moment."""
    if getattr(_disk, "full", False):
        _disk.full = False
        raise OSError(errno.ENOSPC, "No space left on device", str(path))


def _fetched(job: Any, *_: Any) -> None:
    _die(f"{job.kind}.asked", job.run, str(job.index))
    _disk.full = _once("disk", job.kind, job.run, str(job.index), "")


@worker_init.connect
def _load(**_: Any) -> None:
    """Loads once what takes a second, for hundreds of processes are killed here and forked anew."""
    import personas.agent  # noqa: F401 - for those that are forked from here
    from knowledge import embeddings

    embeddings._load(embeddings.current_model())
    # Celery collects garbage before each fork; what is loaded for good need not be looked through.
    gc.freeze()


@worker_process_init.connect
def _arm(**_: Any) -> None:
    from runs import crew, jobs, services, store

    MARKS.mkdir(exist_ok=True)
    _wrap(jobs, "_take", None, _taken)
    _wrap(jobs, "_submitted", _at_job("called"), _after_job("recorded"))
    _wrap(jobs, "_unknown", _at_job("unanswered"), None)
    _wrap(jobs, "_collect", _fetched, None)
    _wrap(jobs, "_finish", _at_job("collected"), _after_job("settled"))
    _wrap(services, "claim", None, _claimed)
    _wrap(crew, "perform", None, _performed)
    _wrap(services, "complete", None, lambda _, step, *__: _die("stage.completed", step.run, step.name))
    _wrap(store, "keep", _full, None)
