"""Projects and runs in every state that tests need, made by the services themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest
from django.core.management import call_command
from pydantic import SecretStr

from personas import checkpoints
from runs import crew, services
from runs.models import Project
from runs.schemas import RunInput, RunOptions

from .langsmith import LangSmith
from .places import bucket, folder, place, s3  # noqa: F401

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django.fixtures import Settings

    from runs.models import Run


LANGSMITH_KEY = "lsv2_pt_0123456789abcdef0123456789abcdef"


class MakeRun(Protocol):
    def __call__(self, slug: str = ..., **options: Any) -> Run: ...


@pytest.fixture
def projects(db: None) -> None:
    call_command("load_projects", verbosity=0)


@pytest.fixture
def make_run(projects: None) -> MakeRun:
    def make(slug: str = "test_video_gen", **options: Any) -> Run:
        return services.create_run(
            project=Project.objects.get(slug=slug),
            input=RunInput(prompt="the moon orders a cheeseburger"),
            options=RunOptions(**options),
            user_id="alice",
            actor="alice",
        )

    return make


@pytest.fixture
def agent_run(make_run: MakeRun) -> Iterator[Run]:
    """A run whose stages real agents can work on; their checkpoints go through connections of their own."""
    yield make_run()
    checkpoints.close(crew.conninfo())


@pytest.fixture
def langsmith(settings: Settings) -> Iterator[LangSmith]:
    """A key for LangSmith, and somebody who plays it. Every run is in the sample."""
    service = LangSmith()
    settings.CREW = settings.CREW.model_copy(
        update={
            "langsmith_api_key": SecretStr(LANGSMITH_KEY),
            "langsmith_endpoint": service.url,
            "langsmith_sample_rate": 1,
        }
    )
    yield service
    service.stop()


@pytest.fixture
def run(make_run: MakeRun) -> Run:
    return make_run()
