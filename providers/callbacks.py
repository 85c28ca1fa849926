"""Callback URLs of ours, and what all vendors' callbacks have in common."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from myloware.kernel.signing import same, short_mac

from .base import SignatureStatus

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

TOLERANCE_S = 300


def callback_url(base: str, provider: str, job: str, *, secret: str) -> str:
    """Where a provider reports on our job, ``<id>.<try>``: ``.../v1/webhooks/<provider>?ref=<id>.<try>.<proof>``."""
    return f"{base}/v1/webhooks/{provider}?{urlencode({'ref': f'{job}.{_proof(job, provider, secret)}'})}"


def reference(query: Mapping[str, str], provider: str, *, secret: str) -> str | None:
    """Our job as ``<id>.<try>``, when the URL is one that we made for this provider."""
    job, _, proof = query.get("ref", "").rpartition(".")
    known = re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.\d{1,9}", job)
    return job if known and same(proof, _proof(job, provider, secret)) else None


def _proof(job: str, provider: str, secret: str) -> str:
    return short_mac(job, key=secret, purpose=f"callback.{provider}")


def generic_status(headers: Mapping[str, str], body: bytes, now: datetime, *, secret: str) -> SignatureStatus:
    """The scheme of a relay of ours: ``X-Signature`` is hex HMAC-SHA256 of the raw body.

    ``X-Request-Id`` and ``X-Timestamp`` (unix seconds) have to be there and are not signed: a captured body can be sent
    again under a new id and time. That is harmless, because events are told apart by their bodies.
    """
    given, stamp = headers.get("x-signature", ""), headers.get("x-timestamp", "")
    if not (given and stamp and headers.get("x-request-id")):
        return SignatureStatus.MISSING
    if not same(given, generic_sign(body, secret=secret)):
        return SignatureStatus.REJECTED
    return age_status(stamp, now)


def generic_sign(body: bytes, *, secret: str) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def age_status(stamp: str, now: datetime) -> SignatureStatus:
    """Whether a time (unix seconds) is within 300 s of now."""
    if not re.fullmatch(r"[0-9]{1,12}", stamp):
        return SignatureStatus.REJECTED
    fresh = abs(now.timestamp() - int(stamp)) <= TOLERANCE_S
    return SignatureStatus.VERIFIED if fresh else SignatureStatus.STALE


def body_json(body: bytes | str) -> dict[str, Any]:
    """The JSON object in ``body``, as PostgreSQL can keep it; an empty one when there is none."""
    try:
        content = _storable(json.loads(body))
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(key): _storable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_storable(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def storable(text: str) -> str:
    """What PostgreSQL takes as text: no NUL, no half characters."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


def identifier(value: Any) -> str | None:
    """A service's name for a job, if it can be one: up to 128 characters that mean nothing in a URL or a log line."""
    known = isinstance(value, str | int) and re.fullmatch(r"[A-Za-z0-9_.:~=+-]{1,128}", str(value))
    return str(value) if known else None
