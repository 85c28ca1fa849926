"""The staff's inbox: everything that waits for a person, the oldest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.contrib.admin.views.decorators import staff_member_required
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from runs.letters import letters
from runs.models import ProviderJob, Run, Step
from runs.schemas import BUDGET
from runs.states import ACTIVE_RUN, JobStatus, RunStatus, StepStatus

from .messages import brief_of
from .models import Delivery

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from django.http import HttpRequest, HttpResponse

    from runs.letters import Letter

NEWS = 20


@dataclass(frozen=True)
class Item:
    """One thing to do. ``kind`` is gate, money, publish or letter; ``ends_at`` is when it is decided by itself."""

    kind: str
    what: str
    about: str
    since: datetime
    url: str
    action: str
    ends_at: datetime | None = None


@staff_member_required
@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    """What waits, and the latest news for who looks."""
    items = sorted([*_gates(), *_publishes(), *map(_letter, letters())], key=lambda item: item.since)
    news = Delivery.objects.filter(
        channel="hitl.channels.inapp.InAppChannel", recipient=request.user.get_username(), step=None
    ).select_related("run")[:NEWS]
    return render(request, "hitl/inbox.html", {"items": items, "news": news})


def _gates() -> Iterator[Item]:
    gates = Step.objects.filter(kind="gate", status=StepStatus.WAITING, run__status__in=ACTIVE_RUN)
    for gate in gates.select_related("run__project"):
        question = gate.run.project.spec.gate(gate.name)
        yield Item(
            "money" if gate.name == BUDGET.id else "gate",
            question.title if question else gate.name,
            brief_of(gate.run),
            gate.started_at or gate.run.created_at,
            reverse("hitl-open", args=[gate.run_id]),
            "Decide",
            gate.deadline,
        )


def _publishes() -> Iterator[Item]:
    """Publishes of which nobody knows whether the film is out."""
    lost = ProviderJob.objects.filter(
        kind="publish", status=JobStatus.UNKNOWN, run__status__in=[*ACTIVE_RUN, RunStatus.FAILED]
    )
    for job in lost.select_related("run"):
        run: Run = job.run
        since = job.submitted_at or job.created_at
        url = reverse("admin:runs_providerjob_change", args=[job.id])
        yield Item("publish", "Is the film out? Look at the account.", brief_of(run), since, url, "Settle")


def _letter(letter: Letter) -> Item:
    kind, _, key = letter.id.partition(":")
    url = {
        "webhook": ("admin:providers_webhookevent_change", [key]),
        "outbox": ("admin:runs_outbox_change", [key]),
        "step": ("admin:runs_step_change", [key]),
    }[kind]
    what = f"Failed for good: {letter.what}"
    return Item("letter", what, letter.error, letter.since or timezone.now(), reverse(url[0], args=url[1]), "Look")
