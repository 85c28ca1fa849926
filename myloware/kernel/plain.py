"""Plain values: those of the shared cache, and what a database can store."""

from __future__ import annotations

import json
from typing import Any


class JsonSerializer:
    """JSON instead of Django's pickle: what somebody else wrote into the cache is read, never run."""

    def dumps(self, value: Any) -> bytes:
        return json.dumps(value).encode()

    def loads(self, content: bytes) -> Any:
        """Raises ``ValueError`` for what is no JSON."""
        return json.loads(content)


def has_zero(value: Any) -> bool:
    """Whether a structure of plain values holds the character zero, which PostgreSQL stores in no text."""
    if isinstance(value, dict):
        return any(has_zero(each) for pair in value.items() for each in pair)
    if isinstance(value, list | tuple):
        return any(map(has_zero, value))
    return isinstance(value, str) and "\0" in value
