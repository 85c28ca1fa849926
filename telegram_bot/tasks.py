"""Answers messages outside the webhook's request."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any
from uuid import UUID

from celery import Task, shared_task
from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from hitl.links import approval_url, open_gate
from myloware.kernel.errors import MylowareError, RateLimited
from myloware.kernel.locks import alone
from myloware.kernel.logging import log_context
from runs.models import Run, Step
from runs.states import ACTIVE_RUN
from runs.story import Story, with_standing

from . import gates
from .client import Button, bot, escape, pages
from .commands import answer
from .models import Progress, TelegramUpdate, chat_of, may_talk

log = logging.getLogger(__name__)

MAX_RETRIES = 10
FIRST_RETRY_S = 2
APOLOGY = "That did not work on our side. Please try again in a while."
# A wake-up that is so late was lost.
LOST_AFTER = timedelta(minutes=2)


@shared_task(name="telegram.reply", bind=True, max_retries=MAX_RETRIES)
def reply(self: Task[Any, Any], row_id: int) -> str:
    """Answers one stored message; what was answered already stays so."""
    with alone(f"telegram.reply:{row_id}") as mine:
        row = _due(row_id) if mine else None
        if row is None:
            return "nothing to do"
        with log_context(actor=row.user_id):
            return _answered(self, row)


@shared_task(name="telegram.sweep", ignore_result=True)
def sweep() -> int:
    """Sends the wake-up again for messages that nobody has answered."""
    late = TelegramUpdate.objects.filter(status=TelegramUpdate.Status.RECEIVED, due_at__lt=timezone.now() - LOST_AFTER)
    ids = list(late.values_list("id", flat=True)[:100])
    for row_id in ids:
        reply.delay(row_id)
    return len(ids)


def _due(row_id: int) -> TelegramUpdate | None:
    """The message, unless it is answered, or Telegram wants us to wait."""
    return TelegramUpdate.objects.filter(
        id=row_id, status=TelegramUpdate.Status.RECEIVED, due_at__lte=timezone.now()
    ).first()


def _answered(task: Task[Any, Any], row: TelegramUpdate) -> str:
    try:
        _think(row)
        _send(row)
    except MylowareError as error:
        return _later(task, row, error)
    return "answered"


def _think(row: TelegramUpdate) -> None:
    """Finds the answer, once, and keeps it."""
    if row.reply:
        return
    try:
        row.reply, row.runs = _answer(row)
    except RateLimited:
        raise
    except MylowareError as error:
        log.exception("no answer", extra={"update": row.update_id, "reason": error.message})
        row.reply, row.error = [APOLOGY], error.message
    row.save(update_fields=["reply", "runs", "error", "asks"])


def _answer(row: TelegramUpdate) -> tuple[list[str], list[UUID]]:
    if row.query_id:
        text, step, verdict = gates.pressed(row)
        row.asks = f"{verdict}:{step.id}" if step else ""
        return [escape(text)], []
    if row.message_id and (text := gates.replied(row)):
        return [escape(text)], []
    said = answer(row.text, chat_id=row.chat_id)
    return [escape(page) for page in pages(said.text)], [UUID(run_id) for run_id in said.runs]


def _send(row: TelegramUpdate) -> None:
    if row.query_id:
        bot().acknowledge(row.query_id)
    while row.sent < len(row.reply):
        _say(row, row.reply[row.sent], last=row.sent == len(row.reply) - 1)
        row.sent += 1
        row.save(update_fields=["sent"])
    row.status, row.answered_at = TelegramUpdate.Status.ANSWERED, timezone.now()
    row.save(update_fields=["status", "answered_at"])


def _say(row: TelegramUpdate, text: str, *, last: bool) -> None:
    if row.asks:
        verdict, _, step_id = row.asks.partition(":")
        step = Step.objects.select_related("run__project").get(id=step_id)
        gates.sent(step, row.user_id, row.chat_id, bot().ask(row.chat_id, text), kind=verdict)
        return
    open_gates = _gates(row) if last else []
    message_id = bot().send(row.chat_id, text, _buttons(open_gates, row.user_id))
    if len(open_gates) == 1:
        gates.sent(open_gates[0], row.user_id, row.chat_id, message_id)


def _gates(row: TelegramUpdate) -> list[Step]:
    """The gates of the answer's runs that wait for this person."""
    runs = Run.objects.filter(id__in=row.runs, user_id=row.user_id).select_related("project")
    return [gate for gate in map(open_gate, runs) if gate]


def _buttons(open_gates: list[Step], user_id: str) -> tuple[Button, ...]:
    """All that can be done about one gate; of several a link to each."""
    if len(open_gates) == 1:
        return gates.buttons(open_gates[0], user_id)
    return tuple(Button("Look and decide", approval_url(gate, recipient=user_id)) for gate in open_gates)


def _later(task: Task[Any, Any], row: TelegramUpdate, error: MylowareError) -> str:
    if error.permanent or task.request.retries >= MAX_RETRIES:
        log.warning("message not answered", extra={"update": row.update_id, "reason": error.message})
        row.status, row.error = TelegramUpdate.Status.FAILED, error.message
        row.save(update_fields=["status", "error"])
        return "failed"
    wait_s = max(getattr(error, "retry_after_s", None) or 0, FIRST_RETRY_S * 2 ** min(task.request.retries, 5))
    row.due_at = timezone.now() + timedelta(seconds=wait_s)
    row.save(update_fields=["due_at"])
    # Redis hands out again what waits longer than its visibility timeout; the sweep wakes what is due later.
    raise task.retry(countdown=min(wait_s, settings.CELERY_TASK_TIME_LIMIT), exc=error) from error


@shared_task(name="telegram.progress", ignore_result=True)
def progress() -> int:
    """Brings the one message about each moving film up to date; how many have changed."""
    if not settings.TELEGRAM.telegram_bot_token.get_secret_value():
        return 0
    with alone("telegram.progress") as mine:
        return sum(map(_show_progress, _moving())) if mine else 0


def _moving() -> list[Run]:
    """Runs that move, or have just ended."""
    shown = Progress.objects.filter(run__updated_at__gt=timezone.now() - LOST_AFTER).values("run")
    runs = Run.objects.filter(Q(status__in=ACTIVE_RUN) | Q(id__in=shown))
    return list(with_standing(runs)[:200])


def _show_progress(run: Run) -> int:
    row, chat_id = Progress.objects.filter(run=run).first(), chat_of(run.user_id)
    story = Story(run)
    text = f"{run.payload.input.brief[:200]}\n{story.headline}, {story.done} of {story.total} steps"
    if chat_id is None or not may_talk(chat_id) or (row is None and not story.done) or (row and row.text == text):
        return 0
    try:
        if row is None:
            Progress.objects.create(run=run, chat_id=chat_id, message_id=bot().send(chat_id, escape(text)), text=text)
        else:
            bot().edit(row.chat_id, row.message_id, escape(text))
            Progress.objects.filter(id=row.id).update(text=text)
    except MylowareError as error:
        log.warning("progress not shown", extra={"runId": str(run.id), "reason": error.message})
        return 0
    return 1
