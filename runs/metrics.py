"""Counts of runs and webhook events, read from the rows when Prometheus asks.

A counter kept in a process would miss the other processes and start anew with each of them; the rows do neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Count, Sum
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from providers.models import WebhookEvent

from .models import Run, Spend, Step
from .states import ACTIVE_RUN, RunStatus, StepStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric


class RunCollector(Collector):
    """``runs_active``, ``runs_success_total``, ``runs_failure_total``, ``gates_open``, ``spent_microusd``,
    ``webhook_events_total``.
    """

    def collect(self) -> Iterator[Metric]:
        runs = dict(Run.objects.order_by().values_list("status").annotate(Count("id")))
        yield GaugeMetricFamily("runs_active", "Runs that have not ended", sum(runs.get(s, 0) for s in ACTIVE_RUN))
        yield CounterMetricFamily("runs_success", "Runs that ended well", runs.get(RunStatus.SUCCEEDED, 0))
        yield CounterMetricFamily("runs_failure", "Runs that failed", runs.get(RunStatus.FAILED, 0))
        waiting = Step.objects.filter(kind="gate", status=StepStatus.WAITING).count()
        yield GaugeMetricFamily("gates_open", "Gates that wait for a person", waiting)
        yield _spent()
        yield _webhooks()


def _spent() -> GaugeMetricFamily:
    """A gauge: what is held may be given back."""
    family = GaugeMetricFamily("spent_microusd", "Money spent or held, in micro-dollars", labels=["provider", "status"])
    amounts = Spend.objects.order_by().values_list("provider", "status").annotate(total=Sum(Spend.COUNTS))
    for provider, status, microusd in amounts:
        family.add_metric([provider, status], microusd)
    return family


def _webhooks() -> CounterMetricFamily:
    family = CounterMetricFamily("webhook_events", "Provider callbacks", labels=["provider", "status"])
    counts = WebhookEvent.objects.order_by().values_list("provider", "status").annotate(Count("id"))
    for provider, status, count in counts:
        family.add_metric([provider, status], count)
    return family
