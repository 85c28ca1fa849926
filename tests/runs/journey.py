"""Takes a run along its way by hand: real services, real adapters, the mock providers, no worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from personas.ports import ClipRequest, PublishRequest, RenderRequest
from runs import jobs, services
from runs.ports import Desk
from runs.services import Decision
from runs.states import Verdict

if TYPE_CHECKING:
    from runs.models import Run, Step

IDEAS = {"ideas": [{"index": i, "subject": name, "header": name} for i, name in enumerate(["moon", "sun"])]}


def stage(run: Run, name: str) -> Step:
    cursor = run.cursor()
    assert cursor is not None
    assert cursor.name == name
    step = services.claim(cursor.id)
    assert step is not None
    return step


def approve(run: Run, **values: Any) -> None:
    step = run.cursor()
    assert step is not None
    decision = Decision(Verdict.APPROVE, actor="bob", channel="page", digest=services.digest_of(step), **values)
    services.decide(step.id, decision)


def park(run: Run) -> None:
    step = run.cursor()
    assert step is not None
    services.park(step.id)


def ask_all(run: Run) -> None:
    for job in run.jobs.all():
        jobs.refresh(job.id)
    services.settle(run.id)


def videos() -> list[ClipRequest]:
    return [
        ClipRequest(index=i, prompt=f"a glowing {name} over a quiet sea at night")
        for i, name in enumerate(["moon", "sun"])
    ]


def to_clips(run: Run) -> Desk:
    approve(run)
    services.complete(stage(run, "iggy"), IDEAS)
    desk = Desk(stage(run, "riley"))
    desk.submit_clips("call-1", videos())
    return desk


def to_film(run: Run) -> None:
    desk = to_clips(run)
    services.complete(desk.step, {})
    park(run)
    ask_all(run)
    alex = stage(run, "alex")
    Desk(alex).render("call-2", RenderRequest())
    services.complete(alex, {})
    park(run)
    ask_all(run)


def to_draft(run: Run) -> Step:
    to_film(run)
    quinn = stage(run, "quinn")
    Desk(quinn).draft_publish("call-3", PublishRequest(title="Moon", caption="The moon is hungry.", tags=("moon",)))
    services.complete(quinn, {})
    park(run)
    gate = run.cursor()
    assert gate is not None
    assert gate.name == "prepublish"
    return gate
