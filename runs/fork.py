"""A new run that begins with the finished work of another and does the rest again.

Whatever the old run has ordered outside is reused, ordered again, or forbidden: no fork publishes a film twice.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from django.db import transaction

from myloware.kernel.errors import Conflict, NotFound

from . import family, services
from .models import Approval, Artifact, ProviderJob, Run, Step
from .states import JobStatus, StepStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

# What a finished stage hands on. The papers of a call that was made (kieai.job, publish.url ...) stay with their run.
HANDED_ON = (
    "idea",
    "script",
    "prompt",
    "retrieval.trace",
    "citations",
    "kieai.clip",
    "poster",
    "render.url",
    "ffmpeg.normalized",
    "sound.design",
    "publish.draft",
    "preflight.report",
)


class Fate(StrEnum):
    REUSE = "reuse"
    REDO = "redo"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True)
class Effect:
    """What becomes of one order of the old run. ``cost_microusd`` is what a redo may cost; None: nobody knows."""

    kind: str
    index: int
    provider: str
    fate: Fate
    cost_microusd: int | None
    reason: str

    def __str__(self) -> str:
        return f"{self.kind} {self.index}" if self.kind == "clips" else self.kind


class Past:
    """What a run has finished by now. Of a step that was revised the newest pass counts."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.plan = run.payload.graph_spec.steps
        self.newest = {(step.kind, step.name): step for step in run.steps.order_by("position")}

    @cached_property
    def jobs(self) -> list[ProviderJob]:
        """The orders that count, in the order of the plan."""
        waits = [step.name for step in self.plan if step.kind == "wait"]
        return [job for wait in waits for job in services.current_jobs(self.run, wait).select_related("step")]

    def at(self, name: str) -> int:
        """Where ``name`` stands in the plan. Raises ``NotFound``, and ``Conflict`` when work before it is not done."""
        names = [step.name for step in self.plan]
        if name not in names:
            raise NotFound(f"The run has no step '{name}'. It has: {', '.join(names)}.")
        at = names.index(name)
        undone = next((step for step in self.rows(at) if step.status != StepStatus.SUCCEEDED), None)
        if undone:
            raise Conflict(f"'{undone.name}' before it is {undone.status}. Fork from '{undone.name}' or earlier.")
        return at

    def rows(self, at: int) -> list[Step]:
        """The newest pass through the steps before ``at``."""
        return [self.newest[step.kind, step.name] for step in self.plan[:at]]

    def keeps_order(self, job: ProviderJob, at: int) -> bool:
        """Whether the stage that placed the order stands before ``at``, so that a fork does not place it anew."""
        return any((step.kind, step.name) == (job.step.kind, job.step.name) for step in self.plan[:at])

    def reuses(self, job: ProviderJob, at: int) -> bool:
        return job.kind != "publish" and job.status == JobStatus.SUCCEEDED and self.keeps_order(job, at)

    def publication(self, at: int) -> ProviderJob | None:
        """The publish that is out of the very film which a fork at ``at`` would publish."""
        render = next((job for job in self.jobs if job.kind == "render" and self.reuses(job, at)), None)
        return family.publications(render).first() if render else None

    def effects(self, at: int) -> list[Effect]:
        out = self.publication(at)
        coming = [self._effect(job, at) for job in self.jobs if not (out and job.kind == "publish")]
        return [*coming, self._forbidden(out)] if out else coming

    def _effect(self, job: ProviderJob, at: int) -> Effect:
        if self.reuses(job, at):
            return _effect_of(job, Fate.REUSE, 0, "")
        if not self.keeps_order(job, at):
            verb = "drafts" if job.kind == "publish" else "orders"
            return _effect_of(job, Fate.REDO, _cost(job), f"{job.step.name} {verb} it anew")
        reason = "sent with the draft that is there" if job.kind == "publish" else f"not finished there: {job.status}"
        return _effect_of(job, Fate.REDO, _cost(job), reason)

    def _forbidden(self, out: ProviderJob) -> Effect:
        editor = next(job.step.name for job in self.jobs if job.kind == "render")
        return _effect_of(out, Fate.FORBIDDEN, 0, f"{family.told(out)}. Fork from '{editor}' or earlier for a new film")


def _effect_of(job: ProviderJob, fate: Fate, cost_microusd: int | None, reason: str) -> Effect:
    return Effect(job.kind, job.index, job.provider, fate, cost_microusd, reason)


def _cost(job: ProviderJob) -> int | None:
    """What the order cost, here or where it was copied from; else what the newest of its kind cost."""
    cost: int | None = family.origin(job)["cost_microusd"]
    return _usual_cost(job) if cost is None else cost


def _usual_cost(job: ProviderJob) -> int | None:
    billed = ProviderJob.objects.filter(
        kind=job.kind, provider=job.provider, submitted_at__isnull=False, cost_microusd__isnull=False
    )
    return billed.exclude(external_id="").order_by("-created_at").values_list("cost_microusd", flat=True).first()


# --- What people ask


def preview(run: Run, step_name: str) -> list[Effect]:
    """What a fork from ``step_name`` would do outside, changing nothing.

    Raises ``NotFound`` for a step the run does not have, ``Conflict`` when work before it is not finished.
    """
    past = Past(run)
    return past.effects(past.at(step_name))


def total_microusd(effects: Iterable[Effect]) -> int | None:
    """What all of it may cost; None when the cost of a part is not known."""
    costs = [effect.cost_microusd for effect in effects]
    return None if None in costs else sum(cost for cost in costs if cost is not None)


