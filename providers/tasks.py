"""Applies stored callbacks."""

from __future__ import annotations

import logging
from datetime import timedelta

from celery import shared_task
from celery.worker import state
from django.utils import timezone

from myloware.kernel.errors import Conflict

from . import registry, renders
from .callbacks import storable
from .inbox import PATIENCE
from .models import WebhookEvent
from .signals import provider_reported

log = logging.getLogger(__name__)

Status = WebhookEvent.Status
OPEN = (Status.RECEIVED, Status.FAILED)
BATCH = 200
# A vendor repeats a delivery for an hour at most; a payload is of use to a person for two weeks.
DEDUPE = timedelta(hours=24)
RETENTION = timedelta(days=14)
# Refused ones cost whoever sends them nothing.
MOST_REFUSED = 10_000


@shared_task(name="providers.apply_webhook")
def apply_webhook(event_id: str) -> str:
    """Applies an event that nobody has applied yet; the new status."""
    event = WebhookEvent.objects.get(id=event_id)
    return str(_apply(event)) if event.status in OPEN else "nothing to do"


def replay(event: WebhookEvent) -> str:
    """Applies an event at once because a person asks for it; the new status, ``processed`` or why not.

    Raises ``Conflict`` for one that was refused when it came: nobody knows who sent it.
    """
    if event.status == Status.REFUSED:
        raise Conflict(f"This callback was refused when it came: its signature is {event.signature_status}.")
    return str(_apply(event))


def resolve(event: WebhookEvent) -> None:
    """Takes an event that a person has dealt with out of the dead letters."""
    _mark(event, Status.RESOLVED, error=event.error)


def _apply(event: WebhookEvent) -> WebhookEvent.Status:
    try:
        found = registry.event(event.provider, event.headers, bytes(event.raw_payload), event.query)
        provider_reported.send(
            sender=WebhookEvent,
            provider=event.provider,
            external_ids=found.external_ids,
            reference=found.reference,
            account=found.account,
        )
    except Exception as error:
        log.exception("a callback could not be applied", extra={"provider": event.provider, "event": str(event.id)})
        return _failed(event, storable(f"{type(error).__name__}: {error}"))
    return _mark(event, Status.PROCESSED)


def _failed(event: WebhookEvent, error: str) -> WebhookEvent.Status:
    event.due_at = timezone.now() + timedelta(seconds=delay_s(event.attempts))
    dead = event.attempts + 1 >= WebhookEvent.MAX_ATTEMPTS
    return _mark(event, Status.DEAD if dead else Status.FAILED, error=error)


def delay_s(attempts: int) -> int:
    """Seconds before the next try after so many failed ones."""
    return int(min(60 * 2**attempts, 3600))


def _mark(event: WebhookEvent, status: WebhookEvent.Status, *, error: str = "") -> WebhookEvent.Status:
    event.status, event.error, event.processed_at = status, error, timezone.now()
    event.attempts += status != Status.RESOLVED
    event.save(update_fields=["status", "error", "processed_at", "attempts", "due_at"])
    return status


@shared_task(name="providers.sweep")
def sweep() -> int:
    """Applies events whose wake-up was lost, and again those whose receiver failed; wakes who renders."""
    due = WebhookEvent.objects.filter(status__in=OPEN, due_at__lte=timezone.now())
    # The longest due first: in a flood the newest would be all that is ever looked at.
    ids = list(due.order_by("due_at").values_list("id", flat=True)[:BATCH])
    WebhookEvent.objects.filter(id__in=ids).update(due_at=timezone.now() + PATIENCE)
    for event_id in ids:
        apply_webhook.delay(str(event_id))
    return len(ids) + renders.wake()


@shared_task(name="providers.tidy")
def tidy() -> int:
    """Frees the keys of yesterday's events, and deletes what nobody will look at any more; how many rows."""
    now = timezone.now()
    WebhookEvent.objects.filter(holds_key=True, received_at__lt=now - DEDUPE).update(holds_key=False)
    settled = (Status.PROCESSED, Status.REFUSED, Status.RESOLVED)
    old, _ = WebhookEvent.objects.filter(status__in=settled, received_at__lt=now - RETENTION).delete()
    refused = WebhookEvent.objects.filter(status=Status.REFUSED).order_by("-received_at")
    surplus, _ = WebhookEvent.objects.filter(id__in=list(refused.values_list("id", flat=True)[MOST_REFUSED:])).delete()
    return old + surplus + renders.tidy()


@shared_task(name="media.render")
def render() -> str:
    """Renders a film, if one waits and this machine has a place for it."""
    # What renders is loaded by who does.
    from . import rendering

    return rendering.work(stopping=lambda: state.should_terminate is not None)
