"""Brendan's answer as it is made: server-sent events, over real sockets from the model to the listener."""

from __future__ import annotations

import json
import re
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn
from django.db import connections
from django.urls import reverse

from access.models import ApiKey, Scope
from hitl import stream
from hitl.chat import _thread, forget
from myloware.asgi import application
from myloware.kernel.locks import alone
from personas import checkpoints
from runs.crew import conninfo
from runs.models import Run
from runs.states import Verdict
from tests.myloware.conftest import Served, served  # noqa: F401

from . import scenes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_django.fixtures import Settings

pytestmark = pytest.mark.django_db(transaction=True)
WISH = "A paper boat crosses a puddle while it rains"
STREAM = "text/event-stream"
USER = "alice"
KEY = "key-of-the-tests"
TOOL_WORDS = ["started", "finished"]


@dataclass(frozen=True)
class Event:
    name: str
    data: dict[str, Any]
    at: float


@pytest.fixture(autouse=True)
def live(served: Served, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """A vendor's model, behind a socket, that speaks word by word."""
    for user_id in (USER, "bob"):
        forget(user_id)
    monkeypatch.setenv("OPENAI_API_KEY", "a-key")
    monkeypatch.setenv("OPENAI_BASE_URL", f"{served.url}/v1")
    settings.CREW = settings.CREW.model_copy(update={"llm_model": "openai:gpt-4.1-mini"})
    settings.API_KEY = KEY


@pytest.fixture
def web(projects: None) -> Iterator[httpx.Client]:
    """The web process, as it is deployed."""
    server = uvicorn.Server(uvicorn.Config(application, port=0, lifespan="off", log_level="error", access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    with httpx.Client(base_url=url, headers={"X-API-Key": KEY}, timeout=20) as client:
        yield client
    server.should_exit = True
    thread.join(10)


@contextmanager
def asked(web: httpx.Client, message: str, accept: str = STREAM, **fields: Any) -> Iterator[httpx.Response]:
    body = {"message": message, "user_id": USER, **fields}
    with web.stream("POST", reverse("chat-brendan"), json=body, headers={"Accept": accept}) as response:
        yield response


def events(lines: Iterable[str]) -> Iterator[Event]:
    """As https://html.spec.whatwg.org/multipage/server-sent-events.html has them read."""
    name = data = ""
    for line in lines:
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            data = value
        elif not line and data:
            yield Event(name, json.loads(data), time.monotonic())
            name = data = ""


def said(web: httpx.Client, message: str, **fields: Any) -> list[Event]:
    with asked(web, message, **fields) as response:
        assert response.status_code == 200
        assert response.headers["Content-Type"] == "text/event-stream"
        return list(events(response.iter_lines()))


def thread(user_id: str) -> list[tuple[str, str, list[str]]]:
    """What is kept of a conversation."""
    saved = checkpoints.saver(conninfo()).get_tuple({"configurable": {"thread_id": _thread(user_id)}})
    messages = saved.checkpoint["channel_values"]["messages"] if saved else []
    return [
        (
            each.type,
            "" if each.type == "tool" else each.text,
            [call["name"] for call in getattr(each, "tool_calls", ())],
        )
        for each in messages
    ]


def test_tokens_come_one_by_one_and_the_answer_at_the_end(web: httpx.Client) -> None:
    heard = said(web, "hello")
    *tokens, answer = heard
    assert len(tokens) > 5
    assert {event.name for event in tokens} == {"token"}
    assert len({event.data["message"] for event in tokens}) == 1
    assert "".join(event.data["text"] for event in tokens) == answer.data["response"]
    assert answer.name == "answer"
    assert set(answer.data) == {"response", "run_ids", "citations"}
    gaps = [later.at - earlier.at for earlier, later in pairwise(tokens)]
    assert sum(gap > 0.004 for gap in gaps) > 3


def test_tools_are_told_when_they_begin_and_end(web: httpx.Client) -> None:
    heard = said(web, WISH)
    tools = [event.data for event in heard if event.name == "tool"]
    assert [(each["name"], each["status"]) for each in tools] == [
        (name, word) for name in ("list_projects", "propose_run") for word in TOOL_WORDS
    ]
    assert len({each["id"] for each in tools}) == 2
    (run_id,) = heard[-1].data["run_ids"]
    run = Run.objects.get(id=run_id)
    assert (run.user_id, run.status) == (USER, "waiting")


def test_a_refused_call_is_told_as_one(web: httpx.Client, settings: Settings) -> None:
    # On the vendor's wire a tool's answer does not say that it is a refusal; this model is told.
    settings.CREW = settings.CREW.model_copy(update={"llm_model": "studio"})
    heard = said(web, "a red balloon, no editing")
    words = [event.data["status"] for event in heard if event.data.get("name") == "propose_run"]
    assert words == ["started", "refused", "started", "finished"]


def test_the_conversation_is_the_same_as_without_streaming(web: httpx.Client) -> None:
    last = said(web, WISH)[-1]
    body = {"message": WISH, "user_id": "bob"}
    whole = web.post(reverse("chat-brendan"), json=body).json()
    streamed, kept = thread(USER), thread("bob")
    assert set(whole) == set(last.data)
    assert (streamed[-1][1], kept[-1][1]) == (last.data["response"], whole["response"])
    assert list(map(comparable, streamed)) == list(map(comparable, kept))


def comparable(message: tuple[str, str, list[str]]) -> tuple[str, str, list[str]]:
    """Without what is another run's."""
    kind, text, names = message
    return kind, re.sub(r"http[^\s\"]+|[0-9a-f-]{36}", "ID", text), names


def test_the_offline_model_speaks_word_by_word_too(web: httpx.Client, settings: Settings) -> None:
    settings.CREW = settings.CREW.model_copy(update={"llm_model": "studio"})
    *tokens, answer = said(web, "hello")
    assert len(tokens) > 5
    assert "".join(event.data["text"] for event in tokens) == answer.data["response"] == thread(USER)[-1][1]


def test_news_links_and_requirements_come_through_the_vendors_wire(web: httpx.Client) -> None:
    (run_id,) = said(web, "a red balloon in German; avoid: people")[-1].data["run_ids"]
    run = Run.objects.get(id=run_id)
    assert run.payload.graph_spec.requirements.said == {"language": "German", "avoid": ["people"]}
    link = said(web, f"approval link for {run_id}")[-1].data["response"]
    assert f"/v1/hitl/approve/{run_id}/workflow?token=" in link
    scenes.decide(run, Verdict.REJECT, "too red")
    told = said(web, "what happened?")[-1].data["response"]
    assert "'a red balloon': gate opened at workflow" in told
    assert "rejected at workflow by bob: too red" in told


def test_others_are_answered_meanwhile(web: httpx.Client, served: Served) -> None:  # noqa: F811
    httpx.put(f"{served.url}/dial", json={"time_scale": 5}).raise_for_status()
    with asked(web, "hello") as response:
        coming = events(response.iter_lines())
        next(coming)
        begun = time.monotonic()
        assert web.get("/v1/projects").status_code == 200
        took = time.monotonic() - begun
        rest = list(coming)
    assert rest[-1].name == "answer"
    assert begun + took < rest[-1].at


def test_a_silent_connection_is_kept_open(
    web: httpx.Client,
    served: Served,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream, "QUIET_S", 0.01)
    httpx.put(f"{served.url}/dial", json={"time_scale": 3}).raise_for_status()
    with asked(web, "hello") as response:
        lines = list(response.iter_lines())
    assert ": still here" in lines
    assert list(events(lines))[-1].name == "answer"


def test_an_error_in_the_middle_is_an_event_in_words(web: httpx.Client, served: Served) -> None:  # noqa: F811
    served.turn("openai", "breaks_off")
    *tokens, last = said(web, "hello")
    assert tokens
    assert last.name == "error"
    error = last.data["error"]
    assert error["code"] == "provider_unavailable"
    assert "The chat model did not answer" in error["message"]
    assert error["requestId"]
    assert said(web, "hello")[-1].name == "answer"


def test_who_hangs_up_finds_the_answer_in_the_conversation(web: httpx.Client) -> None:
    with asked(web, WISH) as response:
        next(events(response.iter_lines()))
    wait_for(lambda: thread(USER) and thread(USER)[-1][0] == "ai" and thread(USER)[-1][1])
    assert Run.objects.get().status == "waiting"
    wait_for(lambda: not [each for each in threading.enumerate() if each.name == "agent"])
    assert "waiting" in said(web, "list my runs")[-1].data["response"]


def wait_for(happened: Any, seconds: float = 10) -> None:
    ends = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_what_is_wrong_before_the_first_event_is_answered_in_json(web: httpx.Client) -> None:
    with alone(USER):
        answers = [refused(web, "hello"), refused(web, "hello", project="opera"), refused(web, " ")]
    connections.close_all()
    assert [(status, code) for status, code, _ in answers] == [
        (429, "rate_limited"),
        (404, "not_found"),
        (400, "invalid_input"),
    ]
    assert "still answering" in answers[0][2]


def refused(web: httpx.Client, message: str, **fields: Any) -> tuple[int, str, str]:
    with asked(web, message, **fields) as response:
        response.read()
        assert response.headers["Content-Type"] == "application/json"
        error = response.json()["error"]
        return response.status_code, error["code"], error["message"]


def test_scope_and_rate_hold_as_for_json(web: httpx.Client, settings: Settings) -> None:
    _, reader = ApiKey.make("reader", scopes=[Scope.RUNS_READ], owner=USER)
    web.headers["X-API-Key"] = reader
    assert refused(web, "hello")[:2] == (403, "forbidden")
    web.headers["X-API-Key"] = "wrong"
    assert refused(web, "hello")[:2] == (401, "unauthenticated")
    web.headers["X-API-Key"] = KEY
    settings.ACCESS = settings.ACCESS.model_copy(update={"api_rate_per_minute": 1, "api_burst": 1})
    limited = [refused(web, " ")[0] for _ in range(2)]
    assert limited[-1] == 429


def test_who_takes_json_as_well_gets_json(web: httpx.Client) -> None:
    with asked(web, "hello", accept="*/*") as response:
        response.read()
        assert response.headers["Content-Type"] == "application/json"
