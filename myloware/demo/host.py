"""The system that the demo talks to: the one that runs on the data directory, or one of its own."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, TextIO

from myloware import settings
from myloware.embedded import running
from myloware.embedded.supervisor import Program, Supervisor
from myloware.kernel.errors import Misconfigured

if TYPE_CHECKING:
    from myloware.embedded.running import Running

START_S = 300
"""First starts on slow disks included."""


class Host:
    """Starts `manage.py up` when nothing runs, with its output in a file, and stops what it started."""

    def __init__(self) -> None:
        self.log = settings.DATA_DIR.resolve() / "up.log"
        self._supervisor = Supervisor(self._write)
        self._file: TextIO | None = None

    @property
    def is_own(self) -> bool:
        """Whether this demo has started the system."""
        return self._file is not None

    def find(self) -> Running | None:
        return running.find(settings.DATA_DIR.resolve())

    def start(self) -> Running:
        """Raises Misconfigured with the last lines of the log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.log.open("w")
        command = (sys.executable, str(settings.BASE_DIR / "manage.py"), "up")
        self._supervisor.start(
            # It needs up to 25 s to end its own processes one after the other.
            Program("up", command, ready=lambda: self.find() is not None, env={"PYTHONUNBUFFERED": "1"}, grace_s=40)
        )
        try:
            self._supervisor.wait_ready(START_S)
        except Misconfigured as error:
            tail = "\n".join(self.log.read_text().splitlines()[-12:])
            raise Misconfigured(f"The system did not start. {self.log} ends with:\n{tail}") from error
        found = self.find()
        if found is None:
            raise Misconfigured(f"The system ended as soon as it served; see {self.log}.")
        return found

    def wait(self) -> None:
        """Returns when the system has ended by itself."""
        while self._supervisor.pids():
            time.sleep(0.5)

    def stop(self) -> None:
        self._supervisor.stop()
        if self._file:
            self._file.close()

    def _write(self, name: str, line: str) -> None:
        if self._file and not self._file.closed:
            self._file.write(f"{line}\n")
            self._file.flush()
