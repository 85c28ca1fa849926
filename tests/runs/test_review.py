"""What becomes of work that its author was not sure of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from personas.ports import PublishRequest
from runs import crew, services
from runs.ports import Desk
from runs.states import after_stage

from .journey import IDEAS, approve, ask_all, go, park, stage, to_film, videos, work

if TYPE_CHECKING:
    from runs.models import Run

    from .conftest import MakeRun

NOTES = {"summary": "Too vague to film.", "notes": "Name the material.", "confidence": 0.9}


def unsure(confidence: float) -> dict[str, Any]:
    return {**IDEAS, "confidence": confidence}


def plan(run: Run) -> list[str]:
    return list(run.steps.values_list("name", flat=True))


def after_ideas(run: Run, confidence: float) -> list[str]:
    """The steps from Iggy up to Riley, when Iggy was so sure, and all reviewers have read."""
    approve(run)
    services.complete(stage(run, "iggy"), unsure(confidence))
    while (step := run.cursor()) and step.name in {"iggy", "reviewer"}:
        services.complete(stage(run, step.name), NOTES if step.name == "reviewer" else unsure(0.9))
    return plan(run)[1 : plan(run).index("riley")]


@pytest.mark.parametrize(
    ("confidence", "steps"),
    [
        (0.65, ["iggy"]),
        (0.64, ["iggy", "reviewer"]),
        (0.50, ["iggy", "reviewer"]),
        (0.49, ["iggy", "reviewer", "iggy"]),
    ],
)
def test_confidence_decides_who_reads_and_what_comes_again(run: Run, confidence: float, steps: list[str]) -> None:
    approved = run.payload.graph_spec
    assert after_ideas(run, confidence) == steps
    run.refresh_from_db()
    assert run.payload.graph_spec == approved


def test_a_rework_is_told_what_the_reviewer_wrote_and_both_are_in_the_history(run: Run) -> None:
    after_ideas(run, 0.49)
    again = run.steps.filter(name="iggy").last()
    assert again is not None
    assert crew.brief_of(again).notes == "Name the material."
    told = run.events.filter(new="pending", actor__in=["iggy", "reviewer"]).values_list("subject", "reason")
    assert list(told) == [("reviewer", "iggy was sure to 0.49"), ("iggy", "iggy was sure to 0.49")]


def test_reworks_are_bounded(run: Run) -> None:
    approve(run)
    while (step := run.cursor()) and step.name != "riley":
        services.complete(stage(run, step.name), NOTES if step.name == "reviewer" else unsure(0.1))
    assert plan(run)[1:-7] == ["iggy", "reviewer", "iggy", "reviewer", "iggy", "reviewer"]


def test_a_revision_by_a_person_may_be_reworked_again() -> None:
    before = [("iggy", 0.1), ("alex", 1.0), ("iggy", 0.1), ("reviewer", 1.0), ("iggy", 0.1), ("iggy", 0.1)]
    assert after_stage("reviewer", 0.9, before) == "iggy"


def test_the_reviewer_reads_the_work_and_nobody_reviews_the_reviewer(agent_run: Run) -> None:
    approve(agent_run)
    services.complete(stage(agent_run, "iggy"), unsure(0.6))
    reviewer = agent_run.cursor()
    assert reviewer is not None
    assert crew.brief_of(reviewer).materials == {"work": {"persona": "iggy", "output": unsure(0.6)}}
    assert work(agent_run, "reviewer") == "done"
    assert plan(agent_run).count("reviewer") == 1
    assert (agent_run.steps.get(name="reviewer").output or {})["notes"]


def test_clips_of_a_reworked_stage_are_not_waited_for(run: Run) -> None:
    approve(run)
    services.complete(stage(run, "iggy"), IDEAS)
    for confidence in (0.4, 0.9):
        desk = Desk(stage(run, "riley"))
        desk.submit_clips("call", videos())
        services.complete(desk.step, {"confidence": confidence})
        if confidence < 0.5:
            services.complete(stage(run, "reviewer"), NOTES)
    assert (
        sorted(run.jobs.filter(kind="clips").values_list("status", flat=True)) == ["cancelled"] * 2 + ["submitted"] * 2
    )
    park(run)
    ask_all(run)
    assert run.steps.get(name="clips").status == "succeeded"


def test_a_draft_that_comes_again_is_the_one_that_is_shown(run: Run) -> None:
    to_film(run)
    for caption, confidence in (("First.", 0.4), ("Second.", 0.9)):
        desk = Desk(stage(run, "quinn"))
        desk.draft_publish("call", PublishRequest(caption=caption))
        services.complete(desk.step, {"confidence": confidence})
        if confidence < 0.5:
            services.complete(stage(run, "reviewer"), NOTES)
    go(run, "prepublish")
    park(run)
    gate = run.cursor()
    assert gate is not None
    assert services.shown_at(gate)["draft"]["caption"] == "Second."


def test_a_film_of_a_reviewed_run_is_published(make_run: MakeRun) -> None:
    run = make_run()
    assert after_ideas(run, 0.6) == ["iggy", "reviewer"]
    go(run)
    assert run.status == "succeeded"
