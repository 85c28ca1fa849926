"""Prints the tables of docs/preflight.md."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from providers.media.preflight.check import allowed
from providers.media.preflight.measures import MEASURES
from providers.media.preflight.rules import Rule, Rules, platforms, rules_of

HEAD = [
    "| rule | level | what is measured | allowed | Repair writes anew | where the number comes from |",
    "| --- " * 6 + "|",
]


class Command(BaseCommand):
    help = "Prints the rules of the pre-flight as tables, for docs/preflight.md."

    def handle(self, *args: Any, **options: Any) -> None:
        known = [rules for platform in platforms() if (rules := rules_of(platform))]
        self.stdout.write("\n".join(map(_table, known)), ending="")


def _table(rules: Rules) -> str:
    return "\n".join([f"### {rules.platform} {rules.version}", "", *HEAD, *map(_row, rules.rules), ""])


def _row(rule: Rule) -> str:
    cells = [f"`{rule.id}`", rule.level, MEASURES[rule.measure].words, allowed(rule), rule.repair or "", rule.source]
    return f"| {' | '.join(cells)} |"
