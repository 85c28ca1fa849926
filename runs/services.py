"""The only writer of runs and steps.

One function is one transaction: lock the run, then its step; change; write the audit line and what is to be woken.
Nothing here calls a provider or a model.
"""

from __future__ import annotations

import hashlib
import json
import logging
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max
from django.utils import timezone
from pydantic import ValidationError

from myloware.kernel.errors import BudgetExceeded, Conflict, Forbidden, NotFound, UnprocessableInput
from providers import renders

from . import dispatch, money, preflight, signals
from .ideas import Idea, edited, handed_over
from .models import Approval, Artifact, Project, ProviderJob, Run, RunEvent, Step
from .policies import NOBODY, deadline_of, policy_of, require_decider
from .schemas import (
    BUDGET,
    GraphSpec,
    PlannedStep,
    PublishDraft,
    Requirements,
    RunInput,
    RunOptions,
    RunPayload,
    RunResult,
)
from .states import (
    ACTIVE_RUN,
    ACTIVE_STEP,
    OPEN_JOB,
    REVIEWER,
    RUN_TRANSITIONS,
    STEP_TRANSITIONS,
    JobStatus,
    RunStatus,
    StepStatus,
    Verdict,
    after_stage,
    before,
    plan,
)

if TYPE_CHECKING:
    from uuid import UUID

    from providers.media.preflight.check import Report
    from providers.media.preflight.facts import Facts

log = logging.getLogger(__name__)

# A step whose worker dies this often is what kills the worker.
MAX_ATTEMPTS = 5
# Why a wait has ended before its orders: some are out, or none of those that are left was ever taken.
LATE_JOB = "the provider did not finish in time; retry, or cancel the run."
LATE = {
    "publish": "nobody knows whether the film was published; look at the account, then settle the publish job in the "
    "admin. A retry only goes on asking."
}
NOT_TAKEN_JOB = "the service took no order in time, so nothing more was made or billed; retry when it does."
NOT_TAKEN = {"publish": "the service did not take the film in time, so it was not published; retry when it does."}
# What a reviewer may change in a draft. The film and the account are decided by the run.
EDITABLE = ("title", "caption", "tags")


# --- Start


@transaction.atomic
def create_run(
    *,
    project: Project,
    input: RunInput,  # noqa: A002  (the architecture's word)
    options: RunOptions,
    user_id: str = "",
    actor: str,
    approved_by: str = "",
    channel: str = "api",
    requirements: Requirements = Requirements(),  # noqa: B008  (frozen)
) -> Run:
    """A run with its frozen plan, ``requirements`` included, standing at its first step.

    ``approved_by`` records the caller's own start as the decision at a leading ``workflow`` gate.
    Raises ``UnprocessableInput`` when the options ask for a plan the project cannot make.
    """
    graph = _graph(project, options).model_copy(update={"requirements": requirements})
    payload = RunPayload(
        project=project.slug,
        input=input,
        graph_spec=graph,
        specs=project.spec.specs,
        user_id=user_id or None,
        options=options,
    )
    run = Run.objects.create(project=project, payload=payload, user_id=user_id)
    Step.objects.bulk_create(_steps(run, graph.steps, start=0))
    note(run, None, "run", old="", new=run.status, reason=input.brief, actor=actor)
    record_artifact(run=run, type="run.start", metadata={"actor": actor, "plan": graph.model_dump(mode="json")})
    advance(run, actor=actor)
    gate = run.cursor()
    if approved_by and gate and gate.kind == "gate" and gate.name == "workflow":
        gate.run = run
        _approve_own(run, gate, Decision(Verdict.APPROVE, approved_by, channel, digest_of(gate)))
    return run


def _approve_own(run: Run, gate: Step, decision: Decision) -> None:
    """Counts a start as a decision, if who started may decide; else the gate waits for those who may."""
    with suppress(Forbidden):
        _cast(run, gate, decision)


def _graph(project: Project, options: RunOptions) -> GraphSpec:
    try:
        return plan(project.spec, skip=options.skip_steps, optional=options.optional_personas)
    except ValueError as error:
        raise UnprocessableInput(str(error)) from error


def _steps(run: Run, planned: tuple[PlannedStep, ...], *, start: int, notes: str = "") -> list[Step]:
    return [
        Step(run=run, position=start + offset, kind=step.kind, name=step.name, notes="" if offset else notes)
        for offset, step in enumerate(planned)
    ]


# --- Working on a step


@transaction.atomic
def claim(step_id: UUID | str, *, now: datetime | None = None) -> Step | None:
    """Takes the step for this worker; None when it is not this step's turn or somebody else holds it.

    A step whose holder's lease ran out may be taken over; the attempt number fences the late holder off.
    """
    now = now or timezone.now()
    run, step = _locked(step_id)
    if run.status not in ACTIVE_RUN or run.cursor() != step:
        return None
    held = step.status == StepStatus.RUNNING and step.lease_until is not None and step.lease_until > now
    if held or step.status not in {StepStatus.PENDING, StepStatus.RUNNING}:
        return None
    if _worn_out(run, step):
        money.settle_held(run.spends.filter(step=step, job=None))
        _fail(run, step, f"gave up: {MAX_ATTEMPTS} workers died on this step", actor="sweep")
        return None
    step.attempt += 1
    step.started_at = step.started_at or now
    step.lease_until = now + timedelta(seconds=settings.RUNS.lease_s)
    _move_step(run, step, StepStatus.RUNNING, reason=f"attempt {step.attempt}", actor="worker")
    if run.status != RunStatus.RUNNING:
        _move_run(run, RunStatus.RUNNING, reason=step.name, actor="worker")
    return step


