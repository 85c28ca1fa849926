"""Scores the crew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from myloware.kernel.errors import MylowareError
from runs.evals import datasets, mean_mark, publish, scores

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from runs.evals import Dataset, Score


class Command(BaseCommand):
    help = (
        "Plays the datasets of fixtures/evals with the configured chat model (LLM_MODEL) and prints how each went. "
        "Orders nothing; fails when a dataset comes out below the score it asks for. JUDGE_MODEL names a model that "
        "marks each piece of work; with LANGSMITH_API_KEY the cases go into datasets there."
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
        try:
            below = [name for name in wanted if not self._play(name)]
        except MylowareError as error:
            raise CommandError(error.message) from error
        if below:
            raise CommandError(f"Worse than they should be: {', '.join(below)}.")

    def _play(self, name: str) -> bool:
        """Whether the dataset came out as well as it should."""
        dataset, played = datasets()[name], []
        for score in scores(dataset):
            played.append(score)
            failed = ", ".join(score.failed)
            self.stdout.write(f"{name:<10} {score.passed:5.0%} {_marked(score)}  {score.case:<32} {failed}".rstrip())
        passed, mark = sum(score.passed for score in played) / len(played), mean_mark(played)
        judged = "" if mark is None else f", marked {mark:.2f}, at least {dataset.least_mark:.2f}"
        self.stdout.write(f"{name:<10} {passed:5.0%}  version {dataset.version}, at least {dataset.least:.0%}{judged}")
        self._publish(name, dataset, played)
        return passed >= dataset.least and (mark is None or mark >= dataset.least_mark)

    def _publish(self, name: str, dataset: Dataset, played: list[Score]) -> None:
        if taken := publish(name, dataset, played):
            self.stdout.write(f"{name:<10} {taken} cases are in LangSmith now")


def _marked(score: Score) -> str:
    return f"{score.mark.score:.2f} {score.mark.reason}" if score.mark else ""
