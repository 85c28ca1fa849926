"""The outbox of messages: one row for each person and channel, sent once, repeated while that may help."""

from __future__ import annotations

import logging
import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from myloware.kernel.errors import MylowareError
from myloware.kernel.locks import alone

from . import channels
from .models import Delivery

if TYPE_CHECKING:
    from collections.abc import Callable

    from runs.models import Step

    from .messages import Message

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 6
FIRST_RETRY_S = 5


def send(path: str, message: Message, kind: str) -> tuple[int, int]:
    """Sends to all whom the message concerns at a channel, each once.

    Returns the seconds until the next is due, 0 when none is, and how many were given up.
    """
    channel = channels.channel(path)
    rows = [_row(message, kind, path, recipient) for recipient in channel.recipients(message)]
    for row in rows:
        with alone(f"hitl.delivery:{row.id}") as mine:
            if mine:
                _attempt(row, lambda row: channel.send(message, row))
    waiting = [row for row in rows if row.status == Delivery.Status.DUE]
    return _wait_s(waiting), sum(row.status == Delivery.Status.FAILED for row in rows)


def tell(step: Step, message: Message) -> int:
    """Changes every message about the gate that was sent; seconds until the next try, 0 when all are changed."""
    step.deliveries.filter(status=Delivery.Status.DUE).update(status=Delivery.Status.VOID)
    rows = list(step.deliveries.filter(status=Delivery.Status.SENT, told_at=None))
    for row in rows:
        try:
            channels.channel(row.channel).update(message, row)
        except MylowareError as error:
            log.warning("message not changed", extra={"delivery": row.id, "reason": error.message})
            if not error.permanent:
                continue
        row.told_at = timezone.now()
        row.save(update_fields=["told_at"])
    return FIRST_RETRY_S if any(row.told_at is None for row in rows) else 0


def wake_up(row: Delivery) -> tuple[str, ...]:
    """The task that sends what is due, and its arguments."""
    if row.step_id is None:
        return "hitl.notify", str(row.run_id), row.channel
    if row.kind.startswith("invitation"):
        return "hitl.invite", str(row.step_id), row.channel
    return "hitl.remind", str(row.step_id), row.channel, row.kind


def _row(message: Message, kind: str, path: str, recipient: str) -> Delivery:
    row, _ = Delivery.objects.get_or_create(
        run=message.run,
        step=message.step,
        kind=kind,
        channel=path,
        recipient=recipient,
        defaults={"subject": message.subject[:200]},
    )
    return row


def _attempt(row: Delivery, act: Callable[[Delivery], dict[str, Any]]) -> None:
    row.refresh_from_db()
    if row.status != Delivery.Status.DUE:
        return
    row.attempts += 1
    try:
        row.reference = act(row)
    except MylowareError as error:
        log.warning("channel failed", extra={"channel": row.channel, "runId": str(row.run_id), "reason": error.message})
        _put_off(row, error)
    else:
        row.status, row.sent_at, row.error = Delivery.Status.SENT, timezone.now(), ""
    row.save(update_fields=["attempts", "reference", "status", "sent_at", "error", "due_at"])


def _put_off(row: Delivery, error: MylowareError) -> None:
    row.error = error.message
    if error.permanent or row.attempts >= MAX_ATTEMPTS:
        row.status = Delivery.Status.FAILED
        return
    wait_s = getattr(error, "retry_after_s", None) or FIRST_RETRY_S * 2 ** (row.attempts - 1)
    row.due_at = timezone.now() + timedelta(seconds=wait_s)


def _wait_s(rows: list[Delivery]) -> int:
    soonest = min((row.due_at for row in rows), default=None)
    return max(math.ceil((soonest - timezone.now()).total_seconds()), 1) if soonest else 0
