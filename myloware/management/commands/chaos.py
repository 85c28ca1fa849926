"""Breaks a system of its own on purpose and checks that nothing was lost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand

from myloware.chaos.order import Order, add_arguments
from myloware.embedded.launch import become

if TYPE_CHECKING:
    import argparse


class Command(BaseCommand):
    help = (
        "Makes many small films while it kills workers, servers and callbacks, then checks with SQL that every run "
        "ended or waits for a person, and that nothing was ordered or published twice. Uses a system of its own."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        add_arguments(parser)

    def handle(self, *args: Any, **given: Any) -> None:
        become("myloware.chaos", json.dumps({name: given[name] for name in Order.model_fields}))
