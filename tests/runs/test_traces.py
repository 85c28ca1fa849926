"""What LangSmith hears of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from myloware.kernel.errors import ContractBroken
from personas.traces import sampled
from runs import services

from .conftest import LANGSMITH_KEY
from .journey import approve, work

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings

    from runs.models import Run

    from .langsmith import LangSmith

# Made to look like one; it opens nothing.
KEY = "sk-proj-aBcDeFgHiJkLmNoPqRsTuVwX"
OPERATORS = "the-operators-own-secret-value"


def children(langsmith: LangSmith, parent: str) -> list[tuple[str, str]]:
    found = [span for span in langsmith.spans.values() if span.get("parent_run_id") == parent]
    return [(span["run_type"], span["name"]) for span in sorted(found, key=lambda span: span["dotted_order"])]


def test_a_run_is_one_trace_whose_stages_are_tool_calls(agent_run: Run, langsmith: LangSmith) -> None:
    approve(agent_run)
    assert [work(agent_run, name) for name in ("iggy", "riley")] == ["done", "done"]
    root = langsmith.spans[str(agent_run.id)]
    assert {span["trace_id"] for span in langsmith.spans.values()} == {root["id"]}
    assert children(langsmith, root["id"]) == [("tool", "iggy"), ("tool", "riley")]
    assert all(span["dotted_order"].startswith(root["dotted_order"]) for span in langsmith.spans.values())
    kinds = [span["run_type"] for span in langsmith.spans.values()]
    assert kinds.count("llm") == 2 + 4
    assert all(span["end_time"] for span in langsmith.spans.values())
    assert all(span["session_name"] == "myloware" for span in langsmith.spans.values())
    for name in ("iggy", "riley"):
        (stage,) = [span for span in langsmith.spans.values() if span["run_type"] == "tool" and span["name"] == name]
        assert set(stage["tags"]) == {"project:test_video_gen", f"run_id:{agent_run.id}", f"persona:{name}"}
        below = [s for s in langsmith.spans.values() if s["dotted_order"].startswith(f"{stage['dotted_order']}.")]
        assert all(set(stage["tags"]) <= set(span["tags"]) for span in below if span["run_type"] == "llm")
        assert stage["outputs"]["confidence"] > 0
    assert langsmith.keys == {LANGSMITH_KEY}
    assert langsmith.refusals == []
    assert agent_run.artifacts.get(type="trace").metadata["trace_id"] == str(agent_run.id)


def test_no_secret_leaves(agent_run: Run, langsmith: LangSmith, settings: Settings) -> None:
    settings.SECRETS = (OPERATORS,)
    brief = f"the moon knows {KEY} and {OPERATORS}"
    agent_run.payload = agent_run.payload.model_copy(
        update={"input": agent_run.payload.input.model_copy(update={"prompt": brief})}
    )
    agent_run.save(update_fields=["payload"])
    approve(agent_run)
    with pytest.raises(ContractBroken):
        work(agent_run, "iggy")
    sent = "".join(langsmith.bodies)
    assert "the moon knows [redacted]" in sent
    assert all(secret not in sent for secret in (KEY, OPERATORS, LANGSMITH_KEY))


def test_nothing_leaves_without_a_key(agent_run: Run, langsmith: LangSmith, settings: Settings) -> None:
    settings.CREW = settings.CREW.model_copy(update={"langsmith_api_key": type(settings.CREW.langsmith_api_key)("")})
    approve(agent_run)
    assert work(agent_run, "iggy") == "done"
    assert (langsmith.bodies, langsmith.keys) == ([], set())


def test_of_runs_out_of_the_sample_only_failures_are_told(
    agent_run: Run, langsmith: LangSmith, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **values: object) -> None:
        raise RuntimeError("the desk is broken")

    settings.CREW = settings.CREW.model_copy(update={"langsmith_sample_rate": 0})
    approve(agent_run)
    assert work(agent_run, "iggy") == "done"
    assert langsmith.bodies == []
    monkeypatch.setattr("runs.jobs.order", broken)
    with pytest.raises(RuntimeError):
        work(agent_run, "riley")
    assert children(langsmith, str(agent_run.id)) == [("tool", "riley")]
    assert "the desk is broken" in langsmith.spans[str(agent_run.id)]["error"]
    monkeypatch.undo()
    services.retry(agent_run.id, actor="alice")
    agent_run.refresh_from_db()
    assert work(agent_run, "riley") == "done"
    assert len(langsmith.bodies) == 1


def test_a_service_that_is_away_fails_no_stage_and_is_told_anew(agent_run: Run, langsmith: LangSmith) -> None:
    approve(agent_run)
    langsmith.down = True
    assert work(agent_run, "iggy") == "done"
    langsmith.down = False
    assert work(agent_run, "riley") == "done"
    assert children(langsmith, str(agent_run.id)) == [("tool", "riley")]
    assert langsmith.refusals == []


def test_the_sample_is_a_share_of_the_runs() -> None:
    runs = [f"{number:08x}-0000-4000-8000-{number * 2654435761 % 2**48:012x}" for number in range(4000)]
    assert sum(sampled(run, 0.1) for run in runs) == pytest.approx(400, rel=0.2)
    assert not any(sampled(run, 0) for run in runs)
    assert all(sampled(run, 1) for run in runs)
