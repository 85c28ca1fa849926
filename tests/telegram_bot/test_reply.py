"""Conversations over Telegram."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg
from celery import current_app
from django.utils import timezone

from hitl.tasks import invite, notify
from myloware.kernel import locks
from runs.crew import conninfo
from runs.models import Run
from runs.states import Verdict
from telegram_bot import tasks
from telegram_bot.client import MAX_UNITS
from telegram_bot.models import TelegramUpdate
from tests.hitl import scenes

from .bot_api import BLOCKED, BROKEN, SILENCE, SLOW_DOWN, BotApi

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django import Settings

CHANNEL = "telegram_bot.channel.TelegramChannel"
WISH = "Make a film about the moon that orders a cheeseburger"


def hear(words: str, chat: int = 42) -> TelegramUpdate:
    return TelegramUpdate.objects.create(update_id=TelegramUpdate.objects.count() + 1, chat_id=chat, text=words)


def say(words: str, chat: int = 42) -> str:
    """Sends a message and has it answered, retries included; the time that is waited passes at once."""
    row = hear(words, chat)
    for retries in range(tasks.MAX_RETRIES + 1):
        said = str(tasks.reply.apply((row.id,), retries=retries).get())
        if said != "nothing to do":
            return said
        TelegramUpdate.objects.filter(id=row.id).update(due_at=timezone.now())
    raise AssertionError("it is never given up")


def test_a_wish_becomes_a_proposal_with_a_button(bot_api: BotApi, visitor: Client) -> None:
    assert say(WISH) == "answered"
    run = Run.objects.get()
    assert run.user_id == "telegram_42"
    (message,) = bot_api.sent
    assert message["chat_id"] == 42
    assert "/v1/hitl/approve/" not in message["text"]
    verdicts, (button,) = message["reply_markup"]["inline_keyboard"]
    assert [each["text"] for each in verdicts] == ["Approve", "Reject"]
    parts = urlsplit(button["url"])
    assert parts.path == f"/v1/hitl/approve/{run.id}/workflow"
    token = scenes.token_of(button["url"])
    assert visitor.post(parts.path, {"token": token, "verdict": "approve"}).status_code == 303
    assert run.approvals.get().actor == "telegram_42"


def test_markup_in_a_message_is_shown_and_not_obeyed(bot_api: BotApi) -> None:
    say("/<b>unknown</b>&")
    assert "&lt;b&gt;unknown&lt;/b&gt;&amp;" in bot_api.sent[0]["text"]


def test_commands_are_answered_without_brendan(bot_api: BotApi) -> None:
    for words in ("/start", "/help@myloware_bot", "/runs", "/status"):
        assert say(words) == "answered"
    assert not Run.objects.exists()
    assert "Tell me in a sentence" in bot_api.sent[0]["text"]
    assert "no films yet" in bot_api.sent[2]["text"]


def test_runs_and_status_tell_of_my_runs_alone(bot_api: BotApi) -> None:
    run = scenes.at_workflow(user_id="telegram_42")
    say("/runs")
    say(f"/status {run.id}")
    say(f"/status {run.id}", chat=43)
    say("/runs", chat=43)
    mine, status, theirs, none = bot_api.sent
    assert str(run.id) in mine["text"]
    assert "waiting, at workflow" in status["text"]
    assert status["reply_markup"]
    assert scenes.BRIEF not in theirs["text"]
    assert "reply_markup" not in theirs
    assert "no films yet" in none["text"]


def test_a_long_answer_comes_in_several_messages_with_the_button_on_the_last(bot_api: BotApi) -> None:
    for _ in range(10):
        scenes.at_workflow(user_id="telegram_42")
    row = hear("anything")
    row.reply = ["x" * MAX_UNITS, "the end"]
    row.runs = list(Run.objects.values_list("id", flat=True)[:1])
    row.save()
    tasks.reply(row.id)
    first, last = bot_api.sent
    assert len(first["text"]) == MAX_UNITS
    assert "reply_markup" not in first
    assert last["reply_markup"]


def test_telegram_asking_to_wait_delays_the_answer(bot_api: BotApi) -> None:
    bot_api.answers.extend([SLOW_DOWN, BROKEN])
    assert say("/help") == "answered"
    assert len(bot_api.sent) == 1


def test_an_answer_that_may_have_arrived_is_not_sent_again(bot_api: BotApi) -> None:
    bot_api.answers.append(SILENCE)
    assert say("/help") == "failed"
    assert "did not answer" in TelegramUpdate.objects.get().error
    assert len(bot_api.paths) == 1


def test_a_telegram_that_stays_away_is_given_up(bot_api: BotApi, settings: Settings) -> None:
    settings.TELEGRAM = settings.TELEGRAM.model_copy(update={"telegram_base_url": "http://127.0.0.1:9"})
    assert say("/help") == "failed"
    assert "failed 5 times in a row" in TelegramUpdate.objects.get().error


def test_one_worker_at_a_time_has_a_message(bot_api: BotApi) -> None:
    row = hear("/help")
    with psycopg.connect(conninfo()) as other:
        other.execute("SELECT pg_advisory_lock(%s, hashtext(%s))", (locks._LOCKS, f"telegram.reply:{row.id}"))
        assert tasks.reply(row.id) == "nothing to do"
        assert bot_api.sent == []
        other.execute("SELECT pg_advisory_unlock_all()")
    assert tasks.reply(row.id) == "answered"


def test_sending_again_does_not_ask_brendan_again(bot_api: BotApi) -> None:
    bot_api.answers.append(SLOW_DOWN)
    say(WISH)
    assert Run.objects.count() == 1


def test_a_blocked_bot_gives_up_quietly(bot_api: BotApi) -> None:
    bot_api.answers.append(BLOCKED)
    assert say("/help") == "failed"
    row = TelegramUpdate.objects.get()
    assert row.status == "failed"
    assert "blocked by the user" in row.error
    assert bot_api.sent == []


def test_messages_nobody_answered_are_found_again(bot_api: BotApi) -> None:
    row = hear("/help")
    TelegramUpdate.objects.update(due_at=timezone.now() - timedelta(minutes=5))
    hear("/runs")
    current_app.conf.task_always_eager = True
    try:
        assert tasks.sweep() == 1
    finally:
        current_app.conf.task_always_eager = False
    row.refresh_from_db()
    assert row.status == "answered"
    assert len(bot_api.sent) == 1


def test_later_gates_and_the_end_come_as_messages(bot_api: BotApi) -> None:
    run = scenes.at_workflow(user_id="telegram_42")
    assert invite(str(scenes.gate(run).id), CHANNEL) == "sent"
    assert bot_api.sent == []
    at_end = scenes.at_prepublish()
    Run.objects.filter(id=at_end.id).update(user_id="telegram_43")
    assert invite(str(scenes.gate(at_end).id), CHANNEL) == "sent"
    (message,) = bot_api.sent
    assert message["chat_id"] == 43
    assert "/prepublish?token=" in message["reply_markup"]["inline_keyboard"][1][0]["url"]
    scenes.decide(run, Verdict.REJECT, "no")
    assert notify(str(run.id), CHANNEL) == "sent"
    assert bot_api.sent[1]["chat_id"] == 42
    assert "Nothing was published" in bot_api.sent[1]["text"]


def test_who_is_not_on_telegram_or_not_allowed_hears_nothing(bot_api: BotApi) -> None:
    for user_id in ("alice", "telegram_666", "telegram_x"):
        run = scenes.at_workflow(user_id=user_id)
        scenes.decide(run, Verdict.REJECT, "no")
        assert notify(str(run.id), CHANNEL) == "sent"
    assert bot_api.paths == []
