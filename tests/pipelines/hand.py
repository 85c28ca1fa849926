"""A whole system worked by hand: the services call over a socket, and one thread is worker, beat and reviewer.

Rows, wake-ups, adapters, simulators and views are the real ones. All rows live in one transaction, so no broker is
needed: what lies in the outbox is done by :meth:`Hand.work`. Time passes when the test says so.
"""

from __future__ import annotations

import threading
import time
from contextlib import nullcontext
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from celery import current_app
from django.core.cache import cache
from django.db import connection, connections
from django.db.models import F
from django.test import Client

from providers import registry
from providers.models import WebhookEvent
from providers.tasks import OPEN, apply_webhook
from runs import tasks
from runs.models import Outbox, ProviderJob, Run, Step
from tests.runs.journey import approve, play

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from tests.runs.journey import Work

# Longer than an order is left alone, and than a service that failed is.
A_WHILE = timedelta(minutes=1)
# Longer than any order is waited for.
LONG = timedelta(hours=2)
# More often than the slowest render has to be asked about.
POLLS = 8
STUCK_S = 300


class Postbox:
    """Where the services call: a socket, and behind it the views, which share the test's connection to the database.

    ``deaf``: so many calls are not heard. ``then`` is done before a call is answered.
    """

    def __init__(self) -> None:
        # One thread at a time: they share a transaction.
        self.turn: AbstractContextManager[Any] = threading.RLock()
        self.then: Callable[[], object] = lambda: None
        self.deaf = 0
        self.answers: list[int] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, connections["default"]))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def open(self) -> None:
        connection.inc_thread_sharing()
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        connection.dec_thread_sharing()

    def receive(self, path: str, body: bytes, headers: dict[str, str]) -> int:
        """The status with which the call is answered."""
        with self.turn:
            self.deaf -= 1
            status = 500 if self.deaf >= 0 else _answered(path, body, headers)
            self.answers.append(status)
            self.then()
            return status


def _answered(path: str, body: bytes, headers: dict[str, str]) -> int:
    kind = headers.pop("Content-Type")
    return Client().generic("POST", path, body, content_type=kind, headers=headers).status_code


def _handler(postbox: Postbox, shared: Any) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            connections["default"] = shared
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept = {name: value for name, value in self.headers.items() if name not in {"Host", "Content-Length"}}
            self.send_response(postbox.receive(self.path, body, kept))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's word)
            """Tests say what they look at."""

    return Handler


class Hand:
    """Worker, beat and reviewer in one. ``crew``: who works otherwise than :func:`play` does, by stage."""

    def __init__(self, postbox: Postbox) -> None:
        self.postbox = postbox
        self.simulators = registry.simulators(tiny=True)
        self.crew: dict[str, Work] = {}
        current_app.loader.import_default_modules()

    def turn(self, faults: Mapping[str, int]) -> None:
        """Lets services go wrong, ``"kieai.no_callback": 2``."""
        for named, times in faults.items():
            service, _, fault = named.partition(".")
            self.simulators[service].world.dial.turn({service: {fault: times}})

    def mend(self) -> None:
        """Everything works again from now on."""
        self.simulators["kieai"].world.dial.reset()

    def go(self, run: Run) -> None:
        """Takes the run as far as it comes while no time passes; every gate is approved."""
        self._rest()
        while (step := _cursor(run)) and run.active and step.kind == "gate":
            approve(run)
            self._rest()

    def wait(self, run: Run) -> int:
        """Lets time pass until the run has ended, at last so much that no order is waited for any longer.

        Returns how often something had to be looked for.
        """
        for polls, span in enumerate([*[A_WHILE] * POLLS, LONG, A_WHILE]):
            if not run.active:
                return polls
            self._pass(span)
            self.go(run)
        assert not run.active, f"The run hangs at {_cursor(run)}."
        return POLLS + 2

    def _pass(self, span: timedelta) -> None:
        """So much time passes, and the beat sweeps."""
        ProviderJob.objects.update(**{name: F(name) - span for name in ("poll_at", "deadline", "lease_until")})
        Step.objects.update(deadline=F("deadline") - span)
        # What all workers remember for a while, such as who failed.
        cache.clear()
        tasks.sweep()

    def _rest(self) -> None:
        """Works until nothing is left to do, and the services have told all that they had to tell."""
        deadline = time.monotonic() + STUCK_S
        resting = False
        while not resting:
            assert time.monotonic() < deadline
            told = self._all_is_told()
            with self.postbox.turn:
                resting = not self.work() and told
            time.sleep(0 if resting else 0.005)

    def _all_is_told(self) -> bool:
        return all(job["told"] for each in self.simulators.values() for job in each.jobs())

    def work(self) -> bool:
        """Applies the callbacks and does what lies in the outbox; False when there was nothing."""
        worked = False
        while self._apply() or self._perform():
            worked = True
        return worked

    def _apply(self) -> bool:
        events = list(WebhookEvent.objects.filter(status__in=OPEN))
        for event in events:
            assert apply_webhook(str(event.id)) == "processed"
        return bool(events)

    def _perform(self) -> bool:
        row = Outbox.objects.first()
        if row is None:
            return False
        row.delete()
        for name, ids in row.links:
            self._play(*ids) if name.startswith("personas.") else current_app.tasks[name](*ids)
        return True

    def _play(self, run_id: str, step_id: str) -> None:
        run, step = Run.objects.get(id=run_id), Step.objects.get(id=step_id)
        if run.active and run.cursor() == step:
            play(run, step, self.crew.get(step.name))

    def hurry(self) -> None:
        """From now on what a call wakes is done before it is answered, whatever else is under way."""
        self.postbox.turn, self.postbox.then = nullcontext(), self.work


def _cursor(run: Run) -> Step | None:
    run.refresh_from_db()
    return run.cursor()
