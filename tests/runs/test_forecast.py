"""What a plan is said to cost, and what it comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hitl.pages import estimate
from runs.forecast import forecast

from . import journey

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings

    from runs.models import Run

    from .conftest import MakeRun

CLIP = 300_000


def by_name(run: Run) -> dict[str, int]:
    return {planned.name: microusd for planned, microusd in forecast(run)}


def held(run: Run, kind: str) -> int:
    return sum(run.spends.filter(job__kind=kind).values_list("reserved_microusd", flat=True))


def test_what_is_held_for_the_orders_is_what_the_plan_said(run: Run) -> None:
    said = by_name(run)
    journey.to_film(run)
    assert held(run, "clips") == said["clips"]
    # The simulator's clips are shorter than they were ordered.
    assert 0 < held(run, "render") <= said["render"]


def test_clips_cost_what_their_number_and_model_do(make_run: MakeRun) -> None:
    assert by_name(make_run("aismr"))["clips"] == 12 * CLIP
    assert by_name(make_run(model="veo-3"))["clips"] > 2 * CLIP
    assert by_name(make_run())["publish"] == 0


def test_a_vendors_model_is_told_by_the_name_of_whom_it_plays(run: Run, settings: Settings) -> None:
    settings.CREW = settings.CREW.model_copy(update={"llm_models": {"iggy": "openai:gpt-4.1"}})
    told = estimate(run)
    assert [title for title, _ in told["lines"]] == ["Iggy, creative director", "2 clips of 8 s", "The film"]
    assert told["lines"][0][1] == "$0.128"
    assert "The publication" in told["free"]
