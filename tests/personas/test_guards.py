"""Contracts, vendor errors and the caller's thread."""

from __future__ import annotations

import json
import threading
import time

import pytest
from langchain_core import exceptions as vendors

from myloware.kernel.errors import ContractBroken, Misconfigured, MylowareError, ProviderRefused, ProviderUnavailable
from personas.caller import CallerThread
from personas.contracts import CONTRACTS, missing, require
from personas.registry import PERSONAS
from personas.tools import TOOLS

from .world import PROJECTS, ScriptedModel, brief, work


class TestContracts:
    def test_the_table_is_the_architectures(self) -> None:
        assert {name: set(tools) for name, tools in CONTRACTS.items()} == {
            "iggy": {"memory_search"},
            "riley": {"memory_search", "submit_generation_jobs_tool"},
            "alex": {"render_video_timeline_tool"},
            "morgan": {"design_sound_tool"},
            "quinn": {"memory_search", "publish_to_tiktok_tool"},
        }

    def test_what_is_missing_is_what_is_allowed_and_was_not_called(self) -> None:
        allowed = ["memory_search", "submit_generation_jobs_tool"]
        assert set(missing("riley", allowed=allowed, called=["memory_search"])) == {"submit_generation_jobs_tool"}
        assert missing("riley", allowed=["memory_search"], called=["memory_search"]) == {}
        assert missing("someone", allowed=allowed, called=[]) == {}

    def test_the_error_says_why(self) -> None:
        with pytest.raises(ContractBroken, match="no clip is generated") as caught:
            require("riley", allowed=list(TOOLS), called=["memory_search"], refused={}, project="aismr", run_id="r")
        assert caught.value.detail["tools"] == ["submit_generation_jobs_tool"]

    def test_every_persona_can_call_what_it_must(self) -> None:
        for name, persona in PERSONAS.items():
            assert name == persona.name
            assert set(persona.required) <= set(persona.tools) <= set(TOOLS)
            assert persona.output.__name__ in persona.prompt

    def test_every_project_file_allows_known_tools_only(self) -> None:
        for path in PROJECTS.glob("*.json"):
            for name, expectations in json.loads(path.read_text())["personas"].items():
                assert set(expectations["tools"]) <= set(PERSONAS[name].tools)


@pytest.mark.parametrize(
    ("vendor", "ours"),
    [
        (vendors.ModelTimeoutError, ProviderUnavailable),
        (vendors.ModelConnectionError, ProviderUnavailable),
        (vendors.ModelRateLimitError, ProviderUnavailable),
        (vendors.ModelInvalidRequestError, ProviderRefused),
        (vendors.ContextOverflowError, ProviderRefused),
        (vendors.ModelAuthenticationError, Misconfigured),
        (vendors.ModelNotFoundError, Misconfigured),
    ],
)
def test_a_model_clients_failure_is_translated_once_without_its_text(
    vendor: type[vendors.ModelError], ours: type[MylowareError]
) -> None:
    model = ScriptedModel(vendor("key sk-123 is wrong"))
    with pytest.raises(ours) as caught:
        work(brief("iggy"), model)
    assert "sk-123" not in str(caught.value)
    assert len(model.seen) == 1


class TestCallerThread:
    def test_calls_run_in_the_thread_that_called_run(self) -> None:
        caller = CallerThread()
        inside, outside = caller.run(lambda: (caller.call(threading.get_ident), threading.get_ident()))
        assert inside == threading.get_ident() != outside

    def test_errors_pass_both_ways(self) -> None:
        caller = CallerThread()

        def fail() -> None:
            raise KeyError("behind the port")

        with pytest.raises(KeyError, match="behind the port"):
            caller.run(lambda: caller.call(fail))

    def test_a_time_limit_in_the_callers_thread_ends_it_and_stops_the_agent(self) -> None:
        class TimeLimit(Exception):
            pass

        caller, left = CallerThread(), threading.Event()
        refused: list[str] = []

        def limit() -> None:
            raise TimeLimit

        def work_on() -> None:
            left.wait(5)
            try:
                caller.call(time.monotonic)
            except RuntimeError as error:
                refused.append(str(error))

        # As a signal handler would: the exception comes up while the caller waits for requests.
        caller._requests.put(limit)
        with pytest.raises(TimeLimit):
            caller.run(work_on)
        assert caller.closed
        left.set()
        deadline = time.monotonic() + 5
        while not refused and time.monotonic() < deadline:
            time.sleep(0.01)
        assert refused == ["the caller of this agent has left"]
