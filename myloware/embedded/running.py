"""What is known about a running system: one at a time for a data directory, and a file that tells where it is."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from myloware.kernel.errors import Conflict

from .ledger import is_same_process, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator


class Running(BaseModel):
    """``system.json``: written when a system serves, removed when it stops."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: int
    """Of the supervisor, the parent of all other processes."""
    create_time: float
    """Seconds since 1970; with ``pid`` it names one process for ever."""
    port: int
    providers_mode: str
    urls: dict[str, str]
    """Links for people by name: ``web``, ``admin``, ``docs``, ``flower``, ``gallery``."""


def announce(data_dir: Path, *, port: int, providers_mode: str, urls: dict[str, str]) -> None:
    """Tells other commands that this process serves."""
    create_time = psutil.Process().create_time()
    told = Running(pid=os.getpid(), create_time=create_time, port=port, providers_mode=providers_mode, urls=urls)
    write_json(_file(data_dir), told.model_dump())


def withdraw(data_dir: Path) -> None:
    _file(data_dir).unlink(missing_ok=True)


def find(data_dir: Path) -> Running | None:
    """The system that serves from ``data_dir`` now."""
    try:
        told = Running.model_validate_json(_file(data_dir).read_text())
    except (FileNotFoundError, ValidationError):
        return None
    return told if is_same_process(told.pid, told.create_time) else None


@contextmanager
def exclusive(data_dir: Path) -> Iterator[None]:
    """Holds the data directory. Raises Conflict when another process does. A killed holder lets go."""
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "up.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise Conflict(
                f"A system already runs on {data_dir} (process {holder}): stop it, or choose another --data-dir."
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _file(data_dir: Path) -> Path:
    return data_dir / "system.json"
