"""The tables of runs/states.py, over their full matrix."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runs.schemas import PlannedStep, ProjectSpec, RunInput
from runs.states import (
    ACTIVE_RUN,
    ACTIVE_STEP,
    RUN_TRANSITIONS,
    STEP_TRANSITIONS,
    RunStatus,
    StepStatus,
    plan,
    segment,
)

PROJECTS = Path(__file__).parents[2] / "fixtures" / "projects"


def spec(slug: str) -> ProjectSpec:
    return ProjectSpec.model_validate(json.loads((PROJECTS / f"{slug}.json").read_text()))


def names(*steps: str) -> list[PlannedStep]:
    return [PlannedStep(kind=kind, name=name) for kind, name in (step.split() for step in steps)]


def test_it_plans_the_test_project_as_designed() -> None:
    assert list(plan(spec("test_video_gen")).steps) == names(
        "gate workflow",
        "stage iggy",
        "stage riley",
        "wait clips",
        "stage alex",
        "wait render",
        "stage quinn",
        "gate prepublish",
        "wait publish",
    )


def test_it_plans_aismr_with_a_gate_for_the_ideas() -> None:
    graph = plan(spec("aismr"))
    assert graph.pipeline == ("iggy", "riley", "alex", "quinn")
    assert graph.hitl_gates == ("workflow", "ideate", "prepublish")
    assert [step.name for step in graph.steps][:4] == ["workflow", "iggy", "ideate", "riley"]


def test_an_optional_persona_stands_before_the_last_one() -> None:
    assert list(plan(spec("aismr"), optional=["morgan"]).steps)[-6:] == names(
        "stage alex", "wait render", "stage morgan", "stage quinn", "gate prepublish", "wait publish"
    )


def test_a_gate_stays_when_its_persona_is_skipped() -> None:
    assert "workflow" in plan(spec("test_video_gen"), skip=["iggy"]).hitl_gates


@pytest.mark.parametrize(
    ("skip", "reason"),
    [
        (["alex"], "without render there is nothing to publish"),
        (["riley"], "without clips there is nothing to render"),
        (["zoe"], "no step named zoe"),
        (["iggy", "riley", "alex", "quinn"], "every step is skipped"),
    ],
)
def test_a_plan_that_cannot_make_a_film_is_refused(skip: list[str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        plan(spec("test_video_gen"), skip=skip)


@pytest.mark.parametrize(
    ("kinds", "length"),
    [
        (["stage", "stage", "wait", "stage"], 3),
        (["gate", "stage"], 1),
        (["wait"], 1),
        (["stage", "stage"], 2),
        ([], 0),
    ],
)
def test_a_segment_ends_with_the_next_park(kinds: list[str], length: int) -> None:
    assert segment(kinds) == length


@pytest.mark.parametrize("status", RunStatus)
def test_a_run_that_ended_well_or_was_stopped_never_moves_again(status: RunStatus) -> None:
    reopenable = status in ACTIVE_RUN or status == RunStatus.FAILED
    assert bool(RUN_TRANSITIONS[status]) == reopenable


@pytest.mark.parametrize("status", StepStatus)
def test_only_a_step_that_failed_or_is_under_way_goes_back_to_pending(status: StepStatus) -> None:
    again = {StepStatus.FAILED, *ACTIVE_STEP}
    assert (StepStatus.PENDING in STEP_TRANSITIONS[status]) == (status in again)


def test_the_brief_is_the_first_present_of_its_fields() -> None:
    assert RunInput(topic="rain", object="candle").brief == "rain"
    assert RunInput(title="A title", prompt="a prompt").brief == "a prompt"


@pytest.mark.parametrize(
    "empty", [{}, {"prompt": "  "}, {"modifiers": ["melting"]}, {"prompt": "ab"}, {"topic": "x" * 201}]
)
def test_an_empty_or_oversized_brief_is_refused(empty: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"at least|at most"):
        RunInput.model_validate(empty)
