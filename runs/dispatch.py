"""The one place that puts work into the broker. A message is a wake-up: it carries ids and may be lost or doubled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery import chain, current_app
from django.db import transaction

from .states import StepStatus, segment

if TYPE_CHECKING:
    from uuid import UUID

    from celery.canvas import Signature

    from .models import Run, Step


def enqueue(run: Run) -> None:
    """Sends the run's next segment, one chain of links up to and including the next park, on commit."""
    steps = list(run.steps.filter(status__in=run.steps.model.UNDONE))
    if steps and steps[0].status in {StepStatus.PENDING, StepStatus.RUNNING}:
        links = [_link(step) for step in steps[: segment([step.kind for step in steps])]]
        # A broker that is down must not fail the caller: the sweep sends the wake-up again.
        transaction.on_commit(lambda: chain(*links).apply_async(), robust=True)


def enqueue_task(name: str, *ids: UUID | str) -> None:
    """Sends one task on commit."""
    signature = current_app.signature(name, args=[str(part) for part in ids], immutable=True)
    transaction.on_commit(signature.apply_async, robust=True)


def _link(step: Step) -> Signature:
    name = {"stage": f"personas.{step.name}", "wait": f"waits.{step.name}", "gate": "gates.open"}[step.kind]
    return current_app.signature(name, args=[str(step.run_id), str(step.id)], immutable=True)
