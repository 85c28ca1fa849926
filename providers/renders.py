"""Renders of our own. The only writer of their rows; one function is one transaction."""

from __future__ import annotations

import json
import re
import shutil
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import redis
from celery import current_app
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from . import inbox, registry
from .base import SignatureStatus
from .handlers import Film
from .models import Render
from .shotstack.api import render_event
from .store import store

if TYPE_CHECKING:
    from collections.abc import Iterable

JSON = dict[str, Any]
Status = Render.Status
# Of the broker; its messages say that there is something to render, not what.
QUEUE = "renders"
# A render for which there was no room is tried again so much later.
PAUSE = timedelta(seconds=10)
# The service keeps a film for a day. A row tells what happened for two weeks.
FILM_KEPT = timedelta(hours=24)
ROW_KEPT = timedelta(days=14)
# The folder of a try is named by its render and its number.
TRY = re.compile(r"[0-9a-f-]{36}\.\d+")


@dataclass(frozen=True)
class Progress:
    """How far a render is: in percent, in frames made in a second, and how long it will take from now on."""

    status: str
    percent: int
    fps: float | None
    left_s: float | None
    reason: str


# --- Orders


class Rows:
    """Renders as the edit API speaks of them (``shotstack.api.Renders``)."""

    def queue(self, edit: JSON, version: str) -> JSON:
        return _told(accept(edit))

    def find(self, job_id: str) -> JSON | None:
        render = _by_id(job_id)
        return _told(render) if render else None

    def film(self, job_id: str) -> Film | None:
        render = _by_id(job_id)
        if render is None or not render.path:
            return None
        try:
            return Film(store().size(render.path), partial(store().blocks, render.path))
        except FileNotFoundError:
            return None


def _by_id(job_id: str) -> Render | None:
    return Render.objects.filter(id=UUID(job_id)).first() if len(job_id) == 32 else None


def _told(render: Render) -> JSON:
    cancelled = render.status == Status.CANCELLED
    return {
        "id": render.id.hex,
        "version": "v1",
        "edit": render.edit,
        "state": str(Status.FAILED if cancelled else render.status),
        "created": render.created_at.timestamp(),
        "ended": render.finished_at.timestamp() if render.finished_at else None,
        "duration": render.duration_s,
        "error": render.error,
    }


@transaction.atomic
def accept(edit: JSON) -> Render:
    """Takes an Edit, and wakes a worker after the commit."""
    render = Render.objects.create(edit=edit, reference=registry.reference("shotstack", edit.get("callback", "")))
    # A broker that is away must not refuse the order: the sweep finds the row.
    transaction.on_commit(lambda: _wake(1), robust=True)
    return render


def cancel(references: Iterable[str]) -> int:
    """Ends the open renders of these orders of ours, ``<id>.<try>``; who works at one notices within a second."""
    now = timezone.now()
    wanted = Render.objects.filter(reference__in=list(references), status__in=Render.OPEN)
    return wanted.update(status=Status.CANCELLED, error="cancelled", finished_at=now, updated_at=now, lease_until=None)


def progress(reference: str) -> Progress | None:
    """How far the open render of an order of ours is; None when there is none here."""
    render = Render.objects.filter(reference=reference, status__in=Render.OPEN).order_by("created_at").last()
    if render is None:
        return None
    # 100 is for what is done.
    percent = min(int(render.progress * 100), 99)
    return Progress(render.status, percent, render.fps, render.left_s, render.reason)


# --- Work


@transaction.atomic
def take(machine: str) -> Render | None:
    """Leases the oldest render that nobody works at to this worker; one whose worker has died counts as such."""
    now = timezone.now()
    render = _free(now).select_for_update(skip_locked=True).order_by("created_at").first()
    if render is None:
        return None
    render.losses += render.status != Status.QUEUED
    if render.losses >= Render.MAX_LOSSES:
        _ended(Render.objects.filter(id=render.id), Status.FAILED, error=f"gave up: {render.losses} workers died on it")
        return take(machine)
    render.status, render.reason, render.machine = Status.FETCHING, "", machine
    render.progress, render.fps, render.left_s = 0, None, None
    render.attempt += 1
    render.started_at, render.lease_until = now, now + _lease()
    render.deadline = now + timedelta(seconds=settings.PROVIDERS.render_limit_s)
    render.save()
    return render


def _free(now: datetime) -> QuerySet[Render]:
    lost = Q(status__in=Render.WORKING, lease_until__lt=now)
    return Render.objects.filter(lost | Q(status=Status.QUEUED, due_at__lte=now))


def _lease() -> timedelta:
    return timedelta(seconds=settings.RUNS.lease_s)


def _mine(render: Render) -> QuerySet[Render]:
    """The render's row, while nobody has taken it over, cancelled or ended it."""
    return Render.objects.filter(id=render.id, attempt=render.attempt, status__in=Render.WORKING)


def extend(render: Render) -> bool:
    """Keeps the lease; False when the render is not this worker's any more, or has passed its deadline."""
    now = timezone.now()
    return bool(_mine(render).filter(deadline__gt=now).update(lease_until=now + _lease()))


