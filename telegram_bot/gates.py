"""Decisions by buttons and replies. A button says what it decides upon; who presses it is asked of the rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from django.utils import timezone

from hitl.links import approval_url, open_gate
from hitl.models import Delivery
from hitl.pages import redo_of
from myloware.kernel.errors import Conflict, Forbidden, InvalidInput
from runs import services
from runs.models import Step
from runs.policies import deciders
from runs.schemas import BUDGET
from runs.states import Verdict

from .client import Button
from .models import PREFIX

if TYPE_CHECKING:
    from .models import TelegramUpdate

CHANNEL = "telegram_bot.channel.TelegramChannel"
# Of the digest, as much as fits into the 64 bytes of a button.
SHOWN = 12
_DATA = re.compile(r"(approve|revise|reject):([0-9a-f]{32}):([0-9a-f]{12})")
_ASKS = {
    Verdict.REVISE: "What should be different? Reply to this message.",
    Verdict.REJECT: "Why not? Reply to this message; that ends the run, and nothing is published.",
}
_DONE = {
    Verdict.APPROVE: "Approved.",
    Verdict.REVISE: "Sent back with your comment.",
    Verdict.REJECT: "Rejected. The run has ended.",
}


def buttons(step: Step, user_id: str) -> tuple[Button, ...]:
    """What can be done about an open gate from a chat."""
    shown = services.digest_of(step)[:SHOWN]

    def press(text: str, verdict: Verdict) -> Button:
        return Button(text, data=f"{verdict}:{step.id.hex}:{shown}")

    revise = [press("Revise", Verdict.REVISE)] if redo_of(step) and step.name != BUDGET.id else []
    return (
        press("Approve", Verdict.APPROVE),
        *revise,
        press("Reject", Verdict.REJECT),
        Button("Open", approval_url(step, recipient=user_id)),
    )


def sent(step: Step, user_id: str, chat_id: int, message_id: int, *, kind: str = "") -> None:
    """Notes which message asks about the gate: a reply to it is a comment, and the decision is written into it."""
    Delivery.objects.update_or_create(
        run=step.run,
        step=step,
        kind=kind or f"invitation {services.digest_of(step)[:SHOWN]}",
        channel=CHANNEL,
        recipient=user_id,
        defaults={
            "status": Delivery.Status.SENT,
            "reference": {"chat_id": chat_id, "message_id": message_id, "shown": services.digest_of(step)[:SHOWN]},
        },
    )


def pressed(row: TelegramUpdate) -> tuple[str, Step | None, str]:
    """What a pressed button leads to: the answer, and for one that is to be replied to its gate and the verdict."""
    found = _DATA.fullmatch(row.text)
    step = Step.objects.select_related("run__project").filter(id=found[2], kind="gate").first() if found else None
    if found is None or step is None:
        return "This button is not known any more.", None, ""
    verdict = Verdict(found[1])
    if verdict == Verdict.APPROVE:
        return _decide(step, verdict, found[3], row), None, ""
    if open_gate(step.run) != step:
        return _decide(step, verdict, found[3], row), None, ""
    return _ASKS[verdict], step, str(verdict)


def replied(row: TelegramUpdate) -> str:
    """The answer to a reply to a message that asks about a gate; empty when the message is no such one."""
    asked = Delivery.objects.filter(
        channel=CHANNEL, reference__chat_id=row.chat_id, reference__message_id=row.message_id, step__isnull=False
    ).select_related("step__run__project")
    found = asked.first()
    if found is None or found.step is None:
        return ""
    verdict = Verdict.REJECT if found.kind == Verdict.REJECT else Verdict.REVISE
    return _decide(found.step, verdict, str(found.reference.get("shown", "")), row, row.text.strip())


def _decide(step: Step, verdict: Verdict, shown: str, row: TelegramUpdate, comment: str = "") -> str:
    try:
        _require_party(step, row)
        digest = services.digest_of(step)
        if open_gate(step.run) == step and not digest.startswith(shown):
            raise Conflict("What this message showed has changed since. Use the newest one, or /status.")
        decision = services.Decision(verdict, actor=row.user_id, channel="telegram", digest=digest, comment=comment)
        counted = services.decide(step.id, decision)
    except (Conflict, Forbidden, InvalidInput) as error:
        return error.message
    return _DONE[verdict] if counted else "Your approval is counted. It waits for somebody else's."


def _require_party(step: Step, row: TelegramUpdate) -> None:
    """Telegram does not promise that the data of a button is ours: who presses has to have to do with the run."""
    named = {name.casefold() for name in deciders(step, timezone.now())}
    # A film that was begun before the chat was linked bears the chat's own name.
    mine = {row.user_id, f"{PREFIX}{row.chat_id}"}
    if step.run.user_id not in mine and row.user_id.casefold() not in named:
        raise Forbidden("This film is somebody else's.")
