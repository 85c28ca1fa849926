"""The crew's marks."""

from __future__ import annotations

import json
from io import StringIO
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from django.core.management import CommandError, call_command

from myloware.simulators import simulators
from myloware.simulators.openai import OpenAiSimulator, completion
from personas.registry import PERSONAS
from providers.callbacks import body_json
from runs import evals
from tests.myloware.conftest import Served
from tests.personas.bad_models import fresh
from tests.personas.test_bad_models import Recorder
from tests.personas.world import ScriptedModel, work

from .conftest import LANGSMITH_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_django.fixtures import Settings

    from providers.simulator import World

    from .langsmith import LangSmith

pytestmark = pytest.mark.django_db


def run(*names: str) -> str:
    out = StringIO()
    call_command("evals", "run", *names, stdout=out)
    return out.getvalue()


def test_the_offline_model_passes_every_dataset() -> None:
    told = run()
    for name, dataset in evals.datasets().items():
        assert f"version {dataset.version}" in told
        assert name in told
        assert dataset.persona in PERSONAS
        assert set(dataset.checks) <= set(evals.CHECKS)


def test_a_worse_model_fails_with_the_checks_it_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = evals.datasets()["drafts"]
    good = Recorder(seed=0)
    work(evals._brief("quinn", dataset.cases[0]), good)
    search, draft, output = good.said
    texts = {"title": "Candle", "caption": "Look at this candle, it is lovely.", "tags": ["candle"]}
    lines = [search, fresh(draft, **texts), fresh(output, **texts, confidence=0.9)]
    monkeypatch.setattr(evals, "chat_model", lambda *_, **__: ScriptedModel(*lines))
    with pytest.raises(CommandError, match="Worse than they should be: drafts"):
        run("drafts")
    score = next(evals.scores(dataset))
    assert score.failed == ("says_that_it_is_ai",)


def test_an_unknown_dataset_is_named() -> None:
    with pytest.raises(CommandError, match="There is no dataset wit"):
        run("wit")


class Judge(OpenAiSimulator):
    """Marks every piece of work alike."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.gives: dict[str, Any] = {"score": 0.8, "reason": "The second idea is the first one again."}
        self.asked: list[dict[str, Any]] = []

    def chat(self, request: httpx.Request) -> httpx.Response:
        body = body_json(request.content)
        self.asked.append(body)
        mark = {"id": "m-1", "type": "function", "function": {"name": "Mark", "arguments": json.dumps(self.gives)}}
        return httpx.Response(200, json=completion(body, {"role": "assistant", "content": None, "tool_calls": [mark]}))


@pytest.fixture
def judge(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Judge]:
    settings.DATA_DIR = tmp_path
    everyone = simulators(tiny=True)
    service = Judge(everyone["openai"].world)
    running = Served({**everyone, "openai": service})
    monkeypatch.setenv("OPENAI_API_KEY", "a-key")
    monkeypatch.setenv("OPENAI_BASE_URL", f"{running.url}/v1")
    settings.CREW = settings.CREW.model_copy(update={"judge_model": "openai:gpt-4.1-mini"})
    yield service
    running.stop()


def test_a_judge_marks_each_case_and_its_mean_counts(judge: Judge) -> None:
    told = run("drafts")
    cases = evals.datasets()["drafts"].cases
    assert told.count("0.80 The second idea is the first one again.") == len(cases) == len(judge.asked)
    assert "marked 0.80, at least 0.60" in told
    assert all(asked["temperature"] == 0 for asked in judge.asked)
    assert evals.datasets()["drafts"].question in judge.asked[0]["messages"][-1]["content"]
    assert "Made with AI" in judge.asked[0]["messages"][-1]["content"]
    judge.gives = {"score": 0.5, "reason": "Dull."}
    with pytest.raises(CommandError, match="Worse than they should be: drafts"):
        run("drafts")


def test_a_judge_that_gives_no_mark_is_no_mark(judge: Judge) -> None:
    judge.gives = {"score": 11, "reason": "Best work ever."}
    with pytest.raises(CommandError, match="gave no mark"):
        run("drafts")


def test_the_cases_of_a_version_go_to_langsmith_once(langsmith: LangSmith) -> None:
    cases = evals.datasets()["drafts"].cases
    assert f"{len(cases)} cases are in LangSmith now" in run("drafts")
    assert "in LangSmith now" not in run("drafts")
    assert list(langsmith.datasets) == ["myloware drafts v2"]
    assert [example["inputs"]["project"] for example in langsmith.examples] == [case.project for case in cases]
    assert all("made with ai" in example["outputs"]["caption"].lower() for example in langsmith.examples)
    assert {example["dataset_id"] for example in langsmith.examples} == {langsmith.datasets["myloware drafts v2"]["id"]}
    assert langsmith.keys == {LANGSMITH_KEY}


def test_a_langsmith_that_is_away_is_told_in_words(langsmith: LangSmith) -> None:
    langsmith.down = True
    with pytest.raises(CommandError, match="LangSmith did not take the dataset"):
        run("drafts")