def report(render: Render, status: Status, **seen: float | None) -> bool:
    """Writes down how far it is (``progress``, ``fps``, ``left_s``) and keeps the lease.

    False when it is not this worker's any more.
    """
    now = timezone.now()
    return bool(_mine(render).update(status=status, lease_until=now + _lease(), updated_at=now, **seen))


def put_off(render: Render, reason: str = "") -> None:
    """Gives it back: at once to the next worker, or, for a ``reason``, to whoever tries a little later."""
    now = timezone.now()
    due_at = now + PAUSE if reason else now
    _mine(render).update(status=Status.QUEUED, reason=reason, due_at=due_at, lease_until=None, updated_at=now)


def finish(render: Render, *, path: str, checksum: str, duration_s: float) -> bool:
    """Ends it well; False when it was not this worker's any more."""
    film = {"path": path, "checksum": checksum, "duration_s": duration_s, "progress": 1, "left_s": 0}
    return bool(_ended(_mine(render), Status.DONE, **film))


def fail(render: Render, error: str) -> bool:
    """Ends it with the reason; False when it was not this worker's any more."""
    return bool(_ended(_mine(render), Status.FAILED, error=error))


@transaction.atomic
def _ended(renders: QuerySet[Render], status: Status, **fields: Any) -> int:
    """Ends renders and calls back about each, in one transaction."""
    now = timezone.now()
    ids = list(renders.select_for_update().values_list("id", flat=True))
    Render.objects.filter(id__in=ids).update(
        status=status, finished_at=now, updated_at=now, lease_until=None, deadline=None, **fields
    )
    for render in Render.objects.filter(id__in=ids).exclude(reference=""):
        _call_back(render)
    return len(ids)


def _call_back(render: Render) -> None:
    """Keeps what the service would post to our webhook as if it had come: there is nothing to verify or to lose."""
    body = json.dumps(render_event(_told(render))).encode()
    query = registry.query_of(render.edit["callback"])
    inbox.keep(inbox.received("shotstack", {}, body, query, SignatureStatus.VERIFIED))


# --- Wake-ups


def wake() -> int:
    """Sends the wake-ups that are missing, one for each render that could be worked at; how many."""
    free = _free(timezone.now()).count()
    return _wake(free - _waiting()) if free else 0


def _wake(count: int) -> int:
    for _ in range(count):
        current_app.signature("media.render", immutable=True).apply_async()
    return max(count, 0)


def _waiting() -> int:
    """How many wake-ups wait in the broker, which keeps a queue as a list of its name."""
    with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=3, socket_connect_timeout=3) as client:
        return int(client.llen(QUEUE))


# --- Films


def keep(render: Render, film: Path) -> str:
    """Takes ``film`` into the media store, where all machines see it; its name there."""
    store().put(film, _film_name(render))
    return _film_name(render)


def drop(render: Render) -> None:
    """Deletes the film of a render."""
    store().delete(_film_name(render))
    Render.objects.filter(id=render.id).update(path="")


def abandon(render: Render) -> None:
    """Deletes what a try has made for nothing, unless another has finished the render meanwhile."""
    if not Render.objects.filter(id=render.id, status=Status.DONE).exists():
        drop(render)


def _film_name(render: Render) -> str:
    # Of whatever try: a late one makes the same film.
    return f"renders/{render.id}.mp4"


def tidy() -> int:
    """Deletes films that were fetched long ago, and rows that nobody will look at any more; how many rows."""
    now = timezone.now()
    for render in Render.objects.filter(finished_at__lt=now - FILM_KEPT).exclude(path=""):
        drop(render)
    old = Render.objects.filter(finished_at__lt=now - ROW_KEPT)
    for render in old:
        # A worker may have died between the film and its row.
        drop(render)
    clear()
    return old.delete()[0]


# --- This machine's disk


def folder() -> Path:
    """Where films are made."""
    return _made("renders")


def pieces() -> Path:
    """Where pieces of films are kept for films that share them."""
    return _made("pieces")


def _made(name: str) -> Path:
    found = Path(settings.MEDIA_ROOT) / f".{name}"
    found.mkdir(parents=True, exist_ok=True)
    return found


def name_of(render: Render) -> str:
    """Of the folder of a try."""
    return f"{render.id}.{render.attempt}"


def clear() -> None:
    """Removes what tries have left that have ended, however they did."""
    # The folders first: whose they are is in the rows already.
    found = [each for each in folder().iterdir() if TRY.fullmatch(each.name)]
    working = Render.objects.filter(status__in=Render.WORKING) if found else ()
    names = {name_of(render) for render in working}
    for each in found:
        if each.name not in names:
            shutil.rmtree(each, ignore_errors=True)
    # A piece is written under a hidden name, and no piece takes so long.
    for draft in pieces().glob(".*"):
        if draft.stat().st_mtime < time.time() - settings.PROVIDERS.render_limit_s:
            draft.unlink(missing_ok=True)
