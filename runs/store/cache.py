"""Files of the bucket that this machine has used lately."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Iterator

CACHE_BYTES = 1_000_000_000


@dataclass(frozen=True)
class Cache:
    """A folder, on one disk with the workspaces: what is lent and added are links, so that nobody waits for a copy."""

    folder: Path

    def lend(self, path: str, target: Path) -> bool:
        """Links the file to ``target``; False when it is not here."""
        try:
            target.hardlink_to(self._place(path))
        except FileNotFoundError:
            return False
        # The same file: that of the cache has been used now, too.
        os.utime(target)
        return True

    def add(self, file: Path, path: str) -> None:
        """Takes ``file`` in, which is whole, and gives up what has not been used for the longest time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / f".{uuid4().hex}"
        os.utime(file)
        draft.hardlink_to(file)
        draft.replace(self._place(path))
        self._make_room()

    def _make_room(self) -> None:
        total = 0
        for _, size, file in sorted(self._uses(), reverse=True):
            # The first is the one that has just come.
            if total and total + size > CACHE_BYTES:
                file.unlink(missing_ok=True)
            total += size

    def _uses(self) -> Iterator[tuple[int, int, Path]]:
        """When each file was used last, its size, and where it is."""
        for file in self.folder.iterdir():
            # Another process may have given it up just now.
            with suppress(FileNotFoundError):
                facts = file.stat()
                yield facts.st_mtime_ns, facts.st_size, file

    def _place(self, path: str) -> Path:
        return self.folder / PurePath(path).name
