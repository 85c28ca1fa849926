"""Where the services call us: verify, store, answer; a task does the rest."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from myloware.kernel.errors import MylowareError, TooLarge, Unauthenticated, WrongMediaType
from myloware.kernel.requests import error_body

from . import inbox, registry
from .base import SignatureStatus
from .models import WebhookEvent

MAX_BYTES = 1_000_000
# Anybody can send what will be refused; its beginning is evidence enough.
KEPT_OF_REFUSED = 4_000


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
    event = inbox.received(provider, headers, body, request.GET.dict(), verdict)
    if verdict != SignatureStatus.VERIFIED:
        event.status = WebhookEvent.Status.REFUSED
        event.raw_payload = body[:KEPT_OF_REFUSED]
        event.save()
        raise Unauthenticated(f"The signature is {verdict}.")
    return "accepted" if inbox.keep(event) else "duplicate"


def _body(request: HttpRequest) -> bytes:
    if request.content_type != "application/json":
        raise WrongMediaType("A callback has to be application/json.")
    body = request.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        raise TooLarge(f"A callback may have {MAX_BYTES} bytes at most.")
    return body
