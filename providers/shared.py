"""What all workers know together, for a while."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.core.cache import cache
from redis.exceptions import RedisError

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)


class Shared:
    """A memory with times to live, in seconds. While the broker is away it knows nothing, and raises nothing."""

    def get(self, key: str) -> Any:
        with _without_broker():
            return cache.get(key)

    def put(self, key: str, value: Any, lives_s: float) -> None:
        with _without_broker():
            cache.set(key, value, lives_s)

    def count(self, key: str, lives_s: float) -> int:
        """How often this was called for ``key`` within the life of its first call."""
        with _without_broker():
            cache.add(key, 0, lives_s)
            return int(cache.incr(key))
        return 0

    def claim(self, key: str, lives_s: float) -> bool:
        """Whether ``key`` was free; it is the caller's now."""
        with _without_broker():
            return bool(cache.add(key, 1, lives_s))
        return True

    def forget(self, *keys: str) -> None:
        with _without_broker():
            cache.delete_many(keys)


@contextmanager
def _without_broker() -> Iterator[None]:
    """What expires while it is counted, or is no value of ours (``ValueError``), is as good as never there."""
    try:
        yield
    except (RedisError, OSError, ValueError) as error:
        log.warning("the shared memory cannot be used", extra={"reason": type(error).__name__})
