"""Which processes a system has, on disk: what outlived a killed supervisor is ended at the next start."""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .supervisor import Program


@dataclass(frozen=True)
class Entry:
    """One process; its number and start time (seconds since 1970) together are never used twice."""

    name: str
    pid: int
    create_time: float
    stop_signal: int


class Ledger:
    """``processes.json`` of a data directory."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._path = data_dir / "processes.json"

    def write(self, running: Iterable[tuple[Program, int]]) -> None:
        """Replaces the file by the programs that run now, each with its process id."""
        entries = [entry for program, pid in running if (entry := _entry(program, pid))]
        write_json(self._path, [asdict(entry) for entry in entries])

    def end_survivors(self) -> list[str]:
        """Ends what the last supervisor left running, and returns the names. May take some seconds."""
        entries = self._read()
        leaders = [(entry, process) for entry in entries if (process := _same(entry.pid, entry.create_time))]
        for entry, process in leaders:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(entry.stop_signal)
        psutil.wait_procs([process for _, process in leaders], timeout=10)
        for entry in entries:
            self._kill_group(entry.pid)
        self._path.unlink(missing_ok=True)
        return [entry.name for entry, _ in leaders]

    def _read(self) -> list[Entry]:
        try:
            return [Entry(**fields) for fields in json.loads(self._path.read_text())]
        except (FileNotFoundError, ValueError, TypeError):
            return []

    def _kill_group(self, leader: int) -> None:
        ours = [process for process in psutil.process_iter() if self._belongs(process, leader)]
        for process in ours:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(ours, timeout=5)

    def _belongs(self, process: psutil.Process, leader: int) -> bool:
        """In the group of ``leader``, and ours: the number of a group that is gone is given out again."""
        with suppress(psutil.Error, ProcessLookupError, PermissionError):
            if os.getpgid(process.pid) == leader:
                return process.environ().get("MYLOWARE_DATA_DIR") == str(self._data_dir)
        return False


def write_json(path: Path, value: object) -> None:
    """Replaces ``path`` at once: a reader sees the old text or the new one."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(value, indent=1))
    draft.replace(path)


def is_same_process(pid: int, create_time: float) -> bool:
    """Whether the process that had this number then still runs."""
    return _same(pid, create_time) is not None


def _same(pid: int, create_time: float) -> psutil.Process | None:
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        # The clock of a start time has 10 ms ticks, and psutil adds the boot time, which may be corrected.
        if abs(process.create_time() - create_time) < 2 and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def _entry(program: Program, pid: int) -> Entry | None:
    stop_signal = signal.Signals(program.stop_signals[0])
    with suppress(psutil.Error):
        return Entry(program.name, pid, psutil.Process(pid).create_time(), stop_signal)
    return None
