"""``/metrics`` of all processes of this machine together."""

from __future__ import annotations

import os

from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from runs.metrics import RunCollector


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text: what processes count (shared through PROMETHEUS_MULTIPROC_DIR when set) and what rows tell."""
    rows = CollectorRegistry()
    rows.register(RunCollector())
    text = generate_latest(_processes()) + generate_latest(rows)
    return HttpResponse(text, content_type=CONTENT_TYPE_LATEST)


def _processes() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
