"""From a management command to a process without Django, which would hold 100 MB for as long as it runs."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from myloware import settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def become(module: str, *arguments: str) -> NoReturn:
    """Replaces this process by ``python -m module``, which finds our packages in the current folder."""
    os.environ["MYLOWARE_DATA_DIR"] = str(settings.DATA_DIR.resolve())
    os.chdir(settings.BASE_DIR)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])


@contextmanager
def interruptible() -> Iterator[None]:
    """All signals that ask a process to end arrive as KeyboardInterrupt."""
    before = {each: signal.getsignal(each) for each in STOP_SIGNALS}
    for each in STOP_SIGNALS:
        # nohup(1) has SIGHUP ignored on purpose.
        if each != signal.SIGHUP or before[each] != signal.SIG_IGN:
            signal.signal(each, _interrupt)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