def _worn_out(run: Run, step: Step) -> bool:
    """Whether too many workers died on the step. Those that stopped to ask for money did not."""
    limit = MAX_ATTEMPTS * (step.retries + 1)
    return step.attempt >= limit and step.attempt - _gates_of(run, step) >= limit


def _gates_of(run: Run, step: Step) -> int:
    return run.steps.filter(kind="gate", name=BUDGET.id, output__step=str(step.id)).count()


def heartbeat(step: Step) -> bool:
    """Extends the lease; False when the step was taken over or ended meanwhile."""
    lease_until = timezone.now() + timedelta(seconds=settings.RUNS.lease_s)
    held = Step.objects.filter(id=step.id, attempt=step.attempt, status=StepStatus.RUNNING)
    return bool(held.update(lease_until=lease_until))


def hold(step: Step) -> Run:
    """Locks the run, and the step this worker has claimed, until the caller's transaction ends; returns the run.

    Raises ``Conflict`` when the run has ended meanwhile or another worker has taken the step over.
    """
    run, current = _locked(step.id)
    if not run.active:
        raise Conflict(f"The run has ended: it is {run.status}. Nothing more is ordered.")
    if current.attempt != step.attempt or current.status != StepStatus.RUNNING:
        raise Conflict(f"{step.name} is not this worker's any more: it is {current.status}. Nothing more is ordered.")
    return run


@transaction.atomic
def complete(step: Step, output: dict[str, Any]) -> bool:
    """Ends a claimed step well; False when another worker took it over (its result counts, not ours)."""
    run, current = _locked(step.id)
    if current.attempt != step.attempt or current.status != StepStatus.RUNNING:
        return False
    current.output = output
    _move_step(run, current, StepStatus.SUCCEEDED, reason="", actor="worker")
    _insert_after(run, current)
    if run.cursor() is None:
        _end(run, RunStatus.SUCCEEDED, reason="", actor="worker")
    return True


def _insert_after(run: Run, done: Step) -> None:
    """Puts in the reviewer behind a stage that was not sure, and that stage once more behind the reviewer."""
    earlier = list(run.steps.filter(kind="stage", position__lt=done.position).order_by("-position"))
    name = after_stage(done.name, _confidence(done), [(step.name, _confidence(step)) for step in earlier])
    if name == REVIEWER:
        _insert(run, done, name, unsure=done)
    elif name:
        # What the first try has ordered is not wanted any more.
        _cancel_jobs(run)
        notes = "\n".join(filter(None, [earlier[0].notes, (done.output or {}).get("notes")]))
        _insert(run, done, name, unsure=earlier[0], notes=notes)


def _insert(run: Run, done: Step, name: str, *, unsure: Step, notes: str = "") -> None:
    following = run.steps.filter(position__gt=done.position).first()
    position = _make_room(run, following) if following else done.position + 1
    step = Step.objects.create(run=run, position=position, kind="stage", name=name, notes=notes)
    reason = f"{unsure.name} was sure to {_confidence(unsure):g}"
    note(run, step, name, old="", new=step.status, reason=reason, actor=done.name)
    dispatch.enqueue(run)


def _confidence(step: Step) -> float:
    return float((step.output or {}).get("confidence", 1))


@transaction.atomic
def fail(step: Step, reason: str) -> bool:
    """Ends a claimed step, and with it the run, until a person retries; False when it was taken over."""
    run, current = _locked(step.id)
    if current.attempt != step.attempt or current.status != StepStatus.RUNNING:
        return False
    _fail(run, current, reason, actor="worker")
    return True


def _fail(run: Run, step: Step, reason: str, *, actor: str) -> None:
    step.error = reason
    _move_step(run, step, StepStatus.FAILED, reason=reason, actor=actor)
    _end(run, RunStatus.FAILED, reason=f"{step.name}: {reason}", actor=actor)
    record_artifact(run=run, step=step, type="run.failed", metadata={"step": step.name, "reason": reason})


# --- Parking and opening


@transaction.atomic
def park(step_id: UUID | str) -> bool:
    """Opens a gate for people, or lets a wait begin; False when it is not this step's turn.

    A callback may have come before the park: the wait is checked under the same lock, so neither order loses it.
    """
    run, step = _locked(step_id)
    if run.status not in ACTIVE_RUN or run.cursor() != step or step.status != StepStatus.PENDING:
        return False
    _park(run, step, actor="worker")
    return True


def _park(run: Run, step: Step, *, actor: str) -> None:
    step.started_at = timezone.now()
    if step.kind == "wait":
        step.deadline = step.started_at + timedelta(seconds=getattr(settings.RUNS, f"{step.name}_deadline_s"))
    elif step.kind == "gate":
        step.deadline = deadline_of(step, step.started_at)
    _move_step(run, step, StepStatus.WAITING, reason="", actor=actor)
    _move_run(run, RunStatus.WAITING, reason=f"{step.kind} {step.name}", actor=actor)
    if step.kind == "gate":
        _ask(run, step)
    else:
        _settle(run, step, actor=actor)


