"""Dead letters: what failed so often that only a person can say what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import F

from myloware.kernel.errors import NotFound
from providers.models import WebhookEvent
from providers.tasks import replay as replay_event
from providers.tasks import resolve as resolve_event

from . import dispatch, services
from .models import Outbox, Step
from .states import RunStatus, StepStatus

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

# How a letter's id begins -> the rows that are dead.
KINDS: dict[str, QuerySet[Any]] = {
    "webhook": WebhookEvent.objects.filter(status=WebhookEvent.Status.DEAD),
    "outbox": Outbox.objects.filter(attempts__gte=Outbox.MAX_ATTEMPTS),
    "step": Step.objects.filter(
        status=StepStatus.FAILED,
        attempt__gte=services.MAX_ATTEMPTS * (F("retries") + 1),
        run__status=RunStatus.FAILED,
    ).select_related("run"),
}


@dataclass(frozen=True)
class Letter:
    """``id`` is ``kind:key``."""

    id: str
    what: str
    error: str
    attempts: int
    since: datetime | None
    detail: dict[str, Any]


def letters() -> list[Letter]:
    """All that are dead, by kind."""
    return [_letter(kind, row) for kind, rows in KINDS.items() for row in rows.all()]


def letter(letter_id: str) -> Letter:
    """Raises ``NotFound``."""
    return _letter(letter_id.partition(":")[0], _row(letter_id))


def replay(letter_id: str, *, actor: str) -> str:
    """Processes it now, really and once; what came of it. A failure keeps the row and counts up."""
    row = _row(letter_id)
    if isinstance(row, WebhookEvent):
        return replay_event(row)
    if isinstance(row, Outbox):
        return "sent" if dispatch.send_again(Outbox.objects.filter(id=row.id)) else "refused again"
    return f"the run is {services.retry(row.run_id, actor=actor).status}"


def resolve(letter_id: str, *, actor: str) -> str:
    """Takes it out of the list because a person has dealt with it; for a step that cancels its run."""
    row = _row(letter_id)
    if isinstance(row, WebhookEvent):
        resolve_event(row)
    elif isinstance(row, Outbox):
        row.delete()
    else:
        services.cancel(row.run_id, actor=actor, reason="resolved as a dead letter")
    return "resolved"


def _row(letter_id: str) -> Any:
    kind, _, key = letter_id.partition(":")
    rows = KINDS[kind].all() if kind in KINDS else ()
    row = next((row for row in rows if str(row.pk) == key), None)
    if row is None:
        raise NotFound(f"There is no dead letter '{letter_id}'; `manage.py dead_letters list` shows them all.")
    return row


def _letter(kind: str, row: WebhookEvent | Outbox | Step) -> Letter:
    if isinstance(row, WebhookEvent):
        detail = {"key": row.idempotency_key, "body": bytes(row.raw_payload).decode(errors="replace")}
        return Letter(f"{kind}:{row.pk}", row.provider, row.error, row.attempts, row.received_at, detail)
    if isinstance(row, Outbox):
        return Letter(f"{kind}:{row.pk}", str(row), row.error, row.attempts, row.created_at, {"links": row.links})
    detail = {"run": str(row.run_id), "brief": row.run.payload.input.brief}
    return Letter(f"{kind}:{row.pk}", row.name, row.error, row.attempt, row.finished_at, detail)
