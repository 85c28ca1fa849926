"""Says in words whether this system is set up."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandParser

from myloware import validate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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
        faults = 0
        for finding in WHAT[options["what"]]():
            style = self.style.ERROR if finding.good is False else str
            self.stdout.write(style(f"{MARKS[finding.good]} {finding.text}"))
            faults += finding.good is False
        self.stdout.write(f"{faults} to mend." if faults else "Nothing to mend.")
        if faults:
            sys.exit(1)
