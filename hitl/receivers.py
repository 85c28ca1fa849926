"""News of the engine that people have to hear. One task per channel: one that fails holds up no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.dispatch import receiver

from runs.dispatch import enqueue_task
from runs.signals import gate_closed, gate_opened, run_ended

from .models import Delivery

if TYPE_CHECKING:
    from uuid import UUID


@receiver(gate_opened)
def on_gate_opened(sender: object, *, step_id: UUID, **_: Any) -> None:
    for channel in settings.HITL.channels:
        enqueue_task("hitl.invite", step_id, channel)


@receiver(gate_closed)
def on_gate_closed(sender: object, *, step_id: UUID, **_: Any) -> None:
    if Delivery.objects.filter(step_id=step_id).exists():
        enqueue_task("hitl.tell", step_id)


@receiver(run_ended)
def on_run_ended(sender: object, *, run_id: UUID, **_: Any) -> None:
    for channel in settings.HITL.channels:
        enqueue_task("hitl.notify", run_id, channel)
