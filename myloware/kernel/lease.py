"""A lease that lives as long as its holder does."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.db import Error, connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

log = logging.getLogger(__name__)


@contextmanager
def kept(extend: Callable[[], bool], lease_s: float) -> Iterator[None]:
    """Calls ``extend`` three times within each lease while the work goes on, and ends when it says that it is lost.

    A killed process stops beating, so its work is somebody else's within ``lease_s`` seconds, however long it may take.
    """
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(lease_s / 3) and patiently(extend):
            pass
        connection.close()

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def patiently(extend: Callable[[], bool]) -> bool:
    """What ``extend`` says; True while the database is away, which ends no lease: the next beat may come in time."""
    try:
        return extend()
    except Error as error:
        log.warning("a lease could not be extended", extra={"reason": type(error).__name__})
        connection.close()
        return True
