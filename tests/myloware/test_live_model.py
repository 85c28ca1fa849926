"""The crew with a model behind a real socket: the vendor's own client, our simulator of its endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI

from hitl.chat import talk
from personas import checkpoints
from personas.llm import chat_model
from runs import crew, services, tasks
from runs.models import Project, Run
from runs.schemas import RunInput, RunOptions
from tests.runs import journey
from tests.runs.conftest import agent_run, make_run  # noqa: F401

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django.fixtures import Settings

    from runs.models import Step

    from .conftest import Served

MODEL = "gpt-4.1-mini"


@pytest.fixture
def live(served: Served, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """``LLM_MODEL`` names a vendor's model, found where ``OPENAI_BASE_URL`` says."""
    monkeypatch.setenv("OPENAI_API_KEY", "a-key")
    monkeypatch.setenv("OPENAI_BASE_URL", f"{served.url}/v1")
    settings.CREW = settings.CREW.model_copy(update={"llm_model": f"openai:{MODEL}"})
    yield
    checkpoints.close(crew.conninfo())


def work(run: Run, step: Step) -> None:
    """Lets a worker do the stage."""
    assert tasks._stage(str(run.id), str(step.id)) == "done"


@pytest.mark.parametrize(
    ("slug", "given"),
    [
        ("test_video_gen", {"prompt": "the moon orders a cheeseburger"}),
        ("aismr", {"object": "candle", "modifiers": ("rain inside",)}),
    ],
)
def test_a_project_runs_as_it_was_approved(slug: str, given: dict[str, Any], projects: None, live: None) -> None:
    run = services.create_run(
        project=Project.objects.get(slug=slug), input=RunInput(**given), options=RunOptions(), actor="alice"
    )
    # The mock clips are short; the editor would not be sure of such a film, and a reviewer read it.
    run.payload = run.payload.model_copy(
        update={"specs": run.payload.specs.model_copy(update={"compilation_length": None})}
    )
    run.save(update_fields=["payload"])
    approved = [(step.kind, step.name) for step in run.payload.graph_spec.steps]
    journey.go(run, crew=work)
    assert (run.status, run.result.status) == ("succeeded", "published")
    assert list(run.steps.values_list("kind", "name")) == approved
    papers = run.artifacts.filter(type="citations")
    assert [paper.metadata["persona"] for paper in papers] == [name for kind, name in approved if kind == "stage"]
    assert all(paper.metadata["model"] == MODEL and paper.metadata["input_tokens"] > 1000 for paper in papers)


def test_another_model_is_asked_when_one_does_not_answer(
    agent_run: Run,  # noqa: F811  (the fixture)
    live: None,
    settings: Settings,
    served: Served,
) -> None:
    chosen = {
        "llm_models": {"iggy": f"openai:{MODEL}"},
        "llm_model": "studio",
        "llm_fallbacks": ("openai:gpt-4o-mini",),
    }
    settings.CREW = settings.CREW.model_copy(update=chosen)
    journey.approve(agent_run)
    # The first try and both of the client's own repeats.
    served.turn("openai", "server_error", 3)
    step = agent_run.cursor()
    assert step is not None
    work(agent_run, step)
    assert (step.run.steps.get(name="iggy").output or {})["ideas"]


def test_brendan_too_is_played_by_another_model_when_one_does_not_answer(
    projects: None, live: None, settings: Settings, served: Served
) -> None:
    settings.CREW = settings.CREW.model_copy(update={"llm_fallbacks": ("openai:gpt-4o-mini",)})
    # The first try and both of the client's own repeats.
    served.turn("openai", "server_error", 3)
    reply = talk("A paper boat crosses a puddle while it rains", user_id="alice")
    assert Run.objects.get(id=reply.run_ids[0]).status == "waiting"


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize(("setting", "sent"), [(None, {}), (0.3, {"temperature": 0.3})])
def test_a_temperature_is_sent_only_if_one_is_set(
    setting: float | None, sent: dict[str, float], settings: Settings
) -> None:
    chosen = settings.CREW.model_copy(update={"llm_temperature": setting})
    asked = chat_model(chosen, seed=1)
    assert isinstance(asked, ChatOpenAI)
    payload = asked._get_request_payload([HumanMessage("hello")])
    assert {name: value for name, value in payload.items() if name == "temperature"} == sent


def test_brendan_proposes_and_the_tokens_stream(projects: None, live: None, settings: Settings) -> None:
    reply = talk("A paper boat crosses a puddle while it rains", user_id="alice")
    assert Run.objects.get(id=reply.run_ids[0]).status == "waiting"
    pieces = [piece.text for piece in chat_model(settings.CREW, seed=1).stream([HumanMessage("hello")]) if piece.text]
    assert len(pieces) > 3
    assert "What should the film show?" in "".join(pieces)