def _ask(run: Run, step: Step) -> None:
    """Asks people to decide upon what the gate shows now."""
    shown = digest_of(step)
    record_artifact(run=run, step=step, type="hitl.request", metadata={"gate": step.name, "digest": shown})
    signals.gate_opened.send(Run, run_id=run.id, step_id=step.id)


@transaction.atomic
def settle(run_id: UUID | str) -> bool:
    """Ends the wait the run stands at when all its jobs are done; False when it still has to wait."""
    run = _locked_run(run_id)
    step = run.cursor()
    if step is None or step.kind != "wait":
        return False
    if step.status == StepStatus.FAILED and _came_late(run, step):
        _renew(run, step, actor="provider", reason="the result came after all")
        return True
    return step.status == StepStatus.WAITING and _settle(run, step, actor="provider")


def _came_late(run: Run, step: Step) -> bool:
    """Whether all is there by now that a failed wait has waited for."""
    jobs = list(current_jobs(run, step.name))
    return run.status == RunStatus.FAILED and all(job.status == JobStatus.SUCCEEDED for job in jobs) and bool(jobs)


def _settle(run: Run, step: Step, *, actor: str) -> bool:
    jobs = list(current_jobs(run, step.name))
    if any(job.status in OPEN_JOB for job in jobs):
        return False
    failed = [job for job in jobs if job.status != JobStatus.SUCCEEDED]
    if failed or not jobs:
        _fail(run, step, "; ".join(f"{job.what}: {job.error}" for job in failed) or "nothing was ordered", actor=actor)
        return True
    step.output = {"jobs": len(jobs)}
    _move_step(run, step, StepStatus.SUCCEEDED, reason="", actor=actor)
    advance(run, actor=actor)
    return True


@transaction.atomic
def expire(step_id: UUID | str, *, now: datetime) -> bool:
    """Fails a wait whose deadline has passed; the jobs keep their state, so a late result can still be kept."""
    run, step = _locked(step_id)
    if step.kind != "wait" or step.status != StepStatus.WAITING or step.deadline is None or step.deadline > now:
        return False
    if not _settle(run, step, actor="sweep"):
        _fail(run, step, _late(run, step.name), actor="sweep")
    return True


def _late(run: Run, kind: str) -> str:
    """Why a wait has ended, and what was heard of its orders last."""
    missing = list(current_jobs(run, kind).filter(status__in=OPEN_JOB))
    out = any(job.status != JobStatus.INTENT for job in missing)
    words = LATE.get(kind, LATE_JOB) if out else NOT_TAKEN.get(kind, NOT_TAKEN_JOB)
    heard = sorted({job.error for job in missing if job.error})
    return " Last heard: ".join([words, *heard[:1]])


def current_jobs(run: Run, kind: str) -> Any:
    """The jobs of ``kind`` ordered by the newest stage that ordered any; older ones were revised away."""
    newest = run.jobs.filter(kind=kind).order_by("-step__position").first()
    return run.jobs.filter(kind=kind, step=newest.step if newest else None).order_by("index")


# --- Money


@transaction.atomic
def ask_for_money(step: Step, error: BudgetExceeded) -> bool:
    """Opens a ``budget`` gate before a step that is under way; the step has its turn again after the decision.

    False when the step was taken over or has ended meanwhile.
    """
    run, current = _locked(step.id)
    held = current.attempt == step.attempt and current.status in ACTIVE_STEP
    if not held or run.status not in ACTIVE_RUN:
        return False
    current.started_at, current.lease_until, current.deadline = None, None, None
    _move_step(run, current, StepStatus.PENDING, reason=error.message, actor="worker")
    output = {"step": str(current.id), "asked": error.detail}
    position = _make_room(run, current)
    gate = Step.objects.create(run=run, position=position, kind="gate", name=BUDGET.id, output=output)
    _park(run, gate, actor="worker")
    return True


def _make_room(run: Run, before: Step) -> int:
    """The position of ``before``, free now because it and all that follow have moved on by one."""
    # From the end, one by one: no two may share a position, not even in between.
    for step in run.steps.filter(position__gte=before.position).order_by("-position"):
        Step.objects.filter(id=step.id).update(position=F("position") + 1)
    return before.position


# --- People


@dataclass(frozen=True)
class Decision:
    """What a person decided. ``digest`` is of what they were shown; ``stage`` is where a revision goes back to.

    ``groups`` are those of the user that they have logged in as, if they have.
    """

    verdict: Verdict
    actor: str
    channel: str
    digest: str
    comment: str = ""
    edits: dict[str, Any] | None = None
    stage: str = ""
    groups: frozenset[str] = frozenset()


@transaction.atomic
def decide(step_id: UUID | str, decision: Decision) -> Approval | None:
    """Records the one decision of a gate and moves the run accordingly; None when more people have to approve.

    Raises ``Conflict`` when the gate is not open, was decided already, or shows something else by now, ``Forbidden``
    when the gate's policy leaves it to others, and ``UnprocessableInput`` when what is approved may not be published
    as it is.
    """
    run, step = _open_gate(step_id, decision.digest)
    return _cast(run, step, decision)


