"""What a plan is likely to come to, before anything of it is ordered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings

from personas.prices import stage_microusd
from providers import registry

from .jobs import PROVIDER_OF

if TYPE_CHECKING:
    from .models import Run
    from .schemas import PlannedStep, RunPayload


def clip_s(run: Run) -> float:
    """How long one clip is, in seconds."""
    payload: RunPayload = run.payload
    return payload.options.duration or payload.specs.video_duration_s


def film_s(run: Run) -> float:
    """How long the film will be, in seconds. Clips that overlap start closer together than they last."""
    specs, length_s = run.payload.specs, clip_s(run)
    interval_s: float = (specs.model_extra or {}).get("clipInterval", length_s)
    number: int = specs.video_count
    return interval_s * (number - 1) + length_s


def forecast(run: Run) -> list[tuple[PlannedStep, int]]:
    """The planned steps that work, each with what it is likely to cost, in micro-dollars."""
    steps = run.payload.graph_spec.steps
    return [(planned, _microusd(run, planned)) for planned in steps if planned.kind != "gate"]


def _microusd(run: Run, planned: PlannedStep) -> int:
    if planned.kind == "stage":
        return stage_microusd(settings.CREW.model_of(planned.name))
    number, request = _orders(run).get(planned.name, (0, {}))
    return number * registry.adapter(PROVIDER_OF[planned.name]).estimate(request) if number else 0


def _orders(run: Run) -> dict[str, tuple[int, dict[str, Any]]]:
    """How many orders a wait is for, and as much of one as its price depends on."""
    film = {"timeline": {"tracks": [{"clips": [{"start": 0, "length": film_s(run)}]}]}}
    return {
        "clips": (run.payload.specs.video_count, {"model": run.payload.options.clip_model}),
        "render": (1, {"edit": film}),
        "publish": (1, {}),
    }
