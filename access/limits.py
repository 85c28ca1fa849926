"""How many requests a key may send: a bucket in Redis that all web processes share."""

from __future__ import annotations

import logging
import math
from functools import cache

import redis
from django.conf import settings
from prometheus_client import Counter
from redis.exceptions import RedisError

from myloware.kernel.errors import RateLimited

log = logging.getLogger(__name__)

LIMITED = Counter("api_rate_limited_requests", "Requests refused with 429", ["limiter"])
TIMEOUT_S = 1

# A leaky bucket by its arrival times (GCRA): KEYS[1] holds when the bucket will be empty; ARGV: seconds between two
# requests, and how many may come at once. Returns the seconds to wait, as text, or "0". Redis's clock is everybody's.
_TAKE = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local every, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local empty = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local wait = empty - now - every * (burst - 1)
if wait > 0 then return tostring(wait) end
redis.call('SET', KEYS[1], string.format('%.6f', empty + every), 'PX', math.ceil((empty + every - now) * 1000))
return '0'
"""


def take(name: str, *, limiter: str) -> None:
    """Counts one request of ``name``. Raises ``RateLimited`` with the wait; a broker that is away limits nobody."""
    wait_s = _wait_s(name)
    if wait_s:
        LIMITED.labels(limiter).inc()
        rate, burst = settings.ACCESS.api_rate_per_minute, settings.ACCESS.api_burst
        raise RateLimited(
            f"This key may send {rate} requests a minute, {burst} of them at once. Come back in {math.ceil(wait_s)} s.",
            retry_after_s=wait_s,
        )


def _wait_s(name: str) -> float:
    limits = settings.ACCESS
    try:
        return float(_redis().eval(_TAKE, 1, f"api-rate:{name}", 60 / limits.api_rate_per_minute, limits.api_burst))
    except (RedisError, OSError) as error:
        log.warning("requests are not counted", extra={"reason": type(error).__name__})
        return 0


@cache
def _redis() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
