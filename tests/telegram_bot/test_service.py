"""Our bot and Telegram itself, as `manage.py simulators` plays it: what the person in the chat sees."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from celery.exceptions import Retry
from django.core.cache import cache
from django.utils import timezone
from pydantic import SecretStr

from hitl.tasks import invite
from myloware.kernel.errors import MylowareError, ProviderRefused
from runs.models import Run
from telegram_bot import tasks
from telegram_bot.client import bot
from telegram_bot.config import TelegramSettings
from telegram_bot.models import TelegramUpdate
from tests.hitl import scenes
from tests.myloware.conftest import TOKEN, served

from .test_reply import CHANNEL, WISH, hear, say

if TYPE_CHECKING:
    from pytest_django import Settings
    from pytest_django.live_server_helper import LiveServer

    from tests.myloware.conftest import Served

__all__ = ["served"]

CHAT = 42
SECRET = "webhook-secret"


class Chat:
    """One person's conversation with our bot."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self.turn = served.turn

    @property
    def seen(self) -> list[str]:
        """What the bot said, oldest first."""
        return [each["text"] for each in self._messages() if each["from"]["is_bot"]]

    @property
    def buttons(self) -> list[str]:
        """The captions under the bot's newest message."""
        rows = self._messages()[-1].get("reply_markup", {}).get("inline_keyboard", [])
        return [button["text"] for row in rows for button in row]

    def left(self, fault: str) -> int:
        """How often it will still go wrong."""
        faults: dict[str, dict[str, int]] = httpx.get(f"{self._served.url}/dial").json()["faults"]
        return faults["telegram"][fault]

    def say(self, text: str) -> None:
        """Writes to the bot, and waits until Telegram has told it."""
        httpx.post(f"{self._served.url}/telegram/say", json={"chat_id": CHAT, "text": text}).raise_for_status()
        for each in threading.enumerate():
            if each.name == "update":
                each.join(10)

    def press(self, message_id: int) -> str:
        """Presses a button; the id of the query."""
        pressed = {"chat_id": CHAT, "message_id": message_id, "data": "a:1"}
        update = httpx.post(f"{self._served.url}/telegram/press", json=pressed).raise_for_status().json()
        return str(update["callback_query"]["id"])

    def _messages(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = httpx.get(f"{self._served.url}/telegram/chats/{CHAT}").json()["messages"]
        return found


@pytest.fixture
def chat(served: Served, settings: Settings) -> Chat:
    cache.clear()
    settings.TELEGRAM = TelegramSettings(
        telegram_bot_token=SecretStr(TOKEN),
        telegram_webhook_secret=SecretStr(SECRET),
        telegram_allowed_chats=str(CHAT),
        telegram_base_url=served.url,
    )
    return Chat(served)


# --- 429


def test_telegram_asking_to_wait_is_heard(chat: Chat) -> None:
    chat.turn("telegram", "rate_limited", 2)
    row = hear("/help")
    began = timezone.now()
    with pytest.raises(MylowareError, match="takes no more requests now"):
        tasks.reply(row.id)
    row.refresh_from_db()
    assert row.due_at >= began + timedelta(seconds=5)
    assert tasks.reply(row.id) == "nothing to do"
    assert (chat.left("rate_limited"), chat.seen) == (1, [])


def test_what_had_to_wait_arrives_once(chat: Chat) -> None:
    chat.turn("telegram", "rate_limited", 2)
    assert say(WISH) == "answered"
    assert (len(chat.seen), chat.buttons) == (1, ["Approve", "Reject", "Open"])
    assert Run.objects.count() == 1


def test_an_answer_of_two_messages_is_taken_up_where_it_stopped(chat: Chat) -> None:
    row = hear("anything")
    row.reply, row.sent = ["first", "second"], 0
    row.save()
    bot().send(CHAT, row.reply[0])
    row.sent = 1
    row.save()
    chat.turn("telegram", "rate_limited")
    tasks.reply.apply((row.id,))
    TelegramUpdate.objects.update(due_at=timezone.now())
    assert tasks.reply(row.id) == "answered"
    assert chat.seen == ["first", "second"]


def test_an_invitation_waits_as_well(chat: Chat) -> None:
    gate = scenes.gate(mine(scenes.at_prepublish()))
    chat.turn("telegram", "rate_limited")
    with pytest.raises(Retry) as caught:
        invite.apply((str(gate.id), CHANNEL), throw=True).get()
    assert caught.value.when == 5
    assert invite(str(gate.id), CHANNEL) == "sent"
    assert (len(chat.seen), chat.buttons) == (1, ["Approve", "Revise", "Reject", "Open"])


def mine(run: Run) -> Run:
    Run.objects.filter(id=run.id).update(user_id=f"telegram_{CHAT}")
    run.refresh_from_db()
    return run


# --- 403


def test_who_blocked_the_bot_hears_nothing_and_the_run_stands_as_before(chat: Chat) -> None:
    run = mine(scenes.at_prepublish())
    chat.turn("telegram", "blocked", 2)
    assert say("/help") == "failed"
    assert invite(str(scenes.gate(run).id), CHANNEL) == "failed"
    assert chat.left("blocked") == 0
    row = TelegramUpdate.objects.get()
    assert (row.status, row.error) == ("failed", "Telegram refused (403): Forbidden: bot was blocked by the user.")
    assert tasks.reply(row.id) == "nothing to do"
    TelegramUpdate.objects.update(due_at=timezone.now() - timedelta(hours=1))
    assert tasks.sweep() == 0
    run.refresh_from_db()
    assert (run.status, chat.seen) == ("waiting", [])
    assert say("/status") == "answered"
    assert chat.buttons == ["Approve", "Revise", "Reject", "Open"]


# --- 400, which says nothing of Telegram's health


def refused(method: str, **fields: Any) -> str:
    with pytest.raises(ProviderRefused) as caught:
        bot().call(method, **fields)
    return caught.value.message


def test_an_edit_that_changes_nothing_is_refused_and_not_repeated(chat: Chat) -> None:
    message_id = bot().send(CHAT, "Ideas are ready")
    same = {"chat_id": CHAT, "message_id": message_id, "text": "Ideas are ready"}
    assert "message is not modified" in refused("editMessageText", **same)
    assert chat.seen == ["Ideas are ready"]


def test_a_button_answered_too_late_is_refused_and_not_repeated(chat: Chat) -> None:
    query = chat.press(bot().send(CHAT, "Ideas are ready"))
    chat.turn("telegram", "stale_query", 2)
    assert "query is too old" in refused("answerCallbackQuery", callback_query_id=query)
    assert chat.left("stale_query") == 1


def test_refusals_do_not_open_the_circuit(chat: Chat) -> None:
    for _ in range(6):
        assert "query ID is invalid" in refused("answerCallbackQuery", callback_query_id="unknown")
        assert "message to edit not found" in refused("editMessageText", chat_id=CHAT, message_id=1, text="x")
    assert say("/help") == "answered"


# --- Updates


@pytest.mark.django_db(transaction=True)
def test_a_message_that_telegram_delivers_twice_is_answered_once(chat: Chat, live_server: LiveServer) -> None:
    bot().call("setWebhook", url=f"{live_server.url}/v1/telegram/webhook", secret_token=SECRET)
    chat.turn("telegram", "repeated_update")
    chat.say("/help")
    row = TelegramUpdate.objects.get()
    assert [tasks.reply(row.id) for _ in range(2)] == ["answered", "nothing to do"]
    assert len(chat.seen) == 1


@pytest.mark.django_db(transaction=True)
def test_asking_for_updates_beside_a_webhook_is_refused_and_the_webhook_goes_on(
    chat: Chat, live_server: LiveServer
) -> None:
    bot().call("setWebhook", url=f"{live_server.url}/v1/telegram/webhook", secret_token=SECRET)
    for _ in range(6):
        assert "(409): Conflict: can't use getUpdates method while webhook is active" in refused("getUpdates")
    chat.say("/help")
    assert tasks.reply(TelegramUpdate.objects.get().id) == "answered"
    assert len(chat.seen) == 1


# --- 502


def test_an_answer_that_telegram_failed_to_take_comes_later(chat: Chat) -> None:
    chat.turn("telegram", "server_error", 3)
    assert say("/help") == "answered"
    assert len(chat.seen) == 1
