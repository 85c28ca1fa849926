"""Gates that are open for long: who may decide is asked again, and then others, too."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings

from runs.models import Step
from runs.policies import escalated, policy_of
from runs.states import StepStatus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


def due(now: datetime) -> set[tuple[str, ...]]:
    """The tasks that remind, with their arguments. One that was done before finds its deliveries, and sends nothing."""
    gates = Step.objects.filter(kind="gate", status=StepStatus.WAITING, started_at__isnull=False).select_related("run")
    asked = {(str(gate.id), kind) for gate in gates for kind in _kinds(gate, now)}
    return {("hitl.remind", step_id, path, kind) for step_id, kind in asked for path in settings.HITL.channels}


def _kinds(gate: Step, now: datetime) -> Iterator[str]:
    """The newest reminder that is due, and the escalation."""
    open_since = now - (gate.started_at or now)
    passed = sum(open_since >= timedelta(hours=hours) for hours in policy_of(gate).remind_h)
    wanted = [*([f"reminder {passed}"] if passed else []), *(["escalation"] if escalated(gate, now) else [])]
    known = set(gate.deliveries.values_list("kind", flat=True))
    yield from (kind for kind in wanted if kind not in known)
