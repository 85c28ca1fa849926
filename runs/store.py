"""The media store: files named by their SHA-256 below MEDIA_ROOT, written once and never changed."""

from __future__ import annotations

import hashlib
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Stored:
    """A kept file. ``path`` is relative to MEDIA_ROOT; ``file`` is where it lies."""

    path: str
    checksum: str
    size_bytes: int

    @property
    def file(self) -> Path:
        return absolute(self.path)


@contextmanager
def workspace() -> Iterator[Path]:
    """A folder for work in progress, on the store's file system so that keeping a file is one rename."""
    root = Path(settings.MEDIA_ROOT)
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".work-", dir=root) as folder:
        yield Path(folder)


def absolute(path: str) -> Path:
    """The file behind an artifact's ``path``."""
    return Path(settings.MEDIA_ROOT) / path


def keep(source: Path) -> Stored:
    """Moves ``source``, a file of :func:`workspace`, into the store."""
    checksum = checksum_of(source)
    path = f"{checksum[:2]}/{checksum}{source.suffix}"
    size_bytes = source.stat().st_size
    target = absolute(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)
    return Stored(path, checksum, size_bytes)


def checksum_of(file: Path) -> str:
    """SHA-256 of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
