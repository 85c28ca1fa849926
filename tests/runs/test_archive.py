"""The project's earlier films, as Iggy is told of them, and clips of exactly the project's length."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knowledge.likeness import alike
from runs import crew, services
from runs.states import RunStatus

from .journey import approve, park, stage, work

if TYPE_CHECKING:
    from runs.models import Run

    from .conftest import MakeRun


def headers(run: Run) -> list[str]:
    """What Iggy, the real agent, has thought of."""
    approve(run)
    assert work(run, "iggy") == "done"
    return [idea["header"] for idea in (run.steps.get(name="iggy").output or {})["ideas"]]


def test_a_second_film_repeats_nothing_of_the_first(make_run: MakeRun, agent_run: Run) -> None:
    first, second = make_run("aismr"), make_run("aismr")
    before = headers(first)
    first.status = RunStatus.SUCCEEDED
    first.save()
    after = headers(second)
    assert len({*before, *after}) == 24
    assert alike([*before, *after], [], limit=0.85) == []


def test_only_films_of_the_project_that_were_made_count(make_run: MakeRun, agent_run: Run) -> None:
    other = make_run("aismr")
    headers(other)
    approve(agent_run)
    assert crew.brief_of(stage(agent_run, "iggy")).materials["archive"] == []
    mine = make_run("aismr")
    approve(mine)
    assert crew.brief_of(stage(mine, "iggy")).materials["archive"] == []


def test_twelve_clips_of_eight_seconds_are_ordered(make_run: MakeRun, agent_run: Run) -> None:
    run = make_run("aismr")
    headers(run)
    park(run)
    approve(run)
    assert work(run, "riley") == "done"
    orders = [job.request for job in run.jobs.filter(kind="clips")]
    assert [order["duration_s"] for order in orders] == [8] * 12
    assert all("take of 8 seconds" in order["prompt"] for order in orders)
    services.cancel(run.id, actor="alice")
