"""``manage.py kb_eval``: how well the search finds, by numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import Progress

from knowledge.evaluation import LEGS, MEASURES, Outcome, ask, load, queries_in, summary
from knowledge.sandbox import sandbox
from myloware.kernel.errors import MylowareError

if TYPE_CHECKING:
    from argparse import ArgumentParser

# A change that loses more than this against fixtures/evals/kb/expected.json is a regression.
TOLERANCE = 0.01


class Command(BaseCommand):
    help = (
        "Measures the search on our judged queries, or on a corpus in BEIR's layout, beside the real knowledge base; "
        "exit status 1 when it finds less than it did."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--corpus", type=Path, metavar="DIR", help="corpus.jsonl, queries.jsonl and qrels/<split>.tsv"
        )
        parser.add_argument("--split", default="test", help="which judgements of the corpus (default: test)")
        parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")

    def handle(self, *, corpus: Path | None, split: str, json: bool, **_: Any) -> None:
        fixtures = settings.BASE_DIR / "fixtures"
        own = fixtures / "evals" / "kb"
        try:
            result = summary(_outcomes(corpus or fixtures / "knowledge", corpus or own, split))
        except MylowareError as error:
            raise CommandError(error.message, returncode=2) from error
        self.stdout.write(_json(result) if json else table(result))
        if corpus is None and (faults := regressions(result, own / "expected.json")):
            raise CommandError("\n".join(faults), returncode=1)


def _outcomes(documents: Path, judgements: Path, split: str) -> list[Outcome]:
    queries = queries_in(judgements, split)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress, sandbox():
        storing = progress.add_task("storing the documents", total=None)
        load(documents)
        progress.remove_task(storing)
        return [ask(query) for query in progress.track(queries, description="asking")]


def _json(result: dict[str, Any]) -> str:
    return json.dumps(result, sort_keys=True)


def regressions(result: dict[str, Any], expected: Path) -> list[str]:
    """What got worse, in words."""
    known = json.loads(expected.read_text())
    faults = [
        f"{leg} {name} is {result[leg][name]:.3f}; it was {known[leg][name]:.3f}"
        for leg in LEGS
        for name in MEASURES
        if result[leg][name] < known[leg][name] - TOLERANCE
    ]
    if result["false_answer_rate"] > known["false_answer_rate"] + TOLERANCE:
        faults.append(
            f"false_answer_rate is {result['false_answer_rate']:.3f}; it was {known['false_answer_rate']:.3f}"
        )
    return faults


def table(result: dict[str, Any]) -> str:
    """The numbers for people."""
    columns = [*MEASURES, "p50_ms", "p95_ms"]
    lines = [f"{'':10}" + "".join(f"{name:>14}" for name in columns)]
    lines += [f"{leg:10}" + "".join(f"{result[leg][name]:14.3f}" for name in columns) for leg in LEGS]
    lines += [f"nDCG@10 of {kind or 'all'}: {_legs(means)}" for kind, means in result["by_kind"].items()]
    lines += [f"fused before {leg}: {_lead(lead)}" for leg, lead in result["lead"].items()]
    lines += [f"nDCG@10 of fused otherwise ({name}): {gain:.3f}" for name, gain in result["compared"].items()]
    rates = ("false_answer_rate", "missed_answer_rate", "exact_recall_at_10", "filtered_recall_at_10")
    lines += [f"{name}: {result[name]:.3f}" for name in rates if result[name] is not None]
    return "\n".join([*lines, f"{result['queries']} queries"])


def _lead(lead: dict[str, float]) -> str:
    return f"{lead['mean']:+.3f} (95 %: {lead['low']:+.3f} to {lead['high']:+.3f})"


def _legs(means: dict[str, float]) -> str:
    return ", ".join(f"{leg} {means[leg]:.3f}" for leg in LEGS)
