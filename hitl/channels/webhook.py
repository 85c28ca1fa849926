"""A signed webhook of our own, in the format of Standard Webhooks (https://www.standardwebhooks.com), version 1."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.utils import timezone

from myloware.kernel.errors import Misconfigured, OutcomeUnknown, ProviderUnavailable
from providers import registry
from providers.http import Client, Service
from providers.shared import Shared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hitl.messages import Message
    from hitl.models import Delivery

PREFIX = "whsec_"
# What the format asks for: 24 to 64 bytes.
SECRET_BYTES = range(24, 65)
TIMEOUT = httpx.Timeout(15, connect=5)
RATE = "300 per minute"


class WebhookChannel:
    """Tells one URL of every gate, decision and ending; nobody while HITL_WEBHOOK_URL is empty."""

    def recipients(self, message: Message) -> Sequence[str]:
        url = settings.HITL.hitl_webhook_url
        return [url] if url else []

    def send(self, message: Message, to: Delivery) -> dict[str, Any]:
        _post(f"msg_{to.id}", message, to.recipient)
        return {"id": f"msg_{to.id}"}

    def update(self, message: Message, to: Delivery) -> None:
        _post(f"msg_{to.id}_decided", message, to.recipient)


def signature(message_id: str, timestamp: int, body: bytes, secret: str) -> str:
    """The value of the ``webhook-signature`` header. Raises ``Misconfigured`` for a secret of another form."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    mac = hmac.new(_key(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(mac).decode()}"


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith(PREFIX) or len(key) not in SECRET_BYTES:
        raise Misconfigured("HITL_WEBHOOK_SECRET has to be 'whsec_' and 24 to 64 random bytes in base64.")
    return key


def _post(message_id: str, message: Message, url: str) -> None:
    # The id stays the same with every repeat: receivers know by it what they have already.
    body = json.dumps(_content(message, url), separators=(",", ":")).encode()
    now = int(timezone.now().timestamp())
    secret = settings.HITL.hitl_webhook_secret.get_secret_value()
    headers = {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": signature(message_id, now, body, secret),
    }
    parts = urlsplit(url)
    path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    try:
        with closing(_client(f"{parts.scheme}://{parts.netloc}")) as client:
            client.post(path, content=body, headers=headers)
    except OutcomeUnknown as error:
        # To whom a message comes twice, the id tells.
        raise ProviderUnavailable(error.message, **error.detail) from error


def _client(at: str) -> Client:
    host = str(urlsplit(at).hostname)
    service = Service("webhook", f"https://{host}", {}, frozenset({host}), title="The webhook's receiver")
    return Client(service, registry.way_to(service, at, rate=RATE), Shared(), timeout=TIMEOUT, attempts=1)


def _content(message: Message, url: str) -> dict[str, Any]:
    run = message.run
    data = {"run_id": str(run.id), "project": run.project.slug, "status": str(run.status), "text": message.text}
    if message.step:
        data |= {"gate": message.step.name, "approve_url": message.url(f"webhook:{urlsplit(url).hostname}")}
    if message.decided:
        data |= {"gate": message.decided.name}
    return {"type": message.event, "timestamp": timezone.now().isoformat(), "data": data}
