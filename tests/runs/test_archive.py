"""The project's earlier films, as Iggy is told of them, and clips of exactly the project's length."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knowledge.likeness import alike
from knowledge.models import Document
from knowledge.search import search
from runs import crew, services
from runs.models import Run
from runs.states import RunStatus

from .journey import approve, park, stage, work

if TYPE_CHECKING:
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


def test_what_was_made_is_known_to_the_projects_iggy_alone(make_run: MakeRun, agent_run: Run) -> None:
    first, second, third = (make_run("aismr") for _ in range(3))
    header = headers(first)[0]
    assert not Document.objects.filter(folder="archive").exists()
    Run.objects.filter(id=first.id).update(status=RunStatus.SUCCEEDED)
    headers(second)
    (document,) = Document.objects.filter(folder="archive")
    assert (document.path, document.project, document.persona) == (f"archive/{first.id}.md", "aismr", "iggy")
    assert header in document.chunks.filter(heading__endswith="Ideas")[0].text
    passages = set(document.chunks.values_list("id", flat=True))
    assert document.path in {hit.path for hit in search([header], k=10, project="aismr", persona="iggy")}
    assert document.path not in {hit.path for hit in search([header], k=50, project="aismr", persona="riley")}
    headers(third)
    assert set(document.chunks.values_list("id", flat=True)) == passages
    Run.objects.filter(id=first.id).update(status=RunStatus.CANCELLED)
    headers(make_run("aismr"))
    assert not Document.objects.filter(folder="archive").exists()


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
