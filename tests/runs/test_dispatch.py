"""The outbox: a wake-up is a row until the broker has it."""

from __future__ import annotations

import json
import socket
import time
from datetime import timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from celery import Celery, current_app
from django.conf import settings
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from myloware.celery import app
from myloware.kernel.errors import NotFound
from runs import dispatch, letters, services, tasks
from runs.models import Outbox, Run, Step
from runs.states import RunStatus, StepStatus

from .journey import approve, stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client
    from pytest_django import DjangoCaptureOnCommitCallbacks

    from .conftest import MakeRun

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture
def inbox() -> Iterator[Any]:
    """The broker's queue of runs, empty before and after."""
    with current_app.connection_for_write() as connection:
        queue = connection.SimpleQueue("runs")
        queue.clear()
        yield queue
        queue.clear()
        queue.close()


@pytest.fixture
def no_broker() -> Iterator[None]:
    """The address of a broker that is away."""
    usual = app
    Celery("away", broker=NOWHERE).set_current()
    yield
    usual.set_current()


def received(inbox: Any) -> list[str]:
    """The names of the tasks in the queue."""
    messages = [inbox.get(timeout=2) for _ in range(inbox.qsize())]
    for message in messages:
        message.ack()
    return [message.headers["task"] for message in messages]


def test_a_wake_up_is_committed_with_the_change_and_sent_after_it(
    run: Run, inbox: Any, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        approve(run)
    segment = Outbox.objects.get(links__0__0="personas.iggy")
    assert [name for name, _ in segment.links] == ["personas.iggy", "personas.riley", "waits.clips"]
    for callback in callbacks:
        callback()
    assert "personas.iggy" in received(inbox)
    assert not Outbox.objects.filter(id=segment.id).exists()


def test_what_a_dying_process_left_is_sent_by_the_sweep(run: Run, inbox: Any) -> None:
    approve(run)
    assert Outbox.objects.exists()
    tasks.sweep()
    assert "personas.iggy" in received(inbox)
    assert not Outbox.objects.exists()


def test_a_broker_that_is_away_costs_nothing_but_time(run: Run, inbox: Any, no_broker: None) -> None:
    approve(run)
    waiting = Outbox.objects.count()
    assert dispatch.relay(dispatch.due(timezone.now())) == 0
    assert Outbox.objects.filter(attempts=0, error="").count() == waiting
    assert len(dispatch.due(timezone.now())) == waiting


def test_a_broker_that_hangs_does_not_hold_up_who_decides(run: Run) -> None:
    waiting = Outbox.objects.count()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hung = Celery("hung", broker=f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        hung.conf.update(
            broker_transport_options=settings.CELERY_BROKER_TRANSPORT_OPTIONS,
            task_publish_retry=settings.CELERY_TASK_PUBLISH_RETRY,
        )
        hung.set_current()
        try:
            started = time.monotonic()
            assert dispatch.relay(dispatch.due(timezone.now())) == 0
            assert time.monotonic() - started < 10
        finally:
            app.set_current()
    assert Outbox.objects.filter(attempts=0, error="").count() == waiting > 0


def test_two_relays_send_a_row_once(run: Run, inbox: Any) -> None:
    dispatch.enqueue_task("jobs.submit", run.id, "clips")
    rows = list(Outbox.objects.filter(links__0__0="jobs.submit"))
    assert dispatch.relay(rows) == 1
    assert dispatch.relay(rows) == 0
    assert inbox.qsize() == 1


def test_a_row_whose_sender_died_is_due_again(run: Run) -> None:
    dispatch.enqueue_task("jobs.submit", run.id, "clips")
    row = Outbox.objects.get(links__0__0="jobs.submit")
    assert dispatch._take(row)
    now = timezone.now()
    assert row not in dispatch.due(now)
    assert row in dispatch.due(now + dispatch.SENDING + timedelta(seconds=1))


def refused() -> Outbox:
    """A wake-up that Celery refuses, because an id is missing."""
    row = Outbox.objects.create(links=[["jobs.submit", ["x"]]])
    for _ in range(Outbox.MAX_ATTEMPTS):
        Outbox.objects.update(due_at=timezone.now())
        dispatch.relay(dispatch.due(timezone.now()))
    row.refresh_from_db()
    return row


def test_what_the_broker_refuses_is_kept_with_its_reason(db: None, inbox: Any) -> None:
    row = refused()
    assert row.dead
    assert "missing 1 required positional argument" in row.error
    assert row not in dispatch.due(timezone.now())
    assert [letter.id for letter in letters.letters()] == [f"outbox:{row.id}"]
    assert letters.replay(f"outbox:{row.id}", actor="bob") == "refused again"
    Outbox.objects.filter(id=row.id).update(links=[["jobs.submit", ["x", "clips"]]], attempts=Outbox.MAX_ATTEMPTS)
    assert letters.replay(f"outbox:{row.id}", actor="bob") == "sent"
    assert letters.letters() == []


def dead_step(run: Run) -> Step:
    approve(run)
    step = stage(run, "iggy")
    past = timezone.now() - timedelta(seconds=1)
    Step.objects.filter(id=step.id).update(attempt=services.MAX_ATTEMPTS, lease_until=past)
    services.claim(step.id)
    step.refresh_from_db()
    assert step.status == StepStatus.FAILED
    return step


def test_a_step_that_killed_its_workers_is_replayed_or_its_run_cancelled(make_run: MakeRun) -> None:
    first, second = dead_step(make_run()), dead_step(make_run())
    assert {letter.id for letter in letters.letters()} == {f"step:{first.id}", f"step:{second.id}"}
    assert letters.replay(f"step:{first.id}", actor="bob") == "the run is running"
    assert stage(first.run, "iggy").attempt == services.MAX_ATTEMPTS + 1
    assert letters.resolve(f"step:{second.id}", actor="bob") == "resolved"
    assert Run.objects.get(id=second.run_id).status == RunStatus.CANCELLED


def test_the_admin_replays_and_resolves_steps(admin_client: Client, make_run: MakeRun) -> None:
    first, second, sound = dead_step(make_run()), dead_step(make_run()), make_run()
    page = admin_client.get(reverse("admin:runs_step_changelist"), {"dead": "yes"})
    assert {step.id for step in page.context["cl"].queryset} == {first.id, second.id}
    for action, chosen in (("replay", first), ("resolve", second), ("replay", sound.steps.get(name="iggy"))):
        form = {"action": action, "_selected_action": [str(chosen.id)]}
        told = admin_client.post(reverse("admin:runs_step_changelist"), form, follow=True).content.decode()
    assert "There is no dead letter" in told
    assert [Run.objects.get(id=step.run_id).status for step in (first, second)] == ["running", "cancelled"]


def test_the_command_lists_shows_and_settles(db: None, inbox: Any) -> None:
    row = refused()
    assert f"outbox:{row.id}" in command("list")
    assert json.loads(command("show", f"outbox:{row.id}"))["attempts"] == Outbox.MAX_ATTEMPTS
    assert command("resolve", f"outbox:{row.id}") == "resolved"
    assert command("list") == "No dead letters."
    with pytest.raises(CommandError, match="There is no dead letter"):
        command("show", "outbox:1")
    with pytest.raises(NotFound):
        letters.letter("nonsense")


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("dead_letters", *arguments, stdout=out)
    return out.getvalue().strip()
