"""Taking stock of the media store: what is missing or damaged, what nobody needs any more, what is elsewhere."""

from __future__ import annotations

import shutil
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from myloware.kernel.errors import Conflict, MediaError

from . import store
from .models import Artifact
from .store.folder import Folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

BATCH = 500


def unneeded(now: datetime) -> list[str]:
    """Files that no artifact names, and that were stored longer than MEDIA_KEPT_DAYS ago."""
    return _unneeded(list(store.backend().files()), now)


def sweep(now: datetime, *, most: float = 1) -> list[str]:
    """Deletes what is :func:`unneeded`, and tells what that was.

    Raises ``Conflict``, and deletes nothing, when that is more than the share ``most`` of all files: somebody else may
    need them, whose database is another one.
    """
    files = list(store.backend().files())
    found = _unneeded(files, now)
    if len(found) > most * len(files):
        raise Conflict(f"{len(found)} of {len(files)} files belong to no run of this database; none was deleted.")
    return [path for path in found if _delete(path, now)]


def _unneeded(files: list[tuple[str, datetime]], now: datetime) -> list[str]:
    old = (path for path, put_at in files if put_at < _limit(now))
    found: list[str] = []
    while batch := list(islice(old, BATCH)):
        named = set(Artifact.objects.filter(path__in=batch).values_list("path", flat=True))
        found += [path for path in batch if path not in named]
    return found


def _delete(path: str, now: datetime) -> bool:
    with store.nobody_keeps(path) as free:
        # Since it was listed it may have been stored again, or named, or deleted by another sweep.
        if not free or not _is_old(path, now) or Artifact.objects.filter(path=path).exists():
            return False
        store.backend().delete(path)
        return True


def _is_old(path: str, now: datetime) -> bool:
    try:
        return store.backend().get_modified_time(path) < _limit(now)
    except FileNotFoundError:
        return False


def _limit(now: datetime) -> datetime:
    return now - timedelta(days=settings.MEDIA.media_kept_days)


def probe() -> None:
    """Stores a small file, reads it and deletes it. Raises ``StoreUnavailable`` when the store does not let us."""
    with store.workspace() as folder:
        source = folder / "probe.txt"
        source.write_text("Whether the media store takes, gives and deletes a file.")
        kept = store.keep(source)
    for _ in store.backend().blocks(kept.path, range(kept.size_bytes)):
        pass
    store.backend().delete(kept.path)


def check() -> Iterator[tuple[str, str]]:
    """Every file that an artifact names, and what is wrong with it: "" when it is there, byte for byte."""
    paths = Artifact.objects.exclude(path="").order_by("path").values_list("path", flat=True).distinct()
    for path in paths.iterator():
        try:
            store.verify(path)
        except MediaError as error:
            yield path, error.message
        else:
            yield path, ""


def copy(folder: Path) -> Iterator[tuple[str, str]]:
    """Puts the files of another media folder into the store: each one's path, and what became of it."""
    source = Folder(location=str(folder))
    for path, _ in source.files():
        yield path, _copy(source, path)


def _copy(source: Folder, path: str) -> str:
    if _has(path, source.size(path)):
        return "there already"
    try:
        with source.local(path) as file, store.workspace() as work:
            store.keep(Path(shutil.copy(file, work)))
    except MediaError:
        return "left out: it is damaged"
    return "copied"


def _has(path: str, size_bytes: int) -> bool:
    try:
        return store.backend().size(path) == size_bytes
    except FileNotFoundError:
        return False
