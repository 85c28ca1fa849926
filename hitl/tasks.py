"""Sends messages to people. A channel that fails is tried again and then given up; no run waits for it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from celery import Task, shared_task
from django.conf import settings

from myloware.kernel.errors import MylowareError
from runs.models import Run, Step

from . import channels, links, messages

if TYPE_CHECKING:
    from .messages import Message

log = logging.getLogger(__name__)

MAX_RETRIES = 5
FIRST_RETRY_S = 5


@shared_task(name="hitl.invite", bind=True, max_retries=MAX_RETRIES)
def invite(self: Task[Any, Any], step_id: str, channel: str) -> str:
    """Invites to decide at a gate, unless somebody has decided meanwhile."""
    step = Step.objects.select_related("run__project").filter(id=step_id).first()
    if step is None or links.open_gate(step.run) != step:
        return "decided already"
    return _send(self, channel, messages.invitation(step))


@shared_task(name="hitl.notify", bind=True, max_retries=MAX_RETRIES)
def notify(self: Task[Any, Any], run_id: str, channel: str) -> str:
    """Tells how a run ended."""
    run = Run.objects.select_related("project").filter(id=run_id).first()
    if run is None or run.active:
        return "not ended"
    return _send(self, channel, messages.ending(run))


def _send(task: Task[Any, Any], channel: str, message: Message) -> str:
    try:
        channels.channel(channel).send(message)
    except MylowareError as error:
        log.warning("channel failed", extra={"channel": channel, "runId": str(message.run.id), "reason": error.message})
        if error.permanent or task.request.retries >= MAX_RETRIES:
            return "failed"
        wait_s = getattr(error, "retry_after_s", None) or FIRST_RETRY_S * 2**task.request.retries
        # Redis hands out again what waits longer than its visibility timeout.
        raise task.retry(countdown=min(wait_s, settings.CELERY_TASK_TIME_LIMIT), exc=error) from error
    return "sent"
