"""Telegram at our door."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from telegram_bot import tasks
from telegram_bot.models import TelegramUpdate

from .bot_api import BotApi

if TYPE_CHECKING:
    from pytest_django import Settings

URL = "/v1/telegram/webhook"


def text(content: str = "hello", *, update_id: int = 900001, chat: int = 42, kind: str = "private") -> dict[str, Any]:
    return {
        "update_id": update_id,
        "message": {
            "message_id": 55,
            "date": 1767225600,
            "from": {"id": chat, "is_bot": False, "first_name": "Ada"},
            "chat": {"id": chat, "type": kind, "first_name": "Ada"},
            "text": content,
        },
    }


def deliver(body: Any, secret: str = "webhook-secret") -> Any:
    client = Client(enforce_csrf_checks=True)
    headers = {"X-Telegram-Bot-Api-Secret-Token": secret} if secret else {}
    return client.post(URL, body, "application/json", headers=headers)


@pytest.mark.usefixtures("bot_api")
def test_a_message_is_kept_and_answered_at_once() -> None:
    assert deliver(text()).status_code == 200
    row = TelegramUpdate.objects.get()
    assert (row.update_id, row.chat_id, row.text, row.status) == (900001, 42, "hello", "received")
    assert row.user_id == "telegram_42"


@pytest.mark.usefixtures("bot_api")
@pytest.mark.parametrize("secret", ["", "wrong", "webhook-secret2"])
def test_without_the_secret_nobody_gets_in(secret: str) -> None:
    assert deliver(text(), secret).status_code == 401
    assert not TelegramUpdate.objects.exists()


def test_a_bot_without_a_webhook_secret_lets_nobody_in(bot_api: BotApi, settings: Settings) -> None:
    empty = type(settings.TELEGRAM.telegram_webhook_secret)("")
    settings.TELEGRAM = settings.TELEGRAM.model_copy(update={"telegram_webhook_secret": empty})
    assert deliver(text(), "").status_code == 401


def test_without_a_token_the_bot_is_off(settings: Settings) -> None:
    settings.TELEGRAM = settings.TELEGRAM.model_copy(
        update={"telegram_bot_token": type(settings.TELEGRAM.telegram_bot_token)("")}
    )
    assert deliver(text()).status_code == 404


@pytest.mark.usefixtures("bot_api")
@pytest.mark.parametrize(
    "body",
    [
        text(chat=666),
        text(chat=-100, kind="group"),
        text(" "),
        {"update_id": 1, "edited_message": {"message_id": 1}},
        {"update_id": 2, "callback_query": {"id": "1", "data": "a"}},
        {"update_id": 3, "message": {"message_id": 1, "date": 0, "chat": {"id": 42, "type": "private"}, "photo": []}},
        {"update_id": 4, "something_of_next_year": {}},
    ],
)
def test_what_is_not_for_us_is_accepted_and_dropped(body: dict[str, Any]) -> None:
    assert deliver(body).status_code == 200
    assert not TelegramUpdate.objects.exists()


@pytest.mark.usefixtures("bot_api")
@pytest.mark.parametrize("body", [{}, [], {"update_id": "x"}, {"update_id": 1, "message": {"text": "no chat"}}])
def test_what_is_no_update_is_refused(body: Any) -> None:
    assert deliver(body).status_code == 400


@pytest.mark.usefixtures("bot_api")
def test_a_repeated_delivery_is_the_same_message() -> None:
    assert [deliver(text()).status_code for _ in range(3)] == [200, 200, 200]
    assert TelegramUpdate.objects.count() == 1


def test_a_repeated_delivery_is_answered_once(bot_api: BotApi) -> None:
    deliver(text("/help"))
    row = TelegramUpdate.objects.get()
    assert tasks.reply(row.id) == "answered"
    deliver(text("/help"))
    assert tasks.reply(row.id) == "nothing to do"
    assert len(bot_api.sent) == 1
