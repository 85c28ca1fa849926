"""The one place that puts work into the broker. A message is a wake-up: it carries ids and may be lost or doubled.

What is to be sent is a row, committed with the change that wants it. The row is sent after the commit, or, should this
process die or the broker be away, by the relay.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from celery import chain, current_app
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from providers.tasks import delay_s

from .models import Outbox
from .states import StepStatus, segment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from .models import Run, Step

log = logging.getLogger(__name__)

# Who takes a row to send it has so long; then another may.
SENDING = timedelta(seconds=5)
BATCH = 500
# Workers empty this queue before all others (settings: CELERY_BROKER_TRANSPORT_OPTIONS).
URGENT = "urgent"
Link = tuple[str, list[str]]


def enqueue(run: Run, *, urgent: bool = False) -> None:
    """Wakes the run's next segment, one chain of links up to and including the next park."""
    steps = list(run.steps.filter(status__in=run.steps.model.UNDONE))
    if steps and steps[0].status in {StepStatus.PENDING, StepStatus.RUNNING}:
        _write([_link(step) for step in steps[: segment([step.kind for step in steps])]], urgent=urgent)


def enqueue_task(name: str, *ids: UUID | str) -> None:
    """Wakes one task."""
    _write([(name, [str(part) for part in ids])])


def _link(step: Step) -> Link:
    name = {"stage": f"personas.{step.name}", "wait": f"waits.{step.name}", "gate": "gates.open"}[step.kind]
    return name, [str(step.run_id), str(step.id)]


def _write(links: list[Link], *, urgent: bool = False) -> None:
    row = Outbox.objects.create(links=links, urgent=urgent)
    # A broker that is away must not fail the caller: the next relay sends the row.
    transaction.on_commit(lambda: relay([row]), robust=True)


def due(now: datetime) -> list[Outbox]:
    """Rows that nobody has sent yet."""
    return list(Outbox.objects.filter(due_at__lte=now, attempts__lt=Outbox.MAX_ATTEMPTS)[:BATCH])


def relay(rows: Sequence[Outbox]) -> int:
    """Sends the rows and returns how many the broker took."""
    try:
        return sum(_send(row) for row in rows if _take(row))
    except (OperationalError, RedisError) as error:
        log.warning("the broker cannot be reached", extra={"waiting": len(rows), "reason": str(error)})
        return 0


def send_again(rows: QuerySet[Outbox]) -> int:
    """Sends rows that the broker has refused, because a person has mended the reason; how many it took."""
    rows.update(attempts=0, due_at=timezone.now())
    return relay(list(rows))


def _take(row: Outbox) -> bool:
    """Keeps others off the row while it is being sent: they would double the message."""
    return bool(Outbox.objects.filter(id=row.id, due_at=row.due_at).update(due_at=timezone.now() + SENDING))


def _send(row: Outbox) -> bool:
    links = [current_app.signature(name, args=args, immutable=True) for name, args in row.links]
    try:
        segment_of_work = chain(*links)
        # Only the first link is urgent; the others take the way of their names.
        segment_of_work.apply_async(queue=URGENT) if row.urgent else segment_of_work.apply_async()
    except (OperationalError, RedisError):
        # Away, or there and unable, as one that is loading its data or has no room.
        Outbox.objects.filter(id=row.id).update(due_at=row.due_at)
        raise
    except Exception as error:
        # Refused for what it is. It stays, for people to see, and holds up no other.
        log.exception("a wake-up cannot be sent", extra={"outbox": row.id})
        Outbox.objects.filter(id=row.id).update(
            attempts=row.attempts + 1,
            due_at=timezone.now() + timedelta(seconds=delay_s(row.attempts)),
            error=f"{type(error).__name__}: {error}",
        )
        return False
    Outbox.objects.filter(id=row.id).delete()
    return True
