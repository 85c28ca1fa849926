"""Callbacks are kept before anything is made of them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from celery import current_app
from django.db import IntegrityError, transaction
from django.utils import timezone

from . import registry
from .base import SignatureStatus
from .callbacks import storable
from .models import WebhookEvent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# A wake-up that was sent when the event came needs no second one before.
PATIENCE = timedelta(seconds=10)
KEPT_OF_VALUE = 500
# What is kept of a request's headers and query: enough to verify again, no credentials of proxies or clients.
HEADERS = (
    *("content-type", "user-agent", "x-request-id", "x-signature", "x-timestamp"),
    *("x-webhook-signature", "x-webhook-timestamp", "x-shotstack-event-type", "x-shotstack-attempt"),
    *("x-upload-post-signature", "x-upload-post-timestamp", "x-upload-post-event", "x-upload-post-delivery"),
)
QUERY = ("ref",)


def received(
    provider: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, str], verdict: SignatureStatus
) -> WebhookEvent:
    """The event that a callback is, not kept yet; the names of ``headers`` are lower case."""
    return WebhookEvent(
        idempotency_key=storable(registry.event(provider, headers, body, query).key)[:255],
        holds_key=verdict == SignatureStatus.VERIFIED,
        provider=provider,
        headers=_kept(headers, HEADERS),
        query=_kept(query, QUERY),
        raw_payload=body,
        signature_status=verdict,
        due_at=timezone.now() + PATIENCE,
    )


def _kept(values: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    return {name: storable(values[name])[:KEPT_OF_VALUE] for name in names if name in values}


def keep(event: WebhookEvent) -> bool:
    """Keeps a genuine event and enqueues it; False when it was kept before."""
    try:
        with transaction.atomic():
            event.save(force_insert=True)
            apply = current_app.signature("providers.apply_webhook", args=[str(event.id)], immutable=True)
            # A broker that is down must not refuse the event: the sweep finds the row.
            transaction.on_commit(apply.apply_async, robust=True)
    except IntegrityError:
        return False
    return True
