"""Plain values for the shared cache."""

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
