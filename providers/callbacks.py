"""Callback URLs of ours, and what all vendors' callbacks have in common."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from uuid import UUID

from myloware.kernel.signing import same, short_mac

from .base import SignatureStatus

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

TOLERANCE_S = 300


def callback_url(base: str, provider: str, job_id: str, *, secret: str) -> str:
    """Where a provider reports on our job: ``.../v1/webhooks/<provider>?ref=<job>.<proof>``."""
    proof = short_mac(job_id, key=secret, purpose=f"callback.{provider}")
    return f"{base}/v1/webhooks/{provider}?{urlencode({'ref': f'{job_id}.{proof}'})}"


def proven(query: Mapping[str, str], provider: str, *, secret: str) -> bool:
    """Whether the URL is one we made for this provider."""
    job_id, _, proof = query.get("ref", "").partition(".")
    return bool(proof) and same(proof, short_mac(job_id, key=secret, purpose=f"callback.{provider}"))


def reference(query: Mapping[str, str]) -> str | None:
    """Our job id from the URL; it means something only when the URL is :func:`proven`."""
    job_id = query.get("ref", "").partition(".")[0]
    try:
        return str(UUID(job_id))
    except ValueError:
        return None


def age_status(stamp: str, now: datetime) -> SignatureStatus:
    """Whether a signed time (unix seconds) is within 300 s of now."""
    if not stamp.isdecimal():
        return SignatureStatus.REJECTED
    fresh = abs(now.timestamp() - int(stamp)) <= TOLERANCE_S
    return SignatureStatus.VERIFIED if fresh else SignatureStatus.STALE


def body_json(body: bytes) -> dict[str, Any]:
    """The JSON object in ``body``; an empty one when there is none."""
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