def _open_gate(step_id: UUID | str, digest: str) -> tuple[Run, Step]:
    """The run and its gate, locked, if it is open and shows what ``digest`` is of; else ``Conflict``."""
    run, step = _locked(step_id)
    if step.kind != "gate":
        raise NotFound(f"{step.name} is not a gate")
    decided = Approval.objects.filter(step=step).first()
    if decided:
        raise Conflict(
            f"Already decided: {decided.verdict} by {decided.actor} at {decided.created_at:%Y-%m-%d %H:%M} UTC.",
            verdict=decided.verdict,
            actor=decided.actor,
        )
    if step.status != StepStatus.WAITING or run.status not in ACTIVE_RUN:
        raise Conflict(f"This gate is not open: the run is {run.status}.", status=run.status)
    if digest != digest_of(step):
        raise Conflict("What is shown has changed since you opened it. Reload the page and decide again.")
    return run, step


def _cast(run: Run, step: Step, decision: Decision) -> Approval | None:
    """Decides, or counts as one of those who have to approve."""
    require_decider(run, step, decision, now=timezone.now())
    quorum = policy_of(step).quorum
    if decision.verdict != Verdict.APPROVE or quorum == 1:
        return _decide(run, step, decision)
    _write(run, step, decision.edits or {})
    shown = digest_of(step)
    _vote(run, step, decision, shown)
    if len(voters(step)) >= quorum:
        return _decide(run, step, replace(decision, digest=shown))
    if shown != decision.digest:
        _ask(run, step)
    return None


def _write(run: Run, step: Step, edits: dict[str, Any]) -> None:
    """Writes edits into what the gate shows, so that whoever approves next sees them."""
    approved = _approved(run, step, edits)
    if "ideas" in approved:
        step.output = {"ideas": approved["ideas"]}
        step.save(update_fields=["output"])


def _vote(run: Run, step: Step, decision: Decision, shown: str) -> None:
    if decision.actor.casefold() in voters(step):
        raise Conflict("You have approved this already. It waits for somebody else.", actor=decision.actor)
    vote = {"gate": step.name, "actor": decision.actor, "channel": decision.channel, "digest": shown}
    record_artifact(
        run=run,
        step=step,
        type="hitl.vote",
        metadata={**vote, "comment": decision.comment, "edits": decision.edits or {}},
    )
    note(run, step, "vote", old="", new="approve", reason=decision.comment, actor=decision.actor)


def voters(step: Step) -> set[str]:
    """Who has approved what the gate shows now, names in lower case."""
    votes = step.artifacts.filter(type="hitl.vote", metadata__digest=digest_of(step))
    return {str(actor).casefold() for actor in votes.values_list("metadata__actor", flat=True)}


@transaction.atomic
def expire_gate(step_id: UUID | str, *, now: datetime) -> bool:
    """Takes the default decision of a gate whose time is over; False when it is not, or somebody has decided.

    What may not be approved as it is, is rejected.
    """
    run, step = _locked(step_id)
    if step.kind != "gate" or step.status != StepStatus.WAITING or step.deadline is None or step.deadline > now:
        return False
    policy = policy_of(step)
    reason = f"nobody decided within {policy.expires_h:g} hours"
    decision = Decision(Verdict(policy.on_expiry), NOBODY, "expiry", digest_of(step), reason)
    try:
        with transaction.atomic():
            _decide(run, step, decision)
    except UnprocessableInput as error:
        _decide(run, step, replace(decision, verdict=Verdict.REJECT, comment=f"{reason}; {error.message}"))
    return True


def _decide(run: Run, step: Step, decision: Decision) -> Approval:
    approval = Approval.objects.create(
        run=run,
        step=step,
        gate=step.name,
        verdict=decision.verdict,
        comment=decision.comment,
        edits=decision.edits or {},
        digest=decision.digest,
        actor=decision.actor,
        channel=decision.channel,
    )
    record_artifact(
        run=run,
        step=step,
        type="hitl.approval",
        metadata={"gate": step.name, "verdict": decision.verdict, "actor": decision.actor, "comment": decision.comment},
    )
    {Verdict.APPROVE: _approve, Verdict.REJECT: _reject, Verdict.REVISE: _revise}[decision.verdict](run, step, decision)
    return approval


def _approve(run: Run, step: Step, decision: Decision) -> None:
    # What is asked for at a budget gate is by its approval allowed.
    asked = step.output or {} if step.name == BUDGET.id else _approved(run, step, decision.edits or {})
    step.output = {**asked, "verdict": decision.verdict}
    _move_step(run, step, StepStatus.SUCCEEDED, reason=decision.comment or "approved", actor=decision.actor)
    advance(run, actor=decision.actor)


