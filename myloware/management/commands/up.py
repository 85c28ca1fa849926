"""Runs the whole system in one terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand

from myloware.embedded import options
from myloware.embedded.launch import become

if TYPE_CHECKING:
    import argparse


class Command(BaseCommand):
    help = "Runs database, broker, web, worker, beat and Flower in this terminal until Ctrl-C."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        options.add_arguments(parser)
        options.add_workers(parser)

    def handle(self, *args: Any, **given: Any) -> None:
        # Django has checked the settings; a supervisor does not need it.
        become("myloware.embedded.system", f"--workers={given['workers']}")
