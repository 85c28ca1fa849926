"""The media store, as far as rendering needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from django.core.files.storage import default_storage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path


class Store(Protocol):
    """A folder or a bucket. Raises ``StoreUnavailable``, and ``FileNotFoundError`` for a file that is not there."""

    def put(self, source: Path, path: str) -> None:
        """Makes ``source`` the file at ``path``: all of it, or nothing. ``source`` may be gone afterwards."""

    def local(self, path: str) -> AbstractContextManager[Path]:
        """The file on this machine's disk, to be read only; ``MediaError`` when it is missing or damaged."""

    def blocks(self, path: str, span: range) -> Iterator[bytes]: ...

    def size(self, name: str) -> int: ...

    def delete(self, name: str) -> None: ...


def store() -> Store:
    """The one that the settings choose."""
    return cast("Store", default_storage)