def forbidden(effects: Iterable[Effect]) -> str:
    """Why the fork cannot be; empty when it can."""
    return next((effect.reason for effect in effects if effect.fate == Fate.FORBIDDEN), "")


@dataclass(frozen=True)
class Start:
    """A step that a fork may begin with: its newest row, what would happen outside, and why not, if it may not."""

    step: Step
    effects: tuple[Effect, ...]
    refusal: str


def starts(run: Run) -> list[Start]:
    """Every step of the plan as the start of a fork."""
    past = Past(run)
    return [_start(past, step) for step in past.rows(len(past.plan))]


def _start(past: Past, step: Step) -> Start:
    try:
        effects = past.effects(past.at(step.name))
    except Conflict as error:
        return Start(step, (), error.message)
    return Start(step, tuple(effects), forbidden(effects))


@transaction.atomic
def fork(run: Run, step_name: str, actor: str) -> Run:
    """A new run that stands at ``step_name``, with everything before it as ``run`` has finished it.

    ``run`` goes on, or stays as it ended. Raises like :func:`preview`, and ``Conflict`` when the new run would publish
    a film that is out already.
    """
    past = Past(Run.objects.select_for_update(no_key=True).get(id=run.id))
    at = past.at(step_name)
    effects = past.effects(at)
    if reason := forbidden(effects):
        raise Conflict(f"{reason[0].upper()}{reason[1:]}.")
    new = Run.objects.create(project=run.project, payload=run.payload, user_id=run.user_id, forked_from=run)
    _say(run, new, step_name, effects, actor)
    _copy(past, new, at, actor)
    services.advance(new, actor=actor)
    return new


def _say(run: Run, new: Run, step_name: str, effects: list[Effect], actor: str) -> None:
    reason = f"forked from run {run.id} at {step_name}"
    services.note(new, None, "run", old="", new=new.status, reason=reason, actor=actor)
    services.note(run, None, "fork", old="", new="started", reason=f"run {new.id}, at {step_name}", actor=actor)
    evidence = {"run": str(run.id), "step": step_name, "actor": actor, "effects": [asdict(each) for each in effects]}
    services.record_artifact(run=new, type="run.fork", metadata=evidence)


# --- The copy


def _copy(past: Past, new: Run, at: int, actor: str) -> None:
    done = past.rows(at)
    steps = Step.objects.bulk_create(_steps(past, new, at))
    twins = {(step.kind, step.name): step for step in steps[:at]}
    orders = [job for job in past.jobs if past.keeps_order(job, at)]
    ProviderJob.objects.bulk_create([_job(job, new, twins[job.step.kind, job.step.name]) for job in orders])
    # A revised stage may have left its orders to an earlier pass: what those brought belongs to the same twin.
    sources = [*done, *(job.step for job in orders)]
    _copy_papers(past.run, new, {step.id: twins[step.kind, step.name] for step in sources})
    for step in steps[:at]:
        services.note(new, step, step.name, old="", new=step.status, reason=f"from run {past.run.id}", actor=actor)


def _steps(past: Past, new: Run, at: int) -> list[Step]:
    finished = ("status", "output", "attempt", "started_at", "finished_at")
    rows = past.rows(len(past.plan))
    return [
        Step(
            run=new,
            position=position,
            kind=row.kind,
            name=row.name,
            notes=row.notes,
            **{name: getattr(row, name) for name in finished if position < at},
        )
        for position, row in enumerate(rows)
    ]


def _job(job: ProviderJob, new: Run, step: Step) -> ProviderJob:
    """The order in the new run: done, and paid for by the old one, or still to be sent."""
    kept = job.kind != "publish" and job.status == JobStatus.SUCCEEDED
    return ProviderJob(
        run=new,
        step=step,
        kind=job.kind,
        index=job.index,
        provider=job.provider,
        status=JobStatus.SUCCEEDED if kept else JobStatus.INTENT,
        request=job.request,
        report={"forked_from": family.origin(job)},
        cost_microusd=0 if kept else None,
        submitted_at=job.submitted_at if kept else None,
        finished_at=job.finished_at if kept else None,
    )


def _copy_papers(run: Run, new: Run, sources: Mapping[UUID | None, Step]) -> None:
    """Copies what the stages handed on, by the same media paths, and the decisions behind them."""
    papers = run.artifacts.filter(step__in=sources, type__in=HANDED_ON).order_by("created_at")
    Artifact.objects.bulk_create([_artifact(paper, new, sources[paper.step_id]) for paper in papers])
    decisions = run.approvals.filter(step__in=sources).order_by("created_at")
    Approval.objects.bulk_create([_approval(decision, new, sources[decision.step_id]) for decision in decisions])


def _artifact(paper: Artifact, new: Run, step: Step) -> Artifact:
    return Artifact(
        run=new,
        step=step,
        type=paper.type,
        url=paper.url,
        path=paper.path,
        checksum=paper.checksum,
        metadata=paper.metadata | {"forked_from": str(paper.run_id)},
    )


def _approval(decision: Approval, new: Run, step: Step) -> Approval:
    """Who decided what the new run takes over; ``channel`` says that it was not decided here."""
    return Approval(
        run=new,
        step=step,
        gate=decision.gate,
        verdict=decision.verdict,
        comment=decision.comment,
        edits=decision.edits,
        digest=decision.digest,
        actor=decision.actor,
        channel="fork",
    )
