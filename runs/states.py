"""The states of runs and steps, and the one table of allowed transitions. Pure Python.

A run's status says whether it moves; *where* it stands is its cursor, the first step that is not done.
"""

from __future__ import annotations

from enum import StrEnum
from itertools import takewhile
from typing import TYPE_CHECKING

from .schemas import GraphSpec, PlannedStep

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .schemas import ProjectSpec


class RunStatus(StrEnum):
    """``waiting``: parked at a gate or for a provider, costs nothing."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


class StepStatus(StrEnum):
    """``waiting``: a gate that is open for a decision, or a provider that works."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


class JobStatus(StrEnum):
    """``intent``: wanted, not sent. ``submitting``: perhaps on the wire. ``unknown``: the answer was lost."""

    INTENT = "intent"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class SpendStatus(StrEnum):
    """``reserved``: held, and perhaps spent by now. ``settled``: spent. ``released``: not spent after all."""

    RESERVED = "reserved"
    SETTLED = "settled"
    RELEASED = "released"


class Verdict(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"
    REVISE = "revise"


ACTIVE_RUN = frozenset({RunStatus.PENDING, RunStatus.RUNNING, RunStatus.WAITING})
ACTIVE_STEP = frozenset({StepStatus.RUNNING, StepStatus.WAITING})
OPEN_JOB = frozenset({JobStatus.INTENT, JobStatus.SUBMITTING, JobStatus.SUBMITTED, JobStatus.UNKNOWN})
IN_FLIGHT_JOB = frozenset({JobStatus.SUBMITTING, JobStatus.SUBMITTED, JobStatus.UNKNOWN})

RUN_TRANSITIONS: dict[RunStatus, frozenset[RunStatus]] = {
    RunStatus.PENDING: frozenset({RunStatus.RUNNING, RunStatus.WAITING, RunStatus.CANCELLED}),
    RunStatus.RUNNING: frozenset({RunStatus.WAITING, RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED}),
    RunStatus.WAITING: frozenset(
        {
            RunStatus.RUNNING,
            RunStatus.WAITING,
            RunStatus.SUCCEEDED,
            RunStatus.FAILED,
            RunStatus.CANCELLED,
            RunStatus.REJECTED,
        }
    ),
    RunStatus.SUCCEEDED: frozenset(),
    RunStatus.FAILED: frozenset({RunStatus.RUNNING, RunStatus.CANCELLED}),
    RunStatus.CANCELLED: frozenset(),
    RunStatus.REJECTED: frozenset(),
}

# A step that is under way goes back to pending when people are asked for money first.
STEP_TRANSITIONS: dict[StepStatus, frozenset[StepStatus]] = {
    StepStatus.PENDING: frozenset({StepStatus.RUNNING, StepStatus.WAITING, StepStatus.CANCELLED}),
    StepStatus.RUNNING: frozenset(
        {
            StepStatus.PENDING,
            StepStatus.RUNNING,
            StepStatus.WAITING,
            StepStatus.SUCCEEDED,
            StepStatus.FAILED,
            StepStatus.CANCELLED,
        }
    ),
    StepStatus.WAITING: frozenset(
        {
            StepStatus.PENDING,
            StepStatus.SUCCEEDED,
            StepStatus.FAILED,
            StepStatus.CANCELLED,
            StepStatus.REJECTED,
        }
    ),
    StepStatus.SUCCEEDED: frozenset(),
    StepStatus.FAILED: frozenset({StepStatus.PENDING}),
    StepStatus.CANCELLED: frozenset(),
    StepStatus.REJECTED: frozenset(),
}

# Taken; answered, lost, refused, or put off because nobody took it; settled. A failed order is wanted anew, under a
# fresh key; so is, under its own, one that a service with idempotency keys has never seen. A fork starts with orders
# that have succeeded elsewhere.
JOB_TRANSITIONS: dict[JobStatus, frozenset[JobStatus]] = {
    JobStatus.INTENT: frozenset({JobStatus.SUBMITTING, JobStatus.CANCELLED}),
    JobStatus.SUBMITTING: frozenset(
        {JobStatus.INTENT, JobStatus.SUBMITTED, JobStatus.UNKNOWN, JobStatus.FAILED, JobStatus.CANCELLED}
    ),
    JobStatus.SUBMITTED: frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED}),
    JobStatus.UNKNOWN: frozenset(
        {JobStatus.INTENT, JobStatus.SUBMITTED, JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED}
    ),
    JobStatus.SUCCEEDED: frozenset(),
    JobStatus.FAILED: frozenset({JobStatus.INTENT}),
    JobStatus.CANCELLED: frozenset(),
}


