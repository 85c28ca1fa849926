"""The HTTP API as its users call it."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import sync_to_async
from django.core.management import call_command
from django.db import connections
from django.test import AsyncClient

from runs import services
from runs.models import Run
from runs.services import Decision
from runs.states import Verdict

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django.fixtures import Settings

    from .conftest import MakeRun


@pytest.fixture
def key(settings: Settings) -> dict[str, str]:
    return {"X-API-Key": settings.API_KEY}


def start(client: Client, key: dict[str, str], **body: Any) -> Any:
    return client.post("/v1/runs/start", {"project": "test_video_gen", **body}, "application/json", headers=key)


@pytest.mark.usefixtures("projects")
def test_it_starts_a_run_and_takes_the_call_as_the_workflow_decision(client: Client, key: dict[str, str]) -> None:
    answer = start(client, key, input={"prompt": "a moon that orders a cheeseburger"})
    assert answer.status_code == 201
    assert answer.json()["status"] == "started"
    run = Run.objects.get(id=answer.json()["runId"])
    assert run.approvals.get().gate == "workflow"
    cursor = run.cursor()
    assert cursor is not None
    assert cursor.name == "iggy"


@pytest.mark.usefixtures("projects")
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"input": {}}, 422, "unprocessable"),
        ({"input": {"prompt": "x" * 401}}, 422, "unprocessable"),
        ({"input": {"prompt": "a moon"}, "options": {"skip_steps": ["alex"]}}, 422, "unprocessable"),
        ({"input": {"prompt": "a moon"}, "options": {"sparkle": 1}}, 422, "unprocessable"),
        ({"input": "moon"}, 400, "invalid_input"),
        ({"project": "nothing", "input": {"prompt": "a moon"}}, 404, "not_found"),
    ],
)
def test_a_bad_start_is_refused_in_the_one_error_shape(
    client: Client, key: dict[str, str], body: dict[str, Any], status: int, code: str
) -> None:
    answer = start(client, key, **body)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] == code
    assert error["message"]
    assert error["requestId"] == answer.headers["X-Request-Id"]
    assert not Run.objects.exists()


PATHS = [
    ("get", "/v1/runs"),
    ("post", "/v1/runs/start"),
    ("get", f"/v1/runs/{uuid.uuid4()}"),
    ("post", f"/v1/runs/{uuid.uuid4()}/continue"),
    ("post", f"/v1/runs/{uuid.uuid4()}/cancel"),
    ("get", f"/v1/runs/{uuid.uuid4()}/events"),
    ("get", f"/v1/runs/{uuid.uuid4()}/artifacts"),
    ("get", "/v1/projects"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize("headers", [{}, {"X-API-Key": "wrong"}, {"Authorization": "Bearer wrong"}])
def test_nothing_is_told_without_the_key(client: Client, method: str, path: str, headers: dict[str, str]) -> None:
    answer = getattr(client, method)(path, headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "unauthenticated"


def test_it_shows_a_run_with_its_steps(client: Client, key: dict[str, str], run: Run) -> None:
    shown = client.get(f"/v1/runs/{run.id}", headers=key).json()
    assert shown["status"] == "waiting"
    assert [step["name"] for step in shown["steps"]][:3] == ["workflow", "iggy", "riley"]
    assert shown["payload"]["graph_spec"]["hitl_gates"] == ["workflow", "prepublish"]
    assert shown["result"]["status"] == "awaiting_approval"


def test_it_lists_runs_by_status_and_project(client: Client, key: dict[str, str], make_run: MakeRun) -> None:
    make_run("aismr")
    mine = make_run()
    listed = client.get("/v1/runs?status=waiting&project=test_video_gen", headers=key).json()
    assert [row["runId"] for row in listed] == [str(mine.id)]


def test_it_cancels_once(client: Client, key: dict[str, str], run: Run) -> None:
    path = f"/v1/runs/{run.id}/cancel"
    first = client.post(path, {"reason": "wrong brief"}, "application/json", headers=key)
    assert (first.status_code, first.json()["status"], first.json()["reason"]) == (200, "cancelled", "wrong brief")
    assert client.post(path, {}, "application/json", headers=key).status_code == 409


def test_continue_does_not_open_a_gate(client: Client, key: dict[str, str], run: Run) -> None:
    assert client.post(f"/v1/runs/{run.id}/continue", headers=key).json()["status"] == "waiting"
    assert not run.approvals.exists()


def test_continue_retries_a_failed_run(client: Client, key: dict[str, str], run: Run) -> None:
    gate = run.cursor()
    assert gate is not None
    services.decide(gate.id, Decision(Verdict.APPROVE, "bob", "page", services.digest_of(gate)))
    cursor = run.cursor()
    assert cursor is not None
    step = services.claim(cursor.id)
    assert step is not None
    services.fail(step, "the model was away")
    assert client.post(f"/v1/runs/{run.id}/continue", headers=key).json()["status"] == "running"


def test_events_come_in_order_and_can_be_continued(client: Client, key: dict[str, str], run: Run) -> None:
    events = client.get(f"/v1/runs/{run.id}/events", headers=key).json()
    assert [event["new"] for event in events][:2] == ["pending", "waiting"]
    assert client.get(f"/v1/runs/{run.id}/events?after={events[-1]['id']}", headers=key).json() == []
    assert client.get(f"/v1/runs/{run.id}/events?after=x", headers=key).status_code == 400


def test_evidence_can_be_added_but_no_file(client: Client, key: dict[str, str], run: Run) -> None:
    path = f"/v1/runs/{run.id}/artifacts"
    body = {"type": "notification", "metadata": {"text": "seen"}, "path": "../../etc/passwd"}
    assert client.post(path, body, "application/json", headers=key).json()["path"] == ""
    assert [row["type"] for row in client.get(f"{path}?type=notification", headers=key).json()] == ["notification"]


@pytest.mark.parametrize("word", ["idea", "poster", "ffmpeg.normalized", "publish.url", "hitl.vote", "run.proposal"])
def test_evidence_from_outside_is_not_taken_for_the_engines(
    client: Client, key: dict[str, str], run: Run, word: str
) -> None:
    path = f"/v1/runs/{run.id}/artifacts"
    assert (
        client.post(path, {"type": word, "url": "https://evil.test"}, "application/json", headers=key).status_code
        == 400
    )
    assert not run.artifacts.filter(type=word).exists()


@pytest.mark.parametrize("filter_", ["project", "user_id", "status"])
def test_a_filter_that_no_text_can_be_is_refused(client: Client, key: dict[str, str], filter_: str) -> None:
    answer = client.get(f"/v1/runs?{filter_}=%00", headers=key)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_input")


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 50_000,
        b'{"input": ' + b"[" * 50_000,
        b'{"project": "aismr", "input": {"prompt": "a moon\\u0000"}}',
    ],
)
def test_what_can_be_neither_read_nor_stored_is_refused(client: Client, key: dict[str, str], body: bytes) -> None:
    answer = client.post("/v1/runs/start", body, "application/json", headers=key)
    assert answer.status_code == 400
    assert "The JSON has the character zero" in answer.json()["error"]["message"]


@pytest.mark.django_db(transaction=True)
def test_the_stream_tells_what_happened_and_ends_with_the_run(settings: Settings) -> None:
    call_command("load_projects", verbosity=0)
    run = _cancelled_run()

    async def read() -> str:
        response = await AsyncClient().get(f"/v1/runs/{run.id}/stream", headers={"X-API-Key": settings.API_KEY})
        assert response.headers["Content-Type"] == "text/event-stream"
        return b"".join([part async for part in response.streaming_content]).decode()  # type: ignore[attr-defined]

    text = asyncio.run(read())
    told = [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]
    assert [event["new"] for event in told if event["subject"] == "run"] == ["pending", "waiting", "cancelled"]
    assert asyncio.run(_status(f"/v1/runs/{run.id}/stream")) == 401
    # The stream's queries ran in the event loop's thread for synchronous work, which keeps its connection.
    asyncio.run(sync_to_async(connections.close_all)())


def _cancelled_run() -> Run:
    from runs.models import Project
    from runs.schemas import RunInput, RunOptions

    project = Project.objects.get(slug="test_video_gen")
    run = services.create_run(project=project, input=RunInput(prompt="a moon"), options=RunOptions(), actor="alice")
    return services.cancel(run.id, actor="alice")


async def _status(path: str) -> int:
    return (await AsyncClient().get(path)).status_code


def test_the_schema_describes_the_api(client: Client) -> None:
    schema = client.get("/v1/schema?format=json").json()
    assert "/v1/runs/start" in schema["paths"]
    assert schema["components"]["securitySchemes"]["ApiKey"] == {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    assert client.get("/docs").status_code == 200


@pytest.mark.django_db
def test_health_and_metrics_need_no_key(client: Client) -> None:
    assert client.get("/health").json() == {"status": "ok", "database": "ok", "broker": "ok"}
    text = client.get("/metrics").content.decode()
    assert "runs_active 0.0" in text
    assert "runs_success_total 0.0" in text
