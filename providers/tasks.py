"""Applies stored callbacks."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.db.models import F
from django.utils import timezone

from . import registry
from .models import WebhookEvent
from .signals import provider_reported

MAX_ATTEMPTS = 5
FORGOTTEN_AFTER = timedelta(seconds=20)


@shared_task(name="providers.apply_webhook")
def apply_webhook(event_id: str) -> None:
    """Announces what a callback is about. A receiver's failure stays on the row, with its reason."""
    event = WebhookEvent.objects.get(id=event_id)
    if event.status == WebhookEvent.Status.PROCESSED or event.signature_status != "verified":
        return
    WebhookEvent.objects.filter(id=event.id).update(attempts=F("attempts") + 1)
    found = registry.adapter(event.provider).event(event.headers, bytes(event.raw_payload), event.query)
    try:
        provider_reported.send(
            sender=WebhookEvent,
            provider=event.provider,
            external_id=found.external_id,
            reference=found.reference,
        )
    except Exception as error:
        _mark(event, WebhookEvent.Status.FAILED, error=f"{type(error).__name__}: {error}")
        raise
    _mark(event, WebhookEvent.Status.PROCESSED)


def _mark(event: WebhookEvent, status: WebhookEvent.Status, *, error: str = "") -> None:
    WebhookEvent.objects.filter(id=event.id).update(status=status, error=error, processed_at=timezone.now())


@shared_task(name="providers.sweep")
def sweep() -> int:
    """Applies events whose wake-up was lost or whose receiver failed, up to five times."""
    left = WebhookEvent.objects.filter(
        signature_status="verified",
        status__in=[WebhookEvent.Status.RECEIVED, WebhookEvent.Status.FAILED],
        attempts__lt=MAX_ATTEMPTS,
        received_at__lt=timezone.now() - FORGOTTEN_AFTER,
    )
    ids = list(left.values_list("id", flat=True)[:200])
    for event_id in ids:
        apply_webhook.delay(str(event_id))
    return len(ids)