def before(status: JobStatus) -> list[JobStatus]:
    """From where an order may come to ``status``."""
    return [old for old, following in JOB_TRANSITIONS.items() if status in following]


# The wait that follows a stage is decided by the tools the stage may use.
WAIT_OF_TOOL = {
    "submit_generation_jobs_tool": "clips",
    "render_video_timeline_tool": "render",
    "publish_to_tiktok_tool": "publish",
}
# Only an approved draft is sent, so the wait for the platform stands behind the gates that follow its stage.
BEHIND_GATES = frozenset({"publish"})


def plan(spec: ProjectSpec, *, skip: Iterable[str] = (), optional: Iterable[str] = ()) -> GraphSpec:
    """The graph of a run: the project's personas without ``skip``, with ``optional`` ones before the last persona.

    A gate stays when the persona it stands next to is skipped: leaving work out must not leave a decision out.
    Raises ``ValueError`` when a name is not one the project offers, or what is left cannot make a film.
    """
    skipped = set(skip)
    order = _order(spec, skipped, tuple(optional))
    steps = [step for persona in order for step in _steps_of(spec, persona, skipped=persona in skipped)]
    names = {step.name for step in steps}
    for later, earlier in (("publish", "render"), ("render", "clips")):
        if later in names and earlier not in names:
            raise ValueError(f"without {earlier} there is nothing to {later}; skip fewer steps")
    return GraphSpec(
        pipeline=tuple(step.name for step in steps if step.kind == "stage"),
        hitl_gates=tuple(step.name for step in steps if step.kind == "gate"),
        steps=tuple(steps),
    )


def _order(spec: ProjectSpec, skipped: set[str], optional: tuple[str, ...]) -> list[str]:
    unknown = (skipped - set(spec.workflow)) | (set(optional) - set(spec.optional_steps))
    if unknown:
        raise ValueError(f"project '{spec.slug}' has no step named {', '.join(sorted(unknown))} to skip or add")
    if skipped >= set(spec.workflow):
        raise ValueError("every step is skipped; nothing would be made")
    return [*spec.workflow[:-1], *optional, spec.workflow[-1]]


def _steps_of(spec: ProjectSpec, persona: str, *, skipped: bool) -> Iterator[PlannedStep]:
    waits = [] if skipped else [WAIT_OF_TOOL[tool] for tool in spec.tools(persona) if tool in WAIT_OF_TOOL]
    yield from (
        PlannedStep(kind="gate", name=gate.id, policy=gate.policy) for gate in spec.gates if gate.before == persona
    )
    if not skipped:
        yield PlannedStep(kind="stage", name=persona)
    yield from (PlannedStep(kind="wait", name=wait) for wait in waits if wait not in BEHIND_GATES)
    yield from (
        PlannedStep(kind="gate", name=gate.id, policy=gate.policy) for gate in spec.gates if gate.after == persona
    )
    yield from (PlannedStep(kind="wait", name=wait) for wait in waits if wait in BEHIND_GATES)


def segment(kinds: Sequence[str]) -> int:
    """How many of the coming steps, given by kind from the cursor on, one chain carries: up to the next park."""
    for count, kind in enumerate(kinds, start=1):
        if kind != "stage":
            return count
    return len(kinds)


# The engine's own stage. It follows a stage that was less sure than REVIEW_BELOW; below REWORK_BELOW that stage comes
# again with the reviewer's notes, at most REWORKS times in a row.
REVIEWER = "reviewer"
REVIEW_BELOW, REWORK_BELOW, REWORKS = 0.65, 0.50, 2


def after_stage(name: str, confidence: float, earlier: Sequence[tuple[str, float]]) -> str:
    """The stage to put in behind a finished one, or "": the reviewer, or the reviewed persona once more.

    ``earlier`` are the stages directly before it, newest first, each with its confidence.
    """
    if name != REVIEWER:
        return REVIEWER if confidence < REVIEW_BELOW else ""
    reviewed, how_sure = earlier[0]
    row = takewhile(lambda stage: stage in {reviewed, REVIEWER}, (stage for stage, _ in earlier))
    again = sum(stage == reviewed for stage in row) <= REWORKS
    return reviewed if how_sure < REWORK_BELOW and again else ""
