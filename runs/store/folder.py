"""The media store as a folder of this machine, or one that all machines share."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from django.core.files.storage import FileSystemStorage

from . import BLOCK_BYTES, PATH, changed, is_intact, missing

if TYPE_CHECKING:
    from collections.abc import Iterator


class Folder(FileSystemStorage):
    """MEDIA_ROOT, or ``location``. A :class:`runs.store.Backend`."""

    def put(self, source: Path, path: str) -> None:
        """Renames ``source``, which lies on the same disk; whoever had stored these bytes already loses nothing."""
        target = Path(self.path(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        # Or else a power cut may leave a name without its bytes.
        _sync(source)
        source.replace(target)
        _sync(target.parent)

    @contextmanager
    def local(self, path: str) -> Iterator[Path]:
        """The stored file itself."""
        file = Path(self.path(path))
        if not file.is_file():
            raise missing(path)
        if not is_intact(file, path):
            raise changed(path)
        yield file

    def blocks(self, path: str, span: range) -> Iterator[bytes]:
        with Path(self.path(path)).open("rb") as stream:
            stream.seek(span.start)
            left = len(span)
            while left and (block := stream.read(min(BLOCK_BYTES, left))):
                left -= len(block)
                yield block

    def files(self) -> Iterator[tuple[str, datetime]]:
        for file in Path(self.location).glob("??/*"):
            path = f"{file.parent.name}/{file.name}"
            # It may have been deleted meanwhile.
            with suppress(FileNotFoundError):
                if PATH.fullmatch(path):
                    yield path, datetime.fromtimestamp(file.stat().st_mtime, UTC)


def _sync(path: Path) -> None:
    """Waits until a file, or a folder's list of names, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
