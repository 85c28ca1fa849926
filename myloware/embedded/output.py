"""The one terminal that all processes share."""

from __future__ import annotations

import os
import signal
import sys
import threading

_COLOURS = (36, 33, 35, 32, 34, 31)  # ECMA-48 foregrounds
_LONGEST_NAME = len("simulators")


class Printer:
    """Prints ``name | line`` from any thread, in colour on a terminal (unless NO_COLOR is set)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: list[str] = []
        self._coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def say(self, name: str, line: str) -> None:
        """One line of the program ``name``."""
        with self._lock:
            self._print(f"{self._label(name)} {line}")

    def show(self, text: str) -> None:
        """A block of our own."""
        with self._lock:
            self._print(text)

    def _label(self, name: str) -> str:
        text = f"{name:<{_LONGEST_NAME}} |"
        if not self._coloured:
            return text
        if name not in self._names:
            self._names.append(name)
        return f"\033[{_COLOURS[self._names.index(name) % len(_COLOURS)]}m{text}\033[0m"

    def _print(self, text: str) -> None:
        try:
            print(text, flush=True)
        except BrokenPipeError:
            # `manage.py up | head`: nobody reads any more. Further lines go nowhere while we stop.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            os.kill(os.getpid(), signal.SIGTERM)
