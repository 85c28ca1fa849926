"""What a stage leaves behind: what its model was told, what it looked up, and which passages came."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings

from knowledge.ingest import ingest
from personas.registry import PERSONAS
from runs import crew, services

from .journey import approve, stage, work

if TYPE_CHECKING:
    from runs.models import Run


def papers(run: Run, kind: str) -> list[dict[str, Any]]:
    return list(run.artifacts.filter(type=kind).values_list("metadata", flat=True))


@pytest.fixture
def read(agent_run: Run) -> Run:
    """A run whose Iggy has something to read, and has done so."""
    ingest(Path(settings.BASE_DIR) / "fixtures" / "knowledge")
    approve(agent_run)
    assert work(agent_run, "iggy") == "done"
    return agent_run


def test_what_the_model_was_told_is_kept_word_by_word(read: Run) -> None:
    (told,) = papers(read, "prompt")
    assert (told["persona"], told["model"], told["output"]) == ("iggy", "studio", "IggyOutput")
    assert told["system"] == PERSONAS["iggy"].prompt
    assert "the moon orders a cheeseburger" in told["brief"]
    assert str(read.id) not in told["brief"]
    assert told["tools"] == ["memory_search"]


def test_every_search_is_kept_with_all_that_it_found(read: Run) -> None:
    (trace,) = papers(read, "retrieval.trace")
    (cited,) = papers(read, "citations")
    assert trace["persona"] == "iggy"
    assert len(trace["asked"]["queries"]) > 1
    assert [set(passage) for passage in trace["passages"]] == [
        {"document", "path", "heading", "chunk_id", "score"}
    ] * len(trace["passages"])
    assert trace["passages"] == cited["documents"] != []


def test_a_stage_that_fails_leaves_its_papers_and_a_retry_its_own(read: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **values: object) -> None:
        raise RuntimeError("the desk is broken")

    monkeypatch.setattr("runs.jobs.order", broken)
    with pytest.raises(RuntimeError):
        work(read, "riley")
    assert [len(papers(read, kind)) for kind in ("prompt", "retrieval.trace", "citations")] == [2, 2, 1]
    monkeypatch.undo()
    services.retry(read.id, actor="alice")
    read.refresh_from_db()
    assert work(read, "riley") == "done"
    assert [paper["retries"] for paper in papers(read, "prompt")] == [0, 0, 1]
    assert [len(papers(read, kind)) for kind in ("retrieval.trace", "citations")] == [3, 2]


def test_a_stage_that_is_taken_over_keeps_its_papers_once(read: Run) -> None:
    riley = stage(read, "riley")
    first = crew.perform(riley)
    assert crew.perform(riley) == first
    assert [paper["persona"] for paper in papers(read, "prompt")] == ["iggy", "riley"]
    calls = [paper["call_id"] for paper in papers(read, "retrieval.trace")]
    assert len(calls) == len(set(calls)) == 2
