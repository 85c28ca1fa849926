"""What a bad model sets going outside, counted at the services."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from langchain_core.messages import AIMessage
from langchain_core.messages.ai import UsageMetadata

from myloware.kernel.errors import ContractBroken
from runs import crew, services, tasks
from runs.states import JobStatus, SpendStatus
from tests.personas.world import ScriptedModel, call

from .journey import IDEAS, approve, stage, to_film, videos

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings

    from runs.models import Run

TWICE = ("one", "two")


def play(run: Run, name: str, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a worker do the stage with this model."""
    monkeypatch.setattr(crew, "chat_model", lambda *_, **__: model)
    tasks._stage(str(run.id), str(run.steps.get(kind="stage", name=name).id))


def test_clips_that_are_ordered_twice_are_made_once(agent_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    approve(agent_run)
    services.complete(stage(agent_run, "iggy"), IDEAS)
    wanted = [video.model_dump(include={"index", "prompt"}) for video in videos()]
    clips = [{**video, "prompt": f"{video['prompt']}, with stars and a long swell"} for video in wanted]
    model = ScriptedModel(
        call("memory_search", {"query": "x"}, id="a"),
        *(call("submit_generation_jobs_tool", {"videos": wanted}, id=each) for each in TWICE),
        call("RileyOutput", {"clips": clips, "confidence": 0.9}, id="z"),
    )
    play(agent_run, "riley", model, monkeypatch)
    jobs = agent_run.jobs.filter(kind="clips")
    assert list(jobs.values_list("status", "retries")) == [(JobStatus.SUBMITTED, 0)] * 2


def test_a_film_that_is_published_twice_is_one_draft_that_waits(
    agent_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_film(agent_run)
    texts = {"title": "Moon", "caption": "The moon is hungry. Made with AI.", "tags": ["moon", "film", "night"]}
    model = ScriptedModel(
        call("memory_search", {"query": "x"}, id="a"),
        *(call("publish_to_tiktok_tool", {**texts, "title": each, "account": "@evil"}, id=each) for each in TWICE),
        call("QuinnOutput", {**texts, "confidence": 0.9}, id="z"),
    )
    play(agent_run, "quinn", model, monkeypatch)
    (job,) = agent_run.jobs.filter(kind="publish")
    assert (job.status, job.external_id, job.request["title"]) == (JobStatus.INTENT, "", "two")
    assert "evil" not in str(job.request)


def test_an_answer_that_breaks_the_budget_of_tokens_is_paid_for(
    agent_run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CREW = settings.CREW.model_copy(update={"llm_model": "openai:gpt-5-mini"})
    approve(agent_run)
    used = UsageMetadata(input_tokens=900_000, output_tokens=100_000, total_tokens=1_000_000)
    endless = AIMessage("x", usage_metadata=used, response_metadata={"model_name": "gpt-5-mini"})
    with pytest.raises(ContractBroken, match="tokens"):
        play(agent_run, "iggy", ScriptedModel(endless), monkeypatch)
    (spend,) = agent_run.spends.all()
    assert spend.status == SpendStatus.SETTLED
    assert spend.settled_microusd == 425_000
