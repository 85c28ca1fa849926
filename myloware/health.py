"""Liveness and readiness in one answer."""

from __future__ import annotations

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse


def health(request: HttpRequest) -> JsonResponse:
    """``{"status", "database", "broker"}``; 503 when a part does not answer."""
    parts = {"database": database(), "broker": broker()}
    well = all(answer == "ok" for answer in parts.values())
    return JsonResponse({"status": "ok" if well else "unavailable", **parts}, status=200 if well else 503)


def database() -> str:
    """``ok`` or ``unreachable``."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1")
    except DatabaseError:
        return "unreachable"
    return "ok"


def broker() -> str:
    """``ok`` or ``unreachable``."""
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2) as client:
            client.ping()
    except redis.RedisError:
        return "unreachable"
    return "ok"
