"""Memory of a whole system."""

from __future__ import annotations

import threading
from contextlib import suppress

import psutil

INTERVAL_S = 0.5


class MemoryMeter:
    """The peak, over time, of the sum of the resident sets (RSS) of this process and of a system's processes.

    Pages that processes share are counted once for each of them, so the machine needs less than this.
    """

    def __init__(self, supervisor_pid: int) -> None:
        self._roots = (psutil.Process(), psutil.Process(supervisor_pid))
        self._peak_bytes = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._measure, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        """Ends measuring and returns the peak in megabytes (10^6 bytes)."""
        self._done.set()
        self._thread.join()
        return self._peak_bytes / 1e6

    def _measure(self) -> None:
        while True:
            self._peak_bytes = max(self._peak_bytes, self._sum())
            if self._done.wait(INTERVAL_S):
                return

    def _sum(self) -> int:
        processes = {each for root in self._roots for each in _tree(root)}
        return sum(_rss(process) for process in processes)


def _tree(root: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return [root, *root.children(recursive=True)]
    return []


def _rss(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0
