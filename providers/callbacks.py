"""Callback URLs of ours, and what all vendors' callbacks have in common."""

from __future__ import annotations

import json
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
