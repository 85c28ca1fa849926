"""Stages as a worker does them, while things around it break."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from personas import checkpoints
from runs import crew, services, tasks
from runs.models import Step
from runs.states import RunStatus, StepStatus

from .journey import approve, work

if TYPE_CHECKING:
    from runs.models import Run

CHECKPOINTERS = "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query ILIKE '%%checkpoint%%'"


def end_connections() -> int:
    """Ends the connections of the agents' checkpoints, as a restart of the server does."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_terminate_backend(pid) FROM ({CHECKPOINTERS}) AS found")
        return len(cursor.fetchall())


def test_a_stage_finds_new_connections_after_the_database_was_away(agent_run: Run) -> None:
    approve(agent_run)
    assert work(agent_run, "iggy") == "done"
    assert end_connections() > 0
    assert work(agent_run, "riley") == "done"


def test_a_stage_whose_database_goes_away_is_taken_over_and_not_failed(
    agent_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*args: object, **values: object) -> None:
        raise OperationalError("terminating connection due to unexpected postmaster exit")

    approve(agent_run)
    monkeypatch.setattr("runs.ports.search", gone)
    with pytest.raises(OperationalError):
        work(agent_run, "iggy")
    monkeypatch.undo()
    step = agent_run.steps.get(name="iggy")
    agent_run.refresh_from_db()
    assert (agent_run.status, step.status, step.error) == (RunStatus.RUNNING, StepStatus.RUNNING, "")
    taken = services.claim(step.id, now=timezone.now() + timedelta(minutes=1))
    assert taken is not None
    assert taken.attempt == 2


def test_threads_of_steps_that_are_long_over_are_forgotten(agent_run: Run) -> None:
    approve(agent_run)
    assert work(agent_run, "iggy") == "done"
    iggy, riley = agent_run.steps.get(name="iggy"), agent_run.steps.get(name="riley")
    assert work(agent_run, "riley") == "done"
    Step.objects.filter(id=iggy.id).update(finished_at=timezone.now() - timedelta(days=8))
    assert tasks.tidy() == 1
    assert tasks.tidy() == 0
    kept = checkpoints.threads(crew.conninfo())
    assert f"{riley.id}.0" in kept
    assert f"{iggy.id}.0" not in kept
    checkpoints.forget(crew.conninfo(), f"{riley.id}.0")
