"""Celery's view of the engine: load by id, call a service, return. Named so that Flower reads like the pipeline."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import psycopg
from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import OperationalError
from django.utils import timezone

from myloware.kernel.errors import BudgetExceeded, Conflict, MylowareError
from myloware.kernel.lease import kept
from myloware.kernel.logging import log_context, redact
from personas.registry import PERSONAS

from . import crew, jobs, services, stock, sweeps
from .dispatch import due, enqueue_task, relay

if TYPE_CHECKING:
    from .models import Step

log = logging.getLogger(__name__)


def _stage(run_id: str, step_id: str) -> str:
    with log_context(runId=run_id, stepId=step_id):
        step = services.claim(step_id)
        if step is None:
            return "nothing to claim"
        try:
            with kept(lambda: services.heartbeat(step), settings.RUNS.lease_s):
                output = _perform(step)
        except BudgetExceeded as error:
            return "waits for money" if services.ask_for_money(step, error) else "taken over"
        return "done" if services.complete(step, output) else "taken over"


def _perform(step: Step) -> dict[str, object]:
    try:
        return crew.perform(step)
    except (BudgetExceeded, OperationalError, psycopg.OperationalError):
        # A database that was away is nobody's failure: the lease runs out, and the step is taken over.
        raise
    except MylowareError as error:
        services.fail(step, error.message)
        raise
    except SoftTimeLimitExceeded:
        services.fail(step, f"took longer than {settings.RUNS.stage_limit_s} s")
        raise
    except Exception as error:
        services.fail(step, redact(f"unexpected {type(error).__name__}: {error}"[:1000]))
        raise


for _name in PERSONAS:
    shared_task(name=f"personas.{_name}")(_stage)


@shared_task(name="gates.open")
def open_gate(run_id: str, step_id: str) -> str:
    with log_context(runId=run_id, stepId=step_id):
        return "open" if services.park(step_id) else "not its turn"


def _wait(kind: str, run_id: str, step_id: str) -> str:
    with log_context(runId=run_id, stepId=step_id):
        parked = services.park(step_id)
        jobs.carry_on(run_id, kind)
        return "waiting" if parked else "not its turn"


@shared_task(name="waits.clips")
def wait_clips(run_id: str, step_id: str) -> str:
    return _wait("clips", run_id, step_id)


@shared_task(name="waits.render")
def wait_render(run_id: str, step_id: str) -> str:
    return _wait("render", run_id, step_id)


@shared_task(name="waits.publish")
def wait_publish(run_id: str, step_id: str) -> str:
    return _wait("publish", run_id, step_id)


@shared_task(name="jobs.submit")
def submit(run_id: str, kind: str) -> None:
    with log_context(runId=run_id):
        jobs.carry_on(run_id, kind)


@shared_task(name="jobs.settled")
def settled(run_id: str, kind: str) -> None:
    """A job ended: its place in flight is free, and its wait may be over."""
    with log_context(runId=run_id):
        jobs.carry_on(run_id, kind)
        services.settle(run_id)


@shared_task(name="media.refresh")
def refresh(job_id: str) -> None:
    jobs.refresh(job_id)


@shared_task(name="media.repair")
def repair(step_id: str) -> str:
    # What it takes to mend a film is loaded by those who do.
    from . import repairs

    return repairs.carry_out(step_id)


@shared_task(name="runs.sweep")
def sweep() -> dict[str, int]:
    """Sends lost wake-ups again: expired leases, forgotten runs, silent jobs, passed deadlines."""
    now = timezone.now()
    found = {"runs": sweeps.lost_runs(now), "waits": sweeps.finished_waits() + sweeps.expired_waits(now)}
    silent = jobs.due(now)
    for job_id in silent:
        enqueue_task("media.refresh", job_id)
    stranded = jobs.stranded(now)
    for run_id, kind in stranded:
        enqueue_task("jobs.submit", run_id, kind)
    orphans = sweeps.orphaned_repairs(now)
    for step_id in orphans:
        enqueue_task("media.repair", step_id)
    found["gates"] = sweeps.expired_gates(now)
    found |= {"jobs": len(silent), "intents": len(stranded), "repairs": len(orphans), "outbox": relay(due(now))}
    if any(found.values()):
        log.info("sweep found work", extra=found)
    return found


@shared_task(name="runs.tidy")
def tidy() -> int:
    """Deletes what nobody will need again."""
    return crew.forget_old_threads(timezone.now())


@shared_task(name="media.sweep")
def sweep_media() -> int:
    """Deletes files that no artifact names any more, unless they are suspiciously many."""
    try:
        deleted = stock.sweep(timezone.now(), most=0.5)
    except Conflict as error:
        log.warning("the media store was not swept", extra={"reason": error.message})
        return 0
    if deleted:
        log.info("media deleted", extra={"files": len(deleted)})
    return len(deleted)
