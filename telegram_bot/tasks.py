"""Answers messages outside the webhook's request."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from celery import Task, shared_task
from django.conf import settings
from django.utils import timezone

from hitl.links import approval_url, open_gate
from myloware.kernel.errors import MylowareError, RateLimited
from myloware.kernel.locks import alone
from myloware.kernel.logging import log_context
from runs.models import Run

from .client import Button, bot, escape, pages
from .commands import answer
from .models import TelegramUpdate

log = logging.getLogger(__name__)

MAX_RETRIES = 10
FIRST_RETRY_S = 2
APOLOGY = "That did not work on our side. Please try again in a while."
# A wake-up that is so late was lost.
LOST_AFTER = timedelta(minutes=2)


@shared_task(name="telegram.reply", bind=True, max_retries=MAX_RETRIES)
def reply(self: Task[Any, Any], row_id: int) -> str:
    """Answers one stored message; what was answered already stays so."""
    with alone(f"telegram.reply:{row_id}") as mine:
        row = _due(row_id) if mine else None
        if row is None:
            return "nothing to do"
        with log_context(actor=row.user_id):
            return _answered(self, row)


@shared_task(name="telegram.sweep", ignore_result=True)
def sweep() -> int:
    """Sends the wake-up again for messages that nobody has answered."""
    late = TelegramUpdate.objects.filter(status=TelegramUpdate.Status.RECEIVED, due_at__lt=timezone.now() - LOST_AFTER)
    ids = list(late.values_list("id", flat=True)[:100])
    for row_id in ids:
        reply.delay(row_id)
    return len(ids)


def _due(row_id: int) -> TelegramUpdate | None:
    """The message, unless it is answered, or Telegram wants us to wait."""
    return TelegramUpdate.objects.filter(
        id=row_id, status=TelegramUpdate.Status.RECEIVED, due_at__lte=timezone.now()
    ).first()


def _answered(task: Task[Any, Any], row: TelegramUpdate) -> str:
    try:
        _think(row)
        _send(row)
    except MylowareError as error:
        return _later(task, row, error)
    return "answered"


def _think(row: TelegramUpdate) -> None:
    """Asks Brendan, once, and keeps the answer."""
    if row.reply:
        return
    try:
        said = answer(row.text, user_id=row.user_id)
    except RateLimited:
        raise
    except MylowareError as error:
        log.exception("no answer", extra={"update": row.update_id, "reason": error.message})
        row.reply, row.error = [APOLOGY], error.message
    else:
        row.reply, row.runs = [escape(page) for page in pages(said.text)], list(said.runs)
    row.save(update_fields=["reply", "runs", "error"])


def _send(row: TelegramUpdate) -> None:
    while row.sent < len(row.reply):
        last = row.sent == len(row.reply) - 1
        bot().send(row.chat_id, row.reply[row.sent], _buttons(row) if last else ())
        row.sent += 1
        row.save(update_fields=["sent"])
    row.status, row.answered_at = TelegramUpdate.Status.ANSWERED, timezone.now()
    row.save(update_fields=["status", "answered_at"])


def _buttons(row: TelegramUpdate) -> tuple[Button, ...]:
    """One button per run of the answer that waits for this person."""
    runs = Run.objects.filter(id__in=row.runs, user_id=row.user_id).select_related("project")
    gates = [gate for gate in map(open_gate, runs) if gate]
    return tuple(Button("Look and decide", approval_url(gate, recipient=row.user_id)) for gate in gates)


def _later(task: Task[Any, Any], row: TelegramUpdate, error: MylowareError) -> str:
    if error.permanent or task.request.retries >= MAX_RETRIES:
        log.warning("message not answered", extra={"update": row.update_id, "reason": error.message})
        row.status, row.error = TelegramUpdate.Status.FAILED, error.message
        row.save(update_fields=["status", "error"])
        return "failed"
    wait_s = max(getattr(error, "retry_after_s", None) or 0, FIRST_RETRY_S * 2 ** min(task.request.retries, 5))
    row.due_at = timezone.now() + timedelta(seconds=wait_s)
    row.save(update_fields=["due_at"])
    # Redis hands out again what waits longer than its visibility timeout; the sweep wakes what is due later.
    raise task.retry(countdown=min(wait_s, settings.CELERY_TASK_TIME_LIMIT), exc=error) from error
