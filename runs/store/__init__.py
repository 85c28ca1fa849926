"""The media store: files named by their SHA-256, written once and never changed.

They lie in Django's default storage, a folder (folder.py) or a bucket (bucket.py), as ``MEDIA_STORE_URL`` says. An
artifact's ``path`` is the same in both.
"""

from __future__ import annotations

import errno
import hashlib
import mimetypes
import re
import shutil
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Protocol, cast

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import connection

from myloware.kernel.errors import MediaError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime

PATH = re.compile(r"([0-9a-f]{2})/\1[0-9a-f]{62}(\.[a-z0-9]{1,5})?")
BLOCK_BYTES = 256 * 1024
# No download and no render takes as long: whose folder is older has been killed.
WORK_S = 24 * 3600
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_MEND = "Put it back from a backup and retry the run, or fork the run from the step that made it."


@dataclass(frozen=True)
class Stored:
    """A kept file. ``path`` is its name in the store."""

    path: str
    checksum: str
    size_bytes: int


class Backend(Protocol):
    """Where the files lie. Raises ``StoreUnavailable``, and ``FileNotFoundError`` for a file that is not there."""

    def put(self, source: Path, path: str) -> None:
        """Makes ``source`` the file at ``path``: all of it, or nothing. ``source`` may be gone afterwards."""

    def local(self, path: str) -> AbstractContextManager[Path]:
        """See :func:`local`."""

    def blocks(self, path: str, span: range) -> Iterator[bytes]:
        """The bytes of a file from ``span.start`` on, up to ``span.stop``."""

    def files(self) -> Iterator[tuple[str, datetime]]:
        """Every file: its path, and when it was last put."""

    def size(self, name: str) -> int: ...

    def get_modified_time(self, name: str) -> datetime:
        """When it was last put."""

    def delete(self, name: str) -> None: ...


def backend() -> Backend:
    """The store that the settings choose."""
    return cast("Backend", default_storage)


# --- In


@contextmanager
def workspace() -> Iterator[Path]:
    """A folder for work in progress, on the disk of MEDIA_ROOT, so that keeping a file there is one rename.

    Raises ``StoreUnavailable`` when the disk is, or becomes, too full.
    """
    root = Path(settings.MEDIA_ROOT)
    with _full_in_words(root):
        root.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(root)
        if shutil.disk_usage(root).free < settings.MEDIA.media_spare_mb * 1_000_000:
            raise OSError(errno.ENOSPC, "less than MEDIA_SPARE_MB is left")
        with tempfile.TemporaryDirectory(prefix=".work-", dir=root) as folder:
            yield Path(folder)


def keep(source: Path) -> Stored:
    """Takes ``source``, a file of :func:`workspace`, into the store; the same bytes are there once.

    Raises ``StoreUnavailable``; the store is then as it was.
    """
    checksum = checksum_of(source)
    stored = Stored(f"{checksum[:2]}/{checksum}{source.suffix.lower()}", checksum, source.stat().st_size)
    with _being_kept(stored.path):
        backend().put(source, stored.path)
    return stored


@contextmanager
def _full_in_words(root: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, MediaError) as error:
        if not _is_full(error):
            raise
        spare = settings.MEDIA.media_spare_mb
        raise StoreUnavailable(f"The media folder's disk is full: {spare} MB must be free at {root}.") from error


def _is_full(error: OSError | MediaError) -> bool:
    if isinstance(error, OSError):
        return error.errno in _FULL
    # FFmpeg's own process met it.
    return "No space left on device" in error.detail.get("stderr", "")


def _remove_leftovers(root: Path) -> None:
    """Removes the folders of processes that were killed."""
    for folder in root.glob(".work-*"):
        try:
            old = folder.stat().st_mtime < time.time() - WORK_S
        except FileNotFoundError:
            continue
        if old:
            shutil.rmtree(folder, ignore_errors=True)


# --- Out


def local(path: str) -> AbstractContextManager[Path]:
    """A file on this machine's disk with the very bytes that were stored, to be read only, for the time of a ``with``.

    Raises ``MediaError`` when the file is missing or damaged, ``StoreUnavailable`` when it cannot be had now.
    """
    return backend().local(path)


def verify(path: str) -> None:
    """Reads what the store itself would serve; raises like :func:`local`."""
    digest = hashlib.sha256()
    try:
        for block in backend().blocks(path, range(backend().size(path))):
            digest.update(block)
    except FileNotFoundError:
        raise missing(path) from None
    if digest.hexdigest() != PurePath(path).stem:
        raise changed(path)


def missing(path: str) -> MediaError:
    return MediaError(f"{path} is missing from the media store. {_MEND}")


def changed(path: str) -> MediaError:
    return MediaError(f"{path}: the file has changed since it was stored. {_MEND}")


def checksum_of(file: Path) -> str:
    """SHA-256 of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_intact(file: Path, path: str) -> bool:
    """Whether ``file`` has the bytes that were stored under ``path``."""
    return checksum_of(file) == PurePath(path).stem


def content_type(path: str) -> str:
    return mimetypes.guess_type(path)[0] or "application/octet-stream"


# --- Locks, so that nothing is deleted that is being stored


@contextmanager
def _being_kept(path: str) -> Iterator[None]:
    """Waits for whoever stores or deletes the file. Held by the connection: no transaction is open meanwhile."""
    _ask("SELECT pg_advisory_lock(%s)", path)
    try:
        yield
    finally:
        _ask("SELECT pg_advisory_unlock(%s)", path)


@contextmanager
def nobody_keeps(path: str) -> Iterator[bool]:
    """Whether nobody is storing the file; who would like to has then to wait until the end."""
    free = bool(_ask("SELECT pg_try_advisory_lock(%s)", path))
    try:
        yield free
    finally:
        if free:
            _ask("SELECT pg_advisory_unlock(%s)", path)


def _ask(question: str, path: str) -> Any:
    # Locks have numbers of 64 bits: the first of the checksum.
    key = int.from_bytes(bytes.fromhex(PurePath(path).stem[:16]), "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute(question, [key])
        return cursor.fetchone()[0]
