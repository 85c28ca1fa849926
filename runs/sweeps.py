"""What the beat looks for: work that nobody holds any more."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from . import dispatch, services
from .models import ProviderJob, Run, Step
from .states import OPEN_JOB, RunStatus, StepStatus

if TYPE_CHECKING:
    from uuid import UUID


@transaction.atomic
def lost_runs(now: datetime) -> int:
    """Enqueues running runs whose step lost its worker, or whose wake-up never arrived."""
    runs = list(_lost(now).select_for_update(skip_locked=True, no_key=True)[:100])
    for run in runs:
        # updated_at is when somebody last moved or woke the run; the next sweep leaves it a while to start.
        run.save(update_fields=["updated_at"])
        # A run that nobody holds may only be standing in the queue: it must not pass one whose worker has died.
        dispatch.enqueue(run, urgent=run.widowed)
    return len(runs)


def _lost(now: datetime) -> QuerySet[Any]:
    """Running runs, each ``widowed`` when the worker of its step is gone."""
    mine = Step.objects.filter(run=OuterRef("pk"))
    expired = mine.filter(status=StepStatus.RUNNING, lease_until__lt=now)
    held = mine.filter(status__in=[StepStatus.RUNNING, StepStatus.WAITING])
    woken = now - timedelta(seconds=settings.RUNS.lease_s)
    silent = Run.objects.filter(status=RunStatus.RUNNING, updated_at__lt=woken).annotate(widowed=Exists(expired))
    return silent.filter(Q(widowed=True) | ~Exists(held))


def finished_waits() -> int:
    """Ends waits whose jobs are all done, should the last one's wake-up have been lost."""
    open_jobs = ProviderJob.objects.filter(run=OuterRef("run"), kind=OuterRef("name"), status__in=OPEN_JOB)
    done = Step.objects.filter(~Exists(open_jobs), kind="wait", status=StepStatus.WAITING)
    return sum(services.settle(run_id) for run_id in list(done.values_list("run_id", flat=True)[:100]))


def expired_waits(now: datetime) -> int:
    """Ends waits whose deadline passed."""
    late = Step.objects.filter(kind="wait", status=StepStatus.WAITING, deadline__lt=now).values_list("id", flat=True)
    return sum(services.expire(step_id, now=now) for step_id in list(late[:100]))


def expired_gates(now: datetime) -> int:
    """Decides at gates that nobody decided at in time."""
    late = Step.objects.filter(kind="gate", status=StepStatus.WAITING, deadline__lt=now).values_list("id", flat=True)
    return sum(services.expire_gate(step_id, now=now) for step_id in list(late[:100]))


def orphaned_repairs(now: datetime) -> list[UUID]:
    """Gates whose repair nobody holds any more, or whose wake-up never arrived; each is handed out once per lease."""
    silent = Step.objects.filter(
        kind="gate", status=StepStatus.WAITING, lease_until__lt=now - timedelta(seconds=settings.RUNS.lease_s)
    )
    ids = list(silent.values_list("id", flat=True)[:100])
    # From now on another worker may take it.
    Step.objects.filter(id__in=ids, status=StepStatus.WAITING, lease_until__lt=now).update(lease_until=now)
    return ids