def _approved(run: Run, step: Step, edits: dict[str, Any]) -> dict[str, Any]:
    """What the gate lets through: the digest of the draft that may be published, or the ideas that are filmed."""
    job, ideas = _draft(run, step), _ideas(step)
    if job is not None:
        return {"draft": _approved_draft(run, job, edits)}
    if ideas:
        return {"draft": "", "ideas": _approved_ideas(run, ideas, edits)}
    if edits:
        raise UnprocessableInput(f"At the gate '{step.name}' nothing can be edited. Ask for changes instead.")
    return {"draft": ""}


def _approved_draft(run: Run, job: ProviderJob, edits: dict[str, Any]) -> str:
    """Writes a reviewer's edits into the draft and returns the digest of what may be published."""
    _edit(job, edits)
    _forbid_errors(preflight.report_of(run, job.request))
    return digest(job.request)


def _approved_ideas(run: Run, ideas: list[Idea], edits: dict[str, Any]) -> list[Idea]:
    """The ideas as a reviewer leaves them; the film has one clip for each."""
    kept = edited(ideas, edits.get("ideas", ()))
    if len(kept) != run.payload.specs.video_count:
        specs = run.payload.specs.with_clips(len(kept))
        run.payload = run.payload.model_copy(update={"specs": specs})
        run.save(update_fields=["payload", "updated_at"])
    return kept


def _forbid_errors(report: Report) -> None:
    if report.errors:
        raise UnprocessableInput(
            f"The pre-flight forbids this: {'; '.join(map(str, report.errors))}. Repair the film, change the text, or "
            "send it back.",
            rules=[finding.rule for finding in report.errors],
        )


def _edit(job: ProviderJob, edits: dict[str, Any]) -> None:
    try:
        draft = PublishDraft.model_validate({**job.request, **{key: edits[key] for key in EDITABLE if key in edits}})
    except ValidationError as error:
        raise UnprocessableInput("; ".join(f"{e['loc'][0]}: {e['msg']}" for e in error.errors())) from error
    job.request = draft.model_dump(mode="json")
    job.save(update_fields=["request"])


def _reject(run: Run, step: Step, decision: Decision) -> None:
    reason = decision.comment or "rejected without a reason"
    _move_step(run, step, StepStatus.REJECTED, reason=reason, actor=decision.actor)
    _end(run, RunStatus.REJECTED, reason=reason, actor=decision.actor)


def _revise(run: Run, step: Step, decision: Decision) -> None:
    """Appends fresh steps from the named stage on; finished ones stay as they are, so history stays readable."""
    if step.name == BUDGET.id:
        raise UnprocessableInput("Money is allowed or refused; there is no work here that could be revised.")
    if not decision.comment:
        raise UnprocessableInput("Say what should be different: a revision needs a comment.")
    again = _steps_from(run, step, decision.stage)
    _move_step(run, step, StepStatus.REJECTED, reason=decision.comment, actor=decision.actor)
    for pending in run.steps.filter(status=StepStatus.PENDING):
        _move_step(run, pending, StepStatus.CANCELLED, reason="revised", actor=decision.actor)
    _cancel_jobs(run)
    last = run.steps.aggregate(last=Max("position"))["last"]
    Step.objects.bulk_create(_steps(run, again, start=last + 1, notes=decision.comment))
    advance(run, actor=decision.actor)


def _steps_from(run: Run, gate: Step, stage: str) -> tuple[PlannedStep, ...]:
    """The approved plan from ``stage`` (or the last stage before ``gate``) to its end."""
    steps: tuple[PlannedStep, ...] = run.payload.graph_spec.steps
    at = next(index for index, planned in enumerate(steps) if (planned.kind, planned.name) == ("gate", gate.name))
    stages = [index for index, planned in enumerate(steps[:at]) if planned.kind == "stage"]
    chosen = [index for index in stages if steps[index].name == stage] if stage else stages[-1:]
    if not chosen:
        raise UnprocessableInput(f"No {stage or 'work'} stands before the gate '{gate.name}' that could be revised.")
    return steps[chosen[0] :]


def revise(run_id: UUID | str, stage: str, comment: str, actor: str, *, channel: str = "api") -> Run:
    """Sends the run back to ``stage`` (or, with "", to the last one before its open gate), with what should change.

    Raises ``Conflict`` when no gate is open.
    """
    run = Run.objects.filter(id=run_id).first()
    if run is None:
        raise NotFound(f"There is no run {run_id}.")
    gate = run.steps.filter(kind="gate", status=StepStatus.WAITING).first()
    if gate is None:
        raise Conflict(
            f"No gate is open, so nothing can be revised: the run is {run.status}. A fork can do a step again.",
            status=run.status,
        )
    decide(gate.id, Decision(Verdict.REVISE, actor, channel, digest_of(gate), comment=comment, stage=stage))
    run.refresh_from_db()
    return run


@transaction.atomic
def cancel(run_id: UUID | str, *, actor: str, reason: str = "cancelled") -> Run:
    """Stops a run; late callbacks cannot reopen it. Raises ``Conflict`` when it has already ended."""
    run = _locked_run(run_id)
    if run.status not in ACTIVE_RUN and run.status != RunStatus.FAILED:
        raise Conflict(f"The run has ended already: {run.status}.", status=run.status)
    for step in run.steps.filter(status__in=[StepStatus.PENDING, *ACTIVE_STEP]):
        _move_step(run, step, StepStatus.CANCELLED, reason=reason, actor=actor)
    _cancel_jobs(run)
    record_artifact(run=run, type="run.cancelled", metadata={"actor": actor, "reason": reason})
    _end(run, RunStatus.CANCELLED, reason=reason, actor=actor)
    return run


