"""Scores the crew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from runs.evals import datasets, scores

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = (
        "Plays the datasets of fixtures/evals with the configured chat model (LLM_MODEL) and prints how each went. "
        "Orders nothing; fails when a dataset comes out below the score it asks for."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["run"])
        parser.add_argument("datasets", nargs="*", help="names of datasets; all when absent")

    def handle(self, *args: Any, **options: Any) -> None:
        known = datasets()
        wanted = options["datasets"] or list(known)
        unknown = sorted(set(wanted) - set(known))
        if unknown:
            raise CommandError(f"There is no dataset {', '.join(unknown)}. There are: {', '.join(known)}.")
        below = [name for name in wanted if not self._play(name)]
        if below:
            raise CommandError(f"Worse than they should be: {', '.join(below)}.")

    def _play(self, name: str) -> bool:
        """Whether the dataset came out as well as it should."""
        dataset = datasets()[name]
        total = 0.0
        for score in scores(dataset):
            total += score.passed
            self.stdout.write(f"{name:<10} {score.passed:5.0%}  {score.case:<32} {', '.join(score.failed)}".rstrip())
        mean = total / len(dataset.cases)
        self.stdout.write(f"{name:<10} {mean:5.0%}  version {dataset.version}, at least {dataset.least:.0%}")
        return mean >= dataset.least
