"""Says in words whether this system is set up."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandParser

from myloware import validate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

WHAT: dict[str, Callable[[], Iterable[validate.Finding]]] = {
    "env": validate.env,
    "config": validate.config,
    "providers": validate.providers,
}
MARKS = {True: "ok  ", False: "MEND", None: "    "}


class Command(BaseCommand):
    help = (
        "env: the settings and secrets that this mode needs. config: projects, personas, system checks. "
        "providers: asks each service with our key. Ends with 1 when something has to be mended."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=WHAT, help="what to look at")

    def handle(self, *args: Any, **options: Any) -> None:
        with _without_log():
            faults = sum(map(self._told, WHAT[options["what"]]()))
        self.stdout.write(f"{faults} to mend." if faults else "Nothing to mend.")
        if faults:
            sys.exit(1)

    def _told(self, finding: validate.Finding) -> bool:
        """Prints one line, and says whether it is a fault."""
        style = self.style.ERROR if finding.good is False else str
        self.stdout.write(style(f"{MARKS[finding.good]} {finding.text}"))
        return finding.good is False


@contextmanager
def _without_log() -> Iterator[None]:
    """The findings tell what the log would, once."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
