"""From a sentence to a published film in live mode: every service behind TLS, the crew's model behind a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hitl.chat import forget, talk
from personas import checkpoints
from providers import registry
from runs import crew, services, tasks
from runs.models import Run
from runs.schemas import Resolution
from tests.runs import journey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django.fixtures import Settings

    from runs.models import Step
    from tests.myloware.conftest import Served
    from tests.providers.live import Recorder

MODEL = "gpt-4.1-mini"
# What each project cannot be made without.
HOSTS = {"api.kie.ai", "api.shotstack.io", "api.upload-post.com"}


@pytest.fixture
def chat(served: Served, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """The crew's model is a vendor's, whose endpoint is the simulator's."""
    monkeypatch.setenv("OPENAI_API_KEY", "a-key")
    monkeypatch.setenv("OPENAI_BASE_URL", f"{served.url}/v1")
    settings.CREW = settings.CREW.model_copy(update={"llm_model": f"openai:{MODEL}"})
    yield served
    forget("alice")
    checkpoints.close(crew.conninfo())


def work(run: Run, step: Step) -> None:
    """Lets a worker do the stage."""
    assert tasks._stage(str(run.id), str(step.id)) == "done"


@pytest.mark.usefixtures("projects")
@pytest.mark.parametrize(
    ("slug", "wish"),
    [
        ("test_video_gen", "A paper boat crosses a puddle while it rains"),
        ("aismr", "A candle with rain inside"),
        ("explainer", "How a paper boat floats"),
    ],
)
def test_what_brendan_proposed_is_what_is_done(slug: str, wish: str, live: Recorder, chat: Served) -> None:
    reply = talk(wish, user_id="alice", project=slug)
    run = Run.objects.get(id=reply.run_ids[0])
    approved = run.payload.graph_spec
    assert {registry.mode(name) for name in registry.PROVIDERS} == {"live"}
    # Small, so that it is quick; and of any length, for the editor is not sure of a film as short as its clips.
    full = run.payload.specs.resolution
    size = Resolution(width=full.width // 3, height=full.height // 3, fps=30)
    specs = run.payload.specs.model_copy(update={"compilation_length": None, "resolution": size})
    run.payload = run.payload.model_copy(update={"specs": specs})
    run.save(update_fields=["payload"])
    journey.go(run, crew=work)
    assert (run.status, run.result.status) == ("succeeded", "published"), run.result
    assert run.payload.graph_spec == approved
    assert [(kind, name) for kind, name in run.steps.values_list("kind", "name")] == [
        (step.kind, step.name) for step in approved.steps
    ]
    assert {each.url.host for each in live.requests} >= HOSTS
    assert len(services.current_jobs(run, "clips")) == specs.video_count
    papers = run.artifacts.filter(type="citations")
    assert [paper.metadata["persona"] for paper in papers] == list(approved.pipeline)
    assert {paper.metadata["model"] for paper in papers} == {MODEL}
