"""Where the services call us: verify, store, answer; a task does the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery import current_app
from django.db import IntegrityError, transaction
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from myloware.kernel.errors import MylowareError, TooLarge, Unauthenticated, WrongMediaType
from myloware.kernel.requests import error_body

from . import registry
from .base import SignatureStatus
from .models import WebhookEvent
from .tasks import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BYTES = 1_000_000
# Anybody can send what will be refused; its beginning is evidence enough.
KEPT_OF_REFUSED = 4_000
# What is kept of a request's headers: enough to verify again, no credentials of proxies or clients.
KEPT = ("content-type", "user-agent", "x-request-id")
KEPT_PREFIXES = ("x-webhook-", "x-shotstack-", "x-upload-post-", "x-signature", "x-timestamp")


@method_decorator(csrf_exempt, name="dispatch")
class Webhook(View):
    """``POST /v1/webhooks/<provider>``: 200 ``accepted`` or ``duplicate``, 401, 404, 413, 415."""

    def post(self, request: HttpRequest, provider: str) -> JsonResponse:
        try:
            return JsonResponse({"status": _receive(request, provider)})
        except MylowareError as error:
            return JsonResponse(error_body(request, error.code, error.message), status=error.status)


def _receive(request: HttpRequest, provider: str) -> str:
    registry.entry(provider)
    body = _body(request)
    headers = {name.lower(): value for name, value in request.headers.items()}
    verdict = registry.verify(provider, headers, body, request.GET.dict(), timezone.now())
    event = _event(provider, headers, body, request.GET.dict(), verdict)
    if verdict != SignatureStatus.VERIFIED:
        event.status = WebhookEvent.Status.REFUSED
        event.raw_payload = body[:KEPT_OF_REFUSED]
        event.save()
        raise Unauthenticated(f"The signature is {verdict}.")
    return "accepted" if _store(event) else "duplicate"


def _body(request: HttpRequest) -> bytes:
    told = request.headers.get("Content-Length", "")
    if told.isdecimal() and int(told) > MAX_BYTES:
        raise TooLarge(f"A callback may have {MAX_BYTES} bytes at most.")
    if request.content_type != "application/json":
        raise WrongMediaType("A callback has to be application/json.")
    body = request.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        raise TooLarge(f"A callback may have {MAX_BYTES} bytes at most.")
    return body


def _event(
    provider: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, str], verdict: SignatureStatus
) -> WebhookEvent:
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


def _store(event: WebhookEvent) -> bool:
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
