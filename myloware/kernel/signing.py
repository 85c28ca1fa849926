"""Signed references that leave our process and come back: approval links, callback URLs."""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta
from typing import Any

from django.core import signing

from .errors import Forbidden, Gone


def sign(value: dict[str, Any], *, key: str, purpose: str) -> str:
    """A URL-safe token that carries ``value`` (JSON), its time, and proves both. ``purpose`` separates uses."""
    return signing.dumps(value, key=key, salt=purpose, compress=False)


def unsign(token: str, *, key: str, purpose: str, max_age: timedelta) -> dict[str, Any]:
    """The value of a token made by :func:`sign`.

    Raises ``Gone`` when it is older than ``max_age`` and ``Forbidden`` when it was not signed by us for this purpose.
    """
    try:
        value = signing.loads(token, key=key, salt=purpose, max_age=max_age)
    except signing.SignatureExpired as error:
        raise Gone("This link has expired. Ask for a new one.") from error
    except signing.BadSignature as error:
        raise Forbidden("This link is not valid. Open it exactly as it was sent to you.") from error
    if not isinstance(value, dict):
        raise Forbidden("This link is not valid. Open it exactly as it was sent to you.")
    return value


def short_mac(text: str, *, key: str, purpose: str) -> str:
    """A 32-character hex proof for URLs that must stay short and never expire (callback references)."""
    return hmac.new(f"{purpose}:{key}".encode(), text.encode(), hashlib.sha256).hexdigest()[:32]


def same(left: str, right: str) -> bool:
    """Equality in constant time."""
    return hmac.compare_digest(left.encode(), right.encode())
