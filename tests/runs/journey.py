"""Takes a run along its way by hand: real services, real adapters, the mock providers, no worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from personas.ports import ClipRequest, PublishRequest, RenderRequest
from runs import jobs, services, tasks
from runs.ports import Desk
from runs.schemas import Resolution
from runs.services import Decision
from runs.states import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from runs.models import ProviderJob, Run, Step

    # What a stage does at its desk for so many clips; its output.
    Work = Callable[[Desk, int], dict[str, Any] | None]

IDEAS = {"ideas": [{"index": i, "subject": name, "header": name} for i, name in enumerate(["moon", "sun"])]}


def stage(run: Run, name: str) -> Step:
    cursor = run.cursor()
    assert cursor is not None
    assert cursor.name == name
    step = services.claim(cursor.id)
    assert step is not None
    return step


def work(run: Run, name: str) -> str:
    """Lets a worker do the stage: the real agent, offline."""
    step = run.cursor()
    assert step is not None
    assert step.name == name
    return str(tasks._stage(str(run.id), str(step.id)))


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


def small(run: Run) -> None:
    """Lets its film be tiny."""
    specs = run.payload.specs.model_copy(update={"resolution": Resolution(width=90, height=160, fps=30)})
    run.payload = run.payload.model_copy(update={"specs": specs})
    run.save(update_fields=["payload"])


def to_render(run: Run) -> ProviderJob:
    """To the wait for the render."""
    desk = to_clips(run)
    services.complete(desk.step, {})
    park(run)
    ask_all(run)
    alex = stage(run, "alex")
    Desk(alex).render("call-2", RenderRequest())
    services.complete(alex, {})
    park(run)
    job: ProviderJob = run.jobs.get(kind="render")
    return job


def to_film(run: Run) -> None:
    to_render(run)
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


def go(run: Run, until: str = "", *, crew: Callable[[Run, Step], None] | None = None) -> None:
    """Takes a run of any project from where it stands to its step ``until``, or to its end.

    ``crew`` does the stages; :func:`play` when absent.
    """
    run.refresh_from_db()
    while run.active and (step := run.cursor()) and step.name != until:
        {"gate": _pass_gate, "stage": crew or play, "wait": _wait}[step.kind](run, step)
        run.refresh_from_db()


def _pass_gate(run: Run, step: Step) -> None:
    services.park(step.id)
    approve(run)


def play(run: Run, step: Step, instead: Work | None = None) -> None:
    """Does the stage at which the run stands, without its agent."""
    claimed = stage(run, step.name)
    output = (instead or _WORK[step.name])(Desk(claimed), run.project.spec.specs.video_count)
    services.complete(claimed, output or {})


def _wait(run: Run, step: Step) -> None:
    services.park(step.id)
    for _ in run.jobs.filter(kind=step.name):
        jobs.submit_ready(run.id, step.name)
        ask_all(run)


def _ideas(desk: Desk, count: int) -> dict[str, Any]:
    return {"ideas": [{"index": i, "subject": "candle", "header": f"velvet {i}"} for i in range(count)]}


def _clips(desk: Desk, count: int) -> None:
    prompt = "a glowing candle over a quiet sea at night, take"
    desk.submit_clips("call-1", [ClipRequest(index=i, prompt=f"{prompt} {i}") for i in range(count)])


def _render(desk: Desk, count: int) -> None:
    desk.render("call-2", RenderRequest())


def _draft(desk: Desk, count: int) -> None:
    desk.draft_publish("call-3", PublishRequest(title="Moon", caption="The moon is hungry.", tags=("moon",)))


_WORK: dict[str, Work] = {
    "iggy": _ideas,
    "riley": _clips,
    "alex": _render,
    "quinn": _draft,
}
