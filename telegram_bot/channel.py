"""Messages about a run, to the chat it was started from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from .client import Button, bot, escape, pages
from .models import chat_of

if TYPE_CHECKING:
    from hitl.messages import Message


class TelegramChannel:
    """Nobody hears from it unless the bot is on and the run came from an allowed chat."""

    def send(self, message: Message) -> None:
        chat_id = chat_of(message.run.user_id)
        if chat_id is None or not _reachable(chat_id) or _told_already(message):
            return
        url = message.url(message.run.user_id)
        text = pages(f"{message.subject}\n\n{message.text}")[0]
        bot().send(chat_id, escape(text), (Button(message.action, url),) if url else ())


def _reachable(chat_id: int) -> bool:
    on = bool(settings.TELEGRAM.telegram_bot_token.get_secret_value())
    return on and str(chat_id) in settings.TELEGRAM.allowed_chats


def _told_already(message: Message) -> bool:
    """The plan of a film proposed in a chat comes with Brendan's answer there."""
    return message.step is not None and message.step.position == 0
