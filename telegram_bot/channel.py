"""Messages about a run, to the chat it was started from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings

from .client import Button, bot, escape, pages
from .models import chat_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hitl.messages import Message
    from hitl.models import Delivery


class TelegramChannel:
    """Nobody hears from it unless the bot is on and the run came from an allowed chat."""

    def recipients(self, message: Message) -> Sequence[str]:
        people = message.to or (message.run.user_id,)
        chats = {name: chat_of(name) for name in people}
        return [name for name, chat in chats.items() if chat and _reachable(chat) and not _told_already(message)]

    def send(self, message: Message, to: Delivery) -> dict[str, Any]:
        url = message.url(to.recipient)
        text = pages(f"{message.subject}\n\n{message.text}")[0]
        chat_id = chat_of(to.recipient) or 0
        return {
            "chat_id": chat_id,
            "message_id": bot().send(chat_id, escape(text), (Button(message.action, url),) if url else ()),
        }

    def update(self, message: Message, to: Delivery) -> None:
        text = pages(f"{message.subject}\n\n{message.text}")[0]
        bot().edit(to.reference["chat_id"], to.reference["message_id"], escape(text))


def _reachable(chat_id: int) -> bool:
    on = bool(settings.TELEGRAM.telegram_bot_token.get_secret_value())
    return on and str(chat_id) in settings.TELEGRAM.allowed_chats


def _told_already(message: Message) -> bool:
    """The plan of a film proposed in a chat comes with Brendan's answer there."""
    return message.step is not None and message.step.position == 0
