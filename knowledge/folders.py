"""Files of a folder that may become documents, and why the others may not."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from myloware.kernel.errors import InvalidInput

MAX_FILE_BYTES = 512_000
MAX_TOTAL_BYTES = 50_000_000

CONTENT_TYPES = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".json": "application/json",
    ".txt": "text/plain",
    ".pdf": "application/pdf",
}

_SLUG = re.compile(r"[A-Za-z0-9][\w-]{0,63}")


class Refused(NamedTuple):
    """A file that was left out, and the reason in words."""

    path: str
    reason: str


class Scope(NamedTuple):
    """Who may find a document; "" is everybody."""

    project: str
    persona: str


@dataclass(frozen=True)
class Source:
    """A file that may be read. ``path`` is relative to the folder, with forward slashes."""

    file: Path
    path: str
    content_type: str
    scope: Scope
    size_bytes: int


def survey(folder: Path, default: Scope) -> list[Source | Refused]:
    """Every file below ``folder`` in the order of paths, hidden ones left out; contents are not looked at.

    Raises ``InvalidInput`` when the default scope cannot be one.
    """
    if not _is_slugs(default):
        raise InvalidInput("A project or persona is named by a slug: letters, digits, - and _, at most 64.")
    root = Path(os.path.realpath(folder))
    left_bytes = MAX_TOTAL_BYTES
    entries: list[Source | Refused] = []
    for file in sorted(_files(folder)):
        entry = _entry(file, file.relative_to(folder).as_posix(), root, default, left_bytes)
        if isinstance(entry, Source):
            left_bytes -= entry.size_bytes
        entries.append(entry)
    return entries


def scope_of(path: str, default: Scope) -> Scope:
    """``projects/<p>/`` and ``personas/<p>/`` anywhere in the path win over the default."""
    folders = path.split("/")[:-1]
    named = dict(pairwise(folders))
    return Scope(named.get("projects", default.project), named.get("personas", default.persona))


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        # os.walk does not enter links to folders; they are listed so that they are named.
        links = [name for name in folders if Path(parent, name).is_symlink()]
        yield from (Path(parent, name) for name in [*names, *links] if not name.startswith("."))


def _entry(file: Path, path: str, root: Path, default: Scope, left_bytes: int) -> Source | Refused:
    try:
        status = file.stat()
    except OSError as error:
        return Refused(_printable(path), f"cannot be read: {error.strerror}")
    reason = _misplaced(file, path, root) or _unreadable(file, status)
    if not reason and status.st_size > left_bytes:
        reason = f"the files before it leave no room: together they may have {MAX_TOTAL_BYTES:,} bytes"
    if reason:
        return Refused(_printable(path), reason)
    content_type = CONTENT_TYPES[file.suffix.lower()]
    return Source(file, path, content_type, scope_of(path, default), status.st_size)


def _misplaced(file: Path, path: str, root: Path) -> str:
    if path != _printable(path) or len(path) > 512:
        return "its path is not UTF-8, or longer than 512 characters"
    # Path.resolve() raises on links that run in a circle; realpath does not.
    if not Path(os.path.realpath(file)).is_relative_to(root):
        return "a link that leads out of the folder"
    if not _is_slugs(scope_of(path, Scope("", ""))):
        return "its project or persona folder is not a slug"
    return ""


def _unreadable(file: Path, status: os.stat_result) -> str:
    # Opening a pipe or a device could block for ever.
    if not stat.S_ISREG(status.st_mode):
        return "not a regular file"
    if file.suffix.lower() not in CONTENT_TYPES:
        return f"not one of {', '.join(CONTENT_TYPES)}"
    if status.st_size > MAX_FILE_BYTES:
        return f"{status.st_size:,} bytes; a file may have {MAX_FILE_BYTES:,}"
    return ""


def _is_slugs(scope: Scope) -> bool:
    return all(_SLUG.fullmatch(name) for name in scope if name)


def _printable(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode()
