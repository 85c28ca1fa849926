"""Threads kept in PostgreSQL."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from django.db import connection
from langchain_core.messages import convert_to_openai_messages
from langgraph.checkpoint.memory import InMemorySaver
from psycopg import connect
from psycopg.conninfo import make_conninfo

from myloware.simulators import simulators
from myloware.simulators.openai import OpenAiSimulator, completion
from personas import checkpoints
from personas.base import StageResult
from providers.callbacks import body_json
from providers.simulator import World
from tests.myloware.conftest import Served

from . import doomed
from .world import GUIDE, CountingStudio, Library, Studio, brief, work

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def conninfo(transactional_db: None) -> Iterator[str]:
    """The test database, with the checkpointer's tables."""
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    given = {names[key]: str(value) for key, value in connection.settings_dict.items() if key in names and value}
    text = make_conninfo(**given)
    checkpoints.setup(text)
    yield text
    checkpoints.close(text)


def rows(conninfo: str, thread_id: str) -> int:
    with connect(conninfo) as database:
        found = database.execute("SELECT count(*) FROM checkpoints WHERE thread_id = %s", [thread_id]).fetchone()
    return int(found[0]) if found else 0


def test_a_stage_taken_over_by_another_process_repeats_no_finished_call(conninfo: str) -> None:
    production, library, thread_id = Studio(), Library(GUIDE), uuid4().hex

    def take(model: CountingStudio) -> StageResult:
        saver = checkpoints.saver(conninfo)
        return work(
            brief("riley"), model, thread_id=thread_id, checkpointer=saver, production=production, knowledge=library
        )

    with pytest.raises(ConnectionResetError):
        take(CountingStudio.failing_at(3))
    checkpoints.close(conninfo)
    model = CountingStudio(seed=1)
    result = take(model)
    assert model.calls == 2
    assert production.calls == ["submit_clips", "clips_state"]
    assert len(library.searches) == 1
    assert result == take(CountingStudio.failing_at(1))
    checkpoints.forget(conninfo, thread_id)


class Counting(OpenAiSimulator):
    """Says the doomed worker's lines, and counts how often it was asked for each."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.asked: Counter[int] = Counter()

    def chat(self, request: httpx.Request) -> httpx.Response:
        body = body_json(request.content)
        line = sum(message["role"] == "assistant" for message in body["messages"])
        self.asked[line] += 1
        return httpx.Response(200, json=completion(body, convert_to_openai_messages(doomed.LINES[line])))


@pytest.fixture
def counting() -> Iterator[tuple[Counting, str]]:
    everyone = simulators(tiny=True)
    service = Counting(everyone["openai"].world)
    running = Served({**everyone, "openai": service})
    yield service, f"{running.url}/v1"
    running.stop()


@pytest.mark.parametrize("nth", [1, 3, 5])
def test_a_killed_worker_costs_no_model_call(conninfo: str, counting: tuple[Counting, str], nth: int) -> None:
    service, url = counting
    thread_id = uuid4().hex
    command = [sys.executable, "-m", "tests.personas.doomed", conninfo, url, thread_id, str(nth)]
    killed = subprocess.run(command, cwd=ROOT, check=False, timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert service.asked == dict.fromkeys(range(nth), 1)
    result = doomed.take(conninfo, url, thread_id, 0)
    assert service.asked == dict.fromkeys(range(6), 1)
    assert [each["name"] for each in result.tool_calls].count("submit_generation_jobs_tool") == 1


class Dying(InMemorySaver):
    """A worker's process that dies before its nth save."""

    def __init__(self, memory: InMemorySaver, dies_at: int) -> None:
        super().__init__()
        self.storage, self.writes, self.blobs = memory.storage, memory.writes, memory.blobs
        self.left = dies_at

    def put(self, *args: Any) -> Any:
        self.left -= 1
        if self.left <= 0:
            raise ConnectionResetError("killed")
        return super().put(*args)


@pytest.mark.parametrize("name", ["iggy", "riley", "alex", "quinn"])
def test_a_stage_may_die_before_any_of_its_saves(name: str) -> None:
    def take(saver: InMemorySaver) -> StageResult:
        return work(brief(name), CountingStudio(seed=1), thread_id="t", checkpointer=saver, production=Studio())

    undisturbed = take(InMemorySaver())
    saves = 0
    for saves in itertools.count(1):
        memory = InMemorySaver()
        try:
            take(Dying(memory, saves))
        except ConnectionResetError:
            assert take(memory).output == undisturbed.output
        else:
            break
    assert saves > 5


def test_the_saver_is_made_once_per_process_and_setup_may_be_repeated(conninfo: str) -> None:
    checkpoints.setup(conninfo)
    assert checkpoints.saver(conninfo) is checkpoints.saver(conninfo)


def test_a_forgotten_thread_leaves_no_rows(conninfo: str) -> None:
    work(brief("alex"), checkpointer=checkpoints.saver(conninfo), thread_id="t-1")
    work(brief("alex"), checkpointer=checkpoints.saver(conninfo), thread_id="t-2")
    checkpoints.forget(conninfo, "t-1")
    assert rows(conninfo, "t-1") == 0
    assert rows(conninfo, "t-2") > 0
    checkpoints.forget(conninfo, "t-2")