@transaction.atomic
def retry(run_id: UUID | str, *, actor: str, clip: int | None = None) -> Run:
    """Sends a failed run's failed step to work again. Finished steps and jobs are kept.

    ``clip``, an index from 0, orders that one clip anew and leaves other failed ones as they are.
    Raises ``Conflict`` when nothing failed.
    """
    run = _locked_run(run_id)
    step = run.cursor()
    if clip is not None:
        return _retry_clip(run, step, clip, actor=actor)
    if run.status != RunStatus.FAILED or step is None or step.status != StepStatus.FAILED:
        raise Conflict(f"Nothing failed that could be retried: the run is {run.status}.", status=run.status)
    for job in current_jobs(run, step.name).filter(status=JobStatus.FAILED):
        order_anew(job)
    _renew(run, step, actor=actor, reason="retry")
    return run


def _retry_clip(run: Run, step: Step | None, clip: int, *, actor: str) -> Run:
    job = _failed_clip(run, step, clip)
    order_anew(job)
    note(run, job.step, f"clips {clip}", old=JobStatus.FAILED, new=job.status, reason="retry", actor=actor)
    if step and step.status == StepStatus.FAILED:
        _renew(run, step, actor=actor, reason=f"retry of clip {clip}")
    else:
        dispatch.enqueue_task("jobs.submit", run.id, job.kind)
    return run


def _failed_clip(run: Run, step: Step | None, clip: int) -> ProviderJob:
    """The job of a clip that failed, of a run that stands at its wait for clips."""
    job: ProviderJob | None = current_jobs(run, "clips").filter(index=clip).first()
    if job is None:
        raise NotFound(f"The run has ordered no clip {clip}.")
    if job.status != JobStatus.FAILED:
        raise Conflict(f"Clip {clip} has not failed: it is {job.status}.", status=job.status)
    if run.status not in {*ACTIVE_RUN, RunStatus.FAILED} or step is None or step.name != job.kind:
        raise Conflict(
            f"A clip can be ordered anew while its run waits for clips; this run is {run.status}.", status=run.status
        )
    return job


def _renew(run: Run, step: Step, *, actor: str, reason: str) -> None:
    """Sends a failed step to work again."""
    step.retries += 1
    step.error, step.finished_at, step.started_at, step.lease_until = "", None, None, None
    _move_step(run, step, StepStatus.PENDING, reason=reason, actor=actor)
    _move_run(run, RunStatus.RUNNING, reason=reason, actor=actor)
    run.reason, run.finished_at = "", None
    run.save(update_fields=["reason", "finished_at", "updated_at"])
    dispatch.enqueue(run)


def order_anew(job: ProviderJob) -> None:
    """Makes an intent of a failed job, under a fresh key, in the caller's transaction."""
    renders.cancel([job.reference])
    job.status, job.error, job.external_id = JobStatus.INTENT, "", ""
    job.finished_at = job.poll_at = job.deadline = None
    job.retries += 1
    job.save(update_fields=["status", "error", "external_id", "finished_at", "poll_at", "deadline", "retries"])


@transaction.atomic
def resume(run_id: UUID | str) -> Run:
    """Wakes a run whose wake-up may have been lost; harmless when it was not."""
    run = _locked_run(run_id)
    step = run.cursor()
    if step is not None and step.kind == "wait" and step.status == StepStatus.WAITING:
        _settle(run, step, actor="api")
    dispatch.enqueue(run)
    return run


# --- Repairing what a gate shows
#
# The gate stays open. Its lease_until says that a repair is wanted or under way, attempt fences late workers off, and
# error tells why the last one came to nothing.


@transaction.atomic
def ask_for_repair(step_id: UUID | str, *, digest: str, actor: str, edits: dict[str, Any]) -> None:
    """Wants the film behind a gate mended, or checked if nobody has; ``edits`` are written into its draft at once.

    Raises as :func:`decide`, and ``Conflict`` when there is nothing that could be repaired.
    """
    run, step = _open_gate(step_id, digest)
    job = _draft(run, step)
    if job is None or not preflight.can_mend(preflight.report_of(run, job.request)):
        raise Conflict("There is nothing here that could be repaired. Reload the page.")
    _edit(job, edits)
    if step.repairing:
        return
    # What killed its workers before was another try.
    step.retries += step.attempt > 0
    step.error, step.lease_until = "", timezone.now()
    step.save(update_fields=["retries", "error", "lease_until"])
    note(run, step, "repair", old="", new="wanted", actor=actor)
    dispatch.enqueue_task("media.repair", step.id)


@transaction.atomic
def take_repair(step_id: UUID | str) -> tuple[Step, ProviderJob] | None:
    """Leases a repair that is wanted: the gate and its draft. None when another worker holds it, or it is over."""
    run, step = _locked(step_id)
    now = timezone.now()
    if step.status != StepStatus.WAITING or step.lease_until is None or step.lease_until > now:
        return None
    if step.attempt >= MAX_ATTEMPTS * (step.retries + 1):
        _end_repair(run, step, new="failed", error=f"gave up: {MAX_ATTEMPTS} workers died on it")
        return None
    step.attempt += 1
    step.lease_until = now + timedelta(seconds=settings.RUNS.lease_s)
    step.save(update_fields=["attempt", "lease_until"])
    return step, _draft(run, step)


