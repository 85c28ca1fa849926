"""Callbacks are kept before anything is made of them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from celery import current_app
from django.db import IntegrityError, transaction
from django.utils import timezone

from . import registry
from .base import SignatureStatus
from .models import WebhookEvent

if TYPE_CHECKING:
    from collections.abc import Mapping

# A wake-up that was sent when the event came needs no second one before.
PATIENCE = timedelta(seconds=10)
# What is kept of a request's headers: enough to verify again, no credentials of proxies or clients.
KEPT = ("content-type", "user-agent", "x-request-id")
KEPT_PREFIXES = ("x-webhook-", "x-shotstack-", "x-upload-post-", "x-signature", "x-timestamp")


def received(
    provider: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, str], verdict: SignatureStatus
) -> WebhookEvent:
    """The event that a callback is, not kept yet; the names of ``headers`` are lower case."""
    kept = {name: value for name, value in headers.items() if name in KEPT or name.startswith(KEPT_PREFIXES)}
    return WebhookEvent(
        idempotency_key=_text(registry.event(provider, headers, body, query).key)[:255],
        holds_key=verdict == SignatureStatus.VERIFIED,
        provider=provider,
        headers={name: _text(value) for name, value in kept.items()},
        query={_text(name): _text(value) for name, value in query.items()},
        raw_payload=body,
        signature_status=verdict,
        due_at=timezone.now() + PATIENCE,
    )


def _text(value: str) -> str:
    """What PostgreSQL takes as text: no NUL, no half characters."""
    return value.replace("\0", "\ufffd").encode(errors="replace").decode()


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
