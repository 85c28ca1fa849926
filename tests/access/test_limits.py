"""How often a key may knock, counted in one place for all web processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from prometheus_client import REGISTRY

from access import limits
from access.config import AccessSettings
from myloware.kernel.errors import RateLimited

if TYPE_CHECKING:
    from pytest_django import Settings

    from .conftest import KeyOf


@pytest.fixture(autouse=True)
def as_documented(settings: Settings) -> None:
    settings.ACCESS = AccessSettings(api_rate_per_minute=60, api_burst=10)


def counted(limiter: str) -> float:
    return REGISTRY.get_sample_value("api_rate_limited_requests_total", {"limiter": limiter}) or 0


def test_the_defaults_are_those_of_the_architecture() -> None:
    fields = AccessSettings.model_fields
    assert (fields["api_rate_per_minute"].default, fields["api_burst"].default) == (60, 10)


def test_ten_at_once_and_the_eleventh_is_told_when_to_come_back(key_of: KeyOf) -> None:
    ada, before = key_of("ada", "runs:read"), counted("runs")
    answers = [ada.get("/v1/runs") for _ in range(12)]
    statuses = [answer.status_code for answer in answers]
    assert statuses[:10] == [200] * 10
    assert statuses[-1] == 429
    assert answers[-1].headers["Retry-After"] == "1"
    assert answers[-1].json()["error"]["code"] == "rate_limited"
    assert counted("runs") - before == statuses.count(429)


def test_one_keys_haste_is_nobody_elses(key_of: KeyOf) -> None:
    ada, bob = key_of("ada", "runs:read"), key_of("bob", "runs:read")
    for _ in range(12):
        ada.get("/v1/runs")
    assert bob.get("/v1/runs").status_code == 200


def test_the_bucket_fills_again_at_its_rate(settings: Settings) -> None:
    settings.ACCESS = AccessSettings(api_rate_per_minute=600, api_burst=2)
    name = f"pace-{time.time()}"
    for _ in range(2):
        limits.take(name, limiter="test")
    with pytest.raises(RateLimited) as refused:
        limits.take(name, limiter="test")
    assert refused.value.retry_after_s is not None
    assert 0 < refused.value.retry_after_s <= 0.1
    time.sleep(refused.value.retry_after_s + 0.02)
    limits.take(name, limiter="test")


def test_all_processes_count_together(settings: Settings) -> None:
    name = f"replicas-{time.time()}"
    script = (
        "import django; django.setup()\n"
        "from access import limits\n"
        "from myloware.kernel.errors import RateLimited\n"
        "taken = 0\n"
        "for _ in range(9):\n"
        "    try:\n"
        f"        limits.take({name!r}, limiter='test'); taken += 1\n"
        "    except RateLimited: pass\n"
        "print(taken)\n"
    )
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "myloware.settings",
        "API_BURST": "10",
        "API_RATE_PER_MINUTE": "1",
    }
    replicas = [
        subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    taken = [int(replica.communicate(timeout=120)[0].split()[-1]) for replica in replicas]
    assert sum(taken) == 10


def test_a_broker_that_is_away_limits_nobody(settings: Settings) -> None:
    limits._redis.cache_clear()
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    try:
        for _ in range(12):
            limits.take("ada", limiter="test")
    finally:
        limits._redis.cache_clear()
