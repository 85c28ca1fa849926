"""Sends messages to people. A channel that fails is tried again and then given up; no run waits for it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from celery import Task, shared_task
from django.conf import settings
from django.utils import timezone

from runs.dispatch import enqueue_task
from runs.models import Run, Step
from runs.services import digest_of

from . import deliveries, links, messages, reminders
from .models import Delivery

if TYPE_CHECKING:
    from .messages import Message

MAX_RETRIES = deliveries.MAX_ATTEMPTS - 1
# A wake-up that is so late was lost.
LOST_AFTER = timedelta(minutes=2)


@shared_task(name="hitl.invite", bind=True, max_retries=MAX_RETRIES)
def invite(self: Task[Any, Any], step_id: str, channel: str) -> str:
    """Invites to decide at a gate, unless somebody has decided meanwhile."""
    step = _open(step_id)
    if step is None:
        return "decided already"
    # What is shown anew is asked anew.
    return _send(self, channel, messages.invitation(step), f"invitation {digest_of(step)[:12]}")


@shared_task(name="hitl.remind", bind=True, max_retries=MAX_RETRIES)
def remind(self: Task[Any, Any], step_id: str, channel: str, kind: str) -> str:
    """Asks again at a gate that is still open; ``kind`` is the word for it and a number."""
    step = _open(step_id)
    if step is None:
        return "decided already"
    return _send(self, channel, messages.invitation(step, again=kind.split(maxsplit=1)[0].capitalize()), kind)


@shared_task(name="hitl.notify", bind=True, max_retries=MAX_RETRIES)
def notify(self: Task[Any, Any], run_id: str, channel: str) -> str:
    """Tells how a run ended."""
    run = Run.objects.select_related("project").filter(id=run_id).first()
    if run is None or run.active:
        return "not ended"
    return _send(self, channel, messages.ending(run), "ending")


@shared_task(name="hitl.tell", bind=True, max_retries=MAX_RETRIES)
def tell(self: Task[Any, Any], step_id: str) -> str:
    """Puts what was decided in the place of each invitation."""
    step = Step.objects.select_related("run__project").get(id=step_id)
    if links.open_gate(step.run) == step:
        return "still open"
    wait_s = deliveries.tell(step, messages.outcome(step))
    if wait_s and self.request.retries < MAX_RETRIES:
        raise self.retry(countdown=wait_s)
    return "told"


@shared_task(name="hitl.sweep", ignore_result=True)
def sweep() -> int:
    """Wakes deliveries whose wake-up was lost, and reminds of gates that are open for long."""
    now = timezone.now()
    late = Delivery.objects.filter(status=Delivery.Status.DUE, due_at__lt=now - LOST_AFTER)
    asked = {deliveries.wake_up(each) for each in late.order_by("due_at")[:100]} | reminders.due(now)
    for name, *ids in asked:
        enqueue_task(name, *ids)
    return len(asked)


def _open(step_id: str) -> Step | None:
    step = Step.objects.select_related("run__project").filter(id=step_id).first()
    return step if step is not None and links.open_gate(step.run) == step else None


def _send(task: Task[Any, Any], channel: str, message: Message, kind: str) -> str:
    wait_s, failed = deliveries.send(channel, message, kind)
    if wait_s and task.request.retries < MAX_RETRIES:
        # Redis hands out again what waits longer than its visibility timeout; the sweep wakes what is due later.
        raise task.retry(countdown=min(wait_s, settings.CELERY_TASK_TIME_LIMIT))
    return "failed" if failed or wait_s else "sent"
