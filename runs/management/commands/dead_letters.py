"""``manage.py dead_letters``: see and settle what failed for good."""

from __future__ import annotations

import getpass
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from myloware.kernel.errors import MylowareError
from runs import letters

if TYPE_CHECKING:
    import argparse


class Command(BaseCommand):
    help = "Callbacks, wake-ups and steps that failed for good: list them, look at one, replay or resolve it."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="all of them")
        for verb, text in (
            ("show", "one of them, with what it carries"),
            ("replay", "process it now, really and once"),
            ("resolve", "take it out of the list: dealt with by hand; a step's run is cancelled"),
        ):
            verbs.add_parser(verb, help=text).add_argument("id", help="as the list shows it, e.g. webhook:1f0c...")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.stdout.write(self._answer(options["verb"], options.get("id", "")))
        except MylowareError as error:
            raise CommandError(error.message) from error

    def _answer(self, verb: str, letter_id: str) -> str:
        if verb == "list":
            lines = [f"{each.id}  {each.what}  {each.attempts}x  {each.error}" for each in letters.letters()]
            return "\n".join(lines) or "No dead letters."
        if verb == "show":
            return json.dumps(asdict(letters.letter(letter_id)), indent=2, default=str, ensure_ascii=False)
        act = letters.replay if verb == "replay" else letters.resolve
        return act(letter_id, actor=getpass.getuser())
