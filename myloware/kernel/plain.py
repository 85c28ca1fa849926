"""Plain values: those of the shared cache, and what a database can store."""

from __future__ import annotations

import json
import math
import re
from typing import Any


class JsonSerializer:
    """JSON instead of Django's pickle: what somebody else wrote into the cache is read, never run."""

    def dumps(self, value: Any) -> bytes:
        return json.dumps(value).encode()

    def loads(self, content: bytes) -> Any:
        """Raises ``ValueError`` for what is no JSON."""
        return json.loads(content)


# How deep lists and objects may be nested.
LEVELS = 32
UNFIT = f"the character zero, half a character, a number without end, or more than {LEVELS} levels"
_UNFIT = re.compile("[\0\ud800-\udfff]")


def storable(value: Any, levels: int = LEVELS) -> bool:
    """Whether PostgreSQL can keep a structure of plain values: there is nothing of ``UNFIT`` in it."""
    if isinstance(value, str):
        return _UNFIT.search(value) is None
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return levels > 0 and all(storable(part, levels - 1) for pair in value.items() for part in pair)
    if isinstance(value, list | tuple):
        return levels > 0 and all(storable(part, levels - 1) for part in value)
    return True
