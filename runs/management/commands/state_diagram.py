"""Prints docs/states.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand

from runs.states import JOB_TRANSITIONS, RUN_TRANSITIONS, STEP_TRANSITIONS, JobStatus, RunStatus, StepStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from enum import StrEnum

INTRODUCTION = """\
# States

Drawn by `manage.py state_diagram > docs/states.md` from the tables in `runs/states.py`, which nothing moves past.
"""


@dataclass(frozen=True)
class Machine:
    """``table``: from each state the ones that may follow, the first one first. ``words``: what each means."""

    title: str
    table: Mapping[Any, frozenset[Any]]
    words: Mapping[Any, str]


MACHINES = (
    Machine(
        "Runs",
        RUN_TRANSITIONS,
        {
            RunStatus.PENDING: "being created; leaves this state in the transaction that made it",
            RunStatus.RUNNING: "a stage is at work, or a wake-up for the next step is on its way",
            RunStatus.WAITING: "parked at a gate, for a person, or at a wait, for a provider; costs nothing",
            RunStatus.SUCCEEDED: "every step is done",
            RunStatus.FAILED: "a step failed; stands until somebody retries or cancels, or a late result comes in",
            RunStatus.CANCELLED: "ended by a person; late callbacks do not reopen it",
            RunStatus.REJECTED: "ended at a gate, with the reviewer's reason",
        },
    ),
    Machine(
        "Steps",
        STEP_TRANSITIONS,
        {
            StepStatus.PENDING: "its turn is still to come, or comes again: after a retry, or behind a budget gate",
            StepStatus.RUNNING: "a worker holds it under a lease; once that has run out, another takes it over",
            StepStatus.WAITING: "a gate that is open for a decision, or a wait whose orders are with a provider",
            StepStatus.SUCCEEDED: "done, with its output",
            StepStatus.FAILED: "has an error, and stopped its run with it",
            StepStatus.CANCELLED: "given up with its run, or replaced by the steps of a revision",
            StepStatus.REJECTED: "a gate at which somebody ended the run or sent it back",
        },
    ),
    Machine(
        "Orders",
        JOB_TRANSITIONS,
        {
            JobStatus.INTENT: "wanted, and not sent: it waits for its turn, for money, or for an approval",
            JobStatus.SUBMITTING: "perhaps on the wire, under a lease; its money is held",
            JobStatus.SUBMITTED: "with the provider, whose callback or status ends it",
            JobStatus.UNKNOWN: "the answer was lost; it is looked up, and never sent blindly again",
            JobStatus.SUCCEEDED: "its result is in the media store, or on the platform",
            JobStatus.FAILED: "refused, failed or late; a retry wants it anew under a fresh key",
            JobStatus.CANCELLED: "its run has ended; what still comes in is not used",
        },
    ),
)


class Command(BaseCommand):
    help = "Prints the states of runs, steps and orders as diagrams: manage.py state_diagram > docs/states.md"

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write("\n".join([INTRODUCTION, *map(_section, MACHINES)]), ending="")


def _section(machine: Machine) -> str:
    words = [f"| {state} | {machine.words[state]} |" for state in machine.table]
    diagram = ["```mermaid", "stateDiagram-v2", *_arrows(machine.table), "```"]
    return "\n".join(
        [f"## {machine.title}", "", *diagram, "", "| state | what it means |", "| --- | --- |", *words, ""]
    )


def _arrows(table: Mapping[StrEnum, frozenset[StrEnum]]) -> Iterator[str]:
    yield f"    [*] --> {next(iter(table))}"
    for old, following in table.items():
        # In the order of the table: a set has none.
        yield from (f"    {old} --> {new}" for new in table if new in following)
        if not following:
            yield f"    {old} --> [*]"
