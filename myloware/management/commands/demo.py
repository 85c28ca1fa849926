"""From a sentence to a published film."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand

from myloware.demo.wish import Wish, add_arguments
from myloware.embedded import options
from myloware.embedded.launch import become

if TYPE_CHECKING:
    import argparse


class Command(BaseCommand):
    help = "Has the crew make a film: brief, approvals, clips, cut, publication. Starts the system when none runs."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        add_arguments(parser)
        options.add_arguments(parser)

    def handle(self, *args: Any, **given: Any) -> None:
        wanted = {name: given[name] for name in Wish.model_fields}
        become("myloware.demo", json.dumps(wanted))
