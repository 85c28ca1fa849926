"""Runs the whole system in one terminal."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand

from myloware.embedded import options

if TYPE_CHECKING:
    import argparse


class Command(BaseCommand):
    help = "Runs database, broker, web, worker, beat and Flower in this terminal until Ctrl-C."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        options.add_arguments(parser)
        options.add_workers(parser)

    def handle(self, *args: Any, **given: Any) -> None:
        # The settings are checked; to supervise, a process needs no Django, which would hold 100 MB as long as it runs.
        become("myloware.embedded.system", f"--workers={given['workers']}")


def become(module: str, *arguments: str) -> None:
    """Replaces this process by ``python -m module``, which finds our packages in the current folder."""
    os.environ["MYLOWARE_DATA_DIR"] = str(settings.DATA_DIR.resolve())
    os.chdir(settings.BASE_DIR)
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])
