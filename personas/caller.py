"""Keeps the ports in the caller's thread.

LangGraph runs tools in pool threads of its own.  Ports hold database connections, which belong to a thread, and a
worker's time limit arrives as an exception in its main thread.  So the agent gets the extra thread, and the caller's
thread serves what the tools ask for, one request at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

from pydantic import ValidationError

Params = ParamSpec("Params")
Result = TypeVar("Result")


class CallerThread:
    """Runs one piece of work; ``call`` reaches back from it into the thread that called ``run``."""

    def __init__(self) -> None:
        self._requests: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False

    @property
    def closed(self) -> bool:
        """The caller has left, by a time limit for instance: whatever still runs should stop."""
        return self._closed

    def run(self, work: Callable[[], Result]) -> Result:
        """The result of ``work``, or its exception."""
        done: Future[Result] = Future()
        job = partial(copy_context().run, self._work, done, work)
        threading.Thread(target=job, name="agent", daemon=True).start()
        try:
            while (request := self._requests.get()) is not None:
                request()
            return done.result()
        finally:
            self._close()

    def call(self, function: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs) -> Result:
        """``function(*args, **kwargs)``, run by the caller's thread."""
        answer: Future[Result] = Future()
        request = partial(_settle, answer, partial(function, *args, **kwargs))
        with self._lock:
            if self._closed:
                raise RuntimeError("the caller of this agent has left")
            self._requests.put(request)
        return _unmasked(answer)

    def _work(self, done: Future[Result], work: Callable[[], Result]) -> None:
        _settle(done, work)
        self._requests.put(None)

    def _close(self) -> None:
        with self._lock:
            self._closed = True
            while not self._requests.empty():
                request = self._requests.get()
                if isinstance(request, partial):
                    request.args[0].cancel()


def _settle(future: Future[Any], work: Callable[[], Any]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:  # whoever waits for the future gets it, time limits included
        future.set_exception(error)


def _unmasked(answer: Future[Result]) -> Result:
    try:
        return answer.result()
    except ValidationError as error:
        # The tool node would show a ValidationError to the model as wrong arguments; here it is a bug behind a port.
        raise RuntimeError("a port raised a validation error") from error