def keep_repair(step: Step) -> bool:
    """Extends the lease of a repair; False when it was taken over, or the gate was decided meanwhile."""
    held = Step.objects.filter(id=step.id, attempt=step.attempt, status=StepStatus.WAITING, lease_until__isnull=False)
    return bool(held.update(lease_until=timezone.now() + timedelta(seconds=settings.RUNS.lease_s)))


@transaction.atomic
def fail_repair(step: Step, reason: str) -> bool:
    """Ends a repair that came to nothing: everything stays as it was. False when it was taken over or decided."""
    run, current = _locked(step.id)
    if not _holds_repair(step, current):
        return False
    _end_repair(run, current, new="failed", error=reason)
    return True


@dataclass(frozen=True)
class Mended:
    """What came of a repair: the film's ``facts``, and unless it needed nothing its new artifact and the rules."""

    facts: Facts
    film: dict[str, Any] | None = None
    rules: list[str] = field(default_factory=list)


@transaction.atomic
def complete_repair(step: Step, mended: Mended) -> bool:
    """Puts the mended film into the draft, and asks people anew.

    False when the repair was taken over, or the gate was decided meanwhile: what was decided upon is what counts.
    """
    run, current = _locked(step.id)
    if not _holds_repair(step, current):
        return False
    job = _draft(run, current)
    if mended.film:
        record_artifact(run=run, **mended.film)
        job.request = {**job.request, "film": mended.film["checksum"]}
        job.save(update_fields=["request"])
    report = preflight.report_of(run, job.request, mended.facts)
    record_artifact(run=run, step=job.step, **preflight.paper(job.request["film"], mended.facts, report))
    _end_repair(run, current, new="done", reason=", ".join(mended.rules))
    return True


def _holds_repair(step: Step, current: Step) -> bool:
    return current.attempt == step.attempt and current.status == StepStatus.WAITING and current.lease_until is not None


def _end_repair(run: Run, step: Step, *, new: str, reason: str = "", error: str = "") -> None:
    step.lease_until, step.error = None, error
    step.save(update_fields=["lease_until", "error"])
    note(run, step, "repair", old="wanted", new=new, reason=reason or error)
    asked = run.artifacts.filter(type="hitl.request", step=step).last()
    if asked is None or asked.metadata["digest"] != digest_of(step):
        _ask(run, step)


# --- What a gate shows


def shown_at(step: Step) -> dict[str, Any]:
    """Exactly what a person decides upon at this gate: money, the plan, the ideas, or the film with its draft."""
    run = step.run
    shown: dict[str, Any] = {"run": str(run.id), "gate": step.name, "brief": run.payload.input.brief}
    if step.name == BUDGET.id:
        return {**shown, "money": (step.output or {})["asked"]}
    draft = _draft(run, step)
    ideas = _ideas(step)
    if draft:
        return {**shown, "draft": draft.request, "film": draft.request.get("film", "")}
    if ideas:
        return {**shown, "ideas": ideas}
    return {
        **shown,
        "plan": _plan_shown(run.payload.graph_spec),
        "specs": run.payload.specs.model_dump(mode="json", by_alias=True),
        "options": run.payload.options.model_dump(mode="json"),
    }


def _plan_shown(graph: GraphSpec) -> dict[str, Any]:
    # Of a plan without requirements the digest is what it was before there were any.
    return graph.model_dump(mode="json", exclude=None if graph.requirements.said else {"requirements"})


def digest_of(step: Step) -> str:
    """The digest of :func:`shown_at`."""
    return digest(shown_at(step))


