"""What the OpenAPI document promises, held against requests that Schemathesis makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, settings
from schemathesis import GenerationMode, checks
from schemathesis.config import SchemathesisConfig

from access.models import ApiKey, Scope
from runs import services
from runs.models import Run
from tests.hitl import scenes
from tests.hitl.conftest import checkpoint_pools, projects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client
    from pytest_django.fixtures import Settings
    from schemathesis import Case, Response

__all__ = ["checkpoint_pools", "projects"]

# Wrong keys are tried in tests/access; that a number is taken for its text is Django REST framework's way.
PROMISES = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.unsupported_method,
]
GATES = ("workflow", "ideate", "prepublish")
STEPS = (*GATES, "iggy", "clips")


def document(*modes: GenerationMode) -> schemathesis.BaseSchema:
    config = SchemathesisConfig()
    config.projects.default.generation.modes = list(modes)
    return schemathesis.openapi.from_wsgi("/v1/schema?format=json", WSGIHandler(), config=config)


anything, sensible = document(*GenerationMode), document(GenerationMode.POSITIVE)
tried = settings(
    max_examples=25,
    derandomize=True,
    database=None,
    deadline=None,
    # Each example is rolled back, so all of them find the same rows.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@pytest.fixture
def runs() -> list[Run]:
    """Runs of alice's, each at another place; the last is over."""
    over = scenes.at_workflow()
    services.cancel(over.id, actor="alice")
    return [scenes.at_workflow(), scenes.at_ideate(), scenes.at_prepublish(), over]


@pytest.fixture
def kept_connection() -> Iterator[None]:
    """What Django's own test client does: a request does not end the test's transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def key(db: None) -> str:
    """Of somebody who may do anything, with runs of their own."""
    _, text = ApiKey.make("mallory", [scope for scope in Scope.values if scope != Scope.ADMIN], owner="mallory")
    return text


def play(case: Case[Any], runs: list[Run], key: str) -> Response:
    """Asks for one of ``runs`` instead of an id that nothing has, and leaves no trace."""
    aimed(case, runs)
    # Over WSGI nothing can be streamed; tests/hitl/test_stream.py listens to what is.
    case.query.pop("format", None)
    with transaction.atomic():
        answer: Response = case.call(headers={"X-API-Key": key, "Accept": "application/json"})
        transaction.set_rollback(True)
    return answer


def aimed(case: Case[Any], runs: list[Run]) -> None:
    try:
        wanted = UUID(case.path_parameters["run_id"]).int
    except (KeyError, ValueError):
        return
    case.path_parameters["run_id"] = str(runs[wanted % len(runs)].id)
    if "gate" in case.path_parameters:
        case.path_parameters["gate"] = GATES[wanted % len(GATES)]
    if isinstance(case.body, dict) and isinstance(case.body.get("step"), str):
        case.body["step"] = STEPS[wanted % len(STEPS)]


@pytest.mark.usefixtures("kept_connection")
@anything.parametrize()
@tried
def test_every_answer_is_as_the_document_says_and_none_a_500(
    case: Case[Any], runs: list[Run], settings: Settings
) -> None:
    case.validate_response(play(case, runs, settings.API_KEY), checks=PROMISES)


@pytest.mark.usefixtures("kept_connection")
@sensible.include(path_regex="run_id").parametrize()
@tried
def test_a_strangers_key_finds_nothing_of_anothers_run(case: Case[Any], runs: list[Run], key: str) -> None:
    answer = play(case, runs, key)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"
    assert scenes.BRIEF.encode() not in answer.content


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text",
    [r'"\u0000"', r'"\ud800"', r'{"\u0000": 1}', "1e400", "[" * 40 + "]" * 40, "[" * 100_000],
    ids=lambda text: text[:9],
)
def test_json_that_the_database_cannot_keep_is_refused(client: Client, settings: Settings, text: str) -> None:
    run = scenes.at_workflow()
    body = f'{{"type": "evidence", "metadata": {{"x": {text}}}}}'
    headers = {"X-API-Key": settings.API_KEY}
    answer = client.post(f"/v1/runs/{run.id}/artifacts", body, "application/json", headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_input"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "query", ["?status=%00", "?project=%00", "?user_id=%00", "/{run}/artifacts?type=%00", "/{run}/events?after=-1"]
)
def test_so_is_a_query_that_asks_for_it(client: Client, settings: Settings, query: str) -> None:
    run = scenes.at_workflow()
    path = "/v1/runs" + query.format(run=run.id)
    assert client.get(path, headers={"X-API-Key": settings.API_KEY}).status_code == 400


@pytest.mark.parametrize(("accept", "kind"), [("text/html,*/*;q=0.8", "text/html"), ("*/*", "application/json")])
def test_where_nothing_is_programs_and_people_are_told_in_their_way(client: Client, accept: str, kind: str) -> None:
    answer = client.get("/v1/runs/nothing", headers={"Accept": accept})
    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith(kind)
