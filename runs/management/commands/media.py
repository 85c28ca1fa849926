"""``manage.py media``: looks after the media store."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from myloware.kernel.errors import MylowareError
from runs import stock

if TYPE_CHECKING:
    import argparse


class Command(BaseCommand):
    help = "Checks, sweeps or fills the media store that MEDIA_STORE_URL names."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="verb")
        verbs.add_parser("check", help="read every file that an artifact names; ends with 1 when one is not as it was")
        sweep = verbs.add_parser("sweep", help="delete files that no artifact has named for MEDIA_KEPT_DAYS")
        sweep.add_argument("--dry-run", action="store_true", help="only tell which")
        copy = verbs.add_parser("copy", help="put the files of another media folder into the store")
        copy.add_argument("folder", type=Path, help="e.g. var/media")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            {"check": self._check, "sweep": self._sweep, "copy": self._copy}[options["verb"]](options)
        except MylowareError as error:
            raise CommandError(error.message) from error

    def _check(self, options: dict[str, Any]) -> None:
        files = faults = 0
        for _, fault in stock.check():
            files += 1
            if fault:
                faults += 1
                self.stdout.write(self.style.ERROR(fault))
        self.stdout.write(f"{files} files, {faults} of them missing or damaged.")
        if faults:
            sys.exit(1)

    def _sweep(self, options: dict[str, Any]) -> None:
        act = stock.unneeded if options["dry_run"] else stock.sweep
        paths = act(timezone.now())
        self.stdout.write("".join(f"{path}\n" for path in paths), ending="")
        self.stdout.write(f"{len(paths)} files {'would be' if options['dry_run'] else 'were'} deleted.")

    def _copy(self, options: dict[str, Any]) -> None:
        if not options["folder"].is_dir():
            raise CommandError(f"{options['folder']} is not a folder.")
        for path, fate in stock.copy(options["folder"]):
            self.stdout.write(f"{path}  {fate}")