def digest(value: object) -> str:
    """SHA-256 of ``value`` as canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _draft(run: Run, step: Step) -> Any:
    """The publish that a gate decides upon; None when it was revised away and its stage has not come again."""
    orders = run.jobs.filter(kind="publish", step__position__lt=step.position)
    job = orders.select_related("step").order_by("-step__position").first()
    if job is None or job.status != JobStatus.CANCELLED:
        return job
    redone = run.steps.filter(kind="stage", status=StepStatus.SUCCEEDED, position__lt=step.position)
    return None if redone.filter(position__gt=job.step.position).exists() else job


def _ideas(step: Step) -> list[Idea]:
    """The ideas that a gate decides upon, as the first of several approvers left them; empty before there are any."""
    edited_here = (step.output or {}).get("ideas")
    if step.status == StepStatus.WAITING and edited_here:
        return list(edited_here)
    ideas: list[Idea] = handed_over(step.run.steps.filter(position__lt=step.position)).get("iggy", {}).get("ideas", [])
    return ideas


# --- Evidence


def record_artifact(
    *,
    run: Run,
    type: str,  # noqa: A002  (the column's name in the architecture)
    step: Step | None = None,
    url: str = "",
    path: str = "",
    checksum: str = "",
    metadata: dict[str, Any] | None = None,
) -> Artifact:
    """Appends one artifact."""
    return Artifact.objects.create(
        run=run, step=step, type=type, url=url, path=path, checksum=checksum, metadata=metadata or {}
    )


@transaction.atomic
def project_result(run_id: UUID | str) -> None:
    """Rebuilds ``runs.result`` from the rows."""
    run = _locked_run(run_id)
    run.result = _result(run)
    run.save(update_fields=["result", "updated_at"])


_RESULT_WORDS = {
    ("stage", "iggy"): "ideating",
    ("stage", "riley"): "generating",
    ("wait", "clips"): "generating",
    ("stage", "alex"): "editing",
    ("wait", "render"): "editing",
    ("stage", "quinn"): "publishing",
    ("wait", "publish"): "publishing",
}


def _result(run: Run) -> RunResult:
    urls = run.artifacts.filter(type="publish.url").values_list("url", flat=True)
    files = run.artifacts.exclude(path="").values("type", "path", "checksum")
    return RunResult(
        status=_result_status(run, published=bool(urls)),
        publish_urls=tuple(urls),
        artifacts=tuple({**row, "url": f"{settings.PUBLIC_BASE_URL}/media/{row['path']}"} for row in files),
        extra={"jobs": {f"{job.kind}.{job.index}": job.external_id for job in run.jobs.exclude(external_id="")}},
    )


def _result_status(run: Run, *, published: bool) -> str:
    if run.status == RunStatus.SUCCEEDED:
        return "published" if published else "completed"
    step = run.cursor() if run.status in ACTIVE_RUN else None
    if step is None:
        return str(run.status)
    return "awaiting_approval" if step.kind == "gate" else _RESULT_WORDS.get((step.kind, step.name), str(run.status))


# --- Moves


def _locked_run(run_id: UUID | str) -> Run:
    run = Run.objects.select_for_update(no_key=True).filter(id=run_id).first()
    if run is None:
        raise NotFound(f"There is no run {run_id}.")
    return run


def _locked(step_id: UUID | str) -> tuple[Run, Step]:
    """The step's run and the step, locked in that order."""
    run_id = Step.objects.filter(id=step_id).values_list("run_id", flat=True).first()
    if run_id is None:
        raise NotFound(f"There is no step {step_id}.")
    run = _locked_run(run_id)
    step = Step.objects.select_for_update(no_key=True).get(id=step_id)
    step.run = run
    return run, step


def advance(run: Run, *, actor: str) -> None:
    """Moves on to the first step that is not done: opens a gate at once, enqueues work, or ends the run.

    In the caller's transaction.
    """
    step = run.cursor()
    if step is None:
        _end(run, RunStatus.SUCCEEDED, reason="", actor=actor)
    elif step.kind == "gate":
        step.run = run
        _park(run, step, actor=actor)
    else:
        if run.status != RunStatus.RUNNING:
            _move_run(run, RunStatus.RUNNING, reason=step.name, actor=actor)
        dispatch.enqueue(run)


def _move_step(run: Run, step: Step, new: StepStatus, *, reason: str, actor: str) -> None:
    old = StepStatus(step.status)
    if new not in STEP_TRANSITIONS[old]:
        raise Conflict(f"{step.name} cannot go from {old} to {new}.")
    step.status = new
    if new not in {StepStatus.PENDING, *ACTIVE_STEP}:
        step.finished_at, step.lease_until = timezone.now(), None
    step.save()
    if step.kind == "gate" and old == StepStatus.WAITING:
        signals.gate_closed.send(Run, run_id=run.id, step_id=step.id)
    note(run, step, step.name, old=old, new=new, reason=reason, actor=actor)


def _move_run(run: Run, new: RunStatus, *, reason: str, actor: str) -> None:
    old = RunStatus(run.status)
    if new not in RUN_TRANSITIONS[old]:
        raise Conflict(f"A run cannot go from {old} to {new}.")
    run.status = new
    run.result = _result(run)
    run.save(update_fields=["status", "result", "updated_at"])
    note(run, None, "run", old=old, new=new, reason=reason, actor=actor)


def _end(run: Run, new: RunStatus, *, reason: str, actor: str) -> None:
    run.reason, run.finished_at = reason, timezone.now()
    run.save(update_fields=["reason", "finished_at"])
    _move_run(run, new, reason=reason, actor=actor)
    signals.run_ended.send(Run, run_id=run.id)


def _cancel_jobs(run: Run) -> None:
    money.settle_held(run.spends.all())
    open_jobs = run.jobs.filter(status__in=before(JobStatus.CANCELLED))
    # Of the providers only our own renderer can be told.
    renders.cancel(job.reference for job in open_jobs.filter(kind="render"))
    open_jobs.update(status=JobStatus.CANCELLED, finished_at=timezone.now())


def note(
    run: Run, step: Step | None, subject: str, *, old: str, new: str, reason: str = "", actor: str = "worker"
) -> None:
    """Appends one line to the run's history, in the caller's transaction."""
    log.info("%s: %s -> %s", subject, old or "-", new, extra={"runId": str(run.id), "actor": actor, "reason": reason})
    RunEvent.objects.create(run=run, step=step, subject=subject, old=old, new=new, reason=reason, actor=actor)
