"""Messages about a run, to the chat it was started from."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.conf import settings

from hitl.pages import film_of
from myloware.kernel.errors import ProviderRefused
from runs.services import digest_of, shown_at

from . import gates
from .client import Button, bot, escape, pages
from .models import chat_of, may_talk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hitl.messages import Message
    from hitl.models import Delivery


log = logging.getLogger(__name__)


class TelegramChannel:
    """Nobody hears from it unless the bot is on and the run came from an allowed chat."""

    def recipients(self, message: Message) -> Sequence[str]:
        people = message.to or (message.run.user_id,)
        chats = {name: chat_of(name) for name in people}
        return [name for name, chat in chats.items() if chat and _reachable(chat) and not _told_already(message)]

    def send(self, message: Message, to: Delivery) -> dict[str, Any]:
        chat_id = chat_of(to.recipient) or 0
        self._show_film(message, to, chat_id)
        text = escape(pages(f"{message.subject}\n\n{message.text}")[0])
        if message.step:
            message_id = bot().send(chat_id, text, gates.buttons(message.step, to.recipient))
            shown = digest_of(message.step)[: gates.SHOWN]
            return {**to.reference, "chat_id": chat_id, "message_id": message_id, "shown": shown}
        url = message.url(to.recipient)
        message_id = bot().send(chat_id, text, (Button(message.action, url),) if url else ())
        return {"chat_id": chat_id, "message_id": message_id}

    def _show_film(self, message: Message, to: Delivery, chat_id: int) -> None:
        """The film to look at, before the question about it. Telegram fetches it from us, if it can reach us."""
        film = film_of(message.run, shown_at(message.step).get("film", "")) if message.step else None
        if film is None or "video" in to.reference or not settings.PUBLIC_BASE_URL.startswith("https://"):
            return
        try:
            video = bot().show(chat_id, f"{settings.PUBLIC_BASE_URL}{film.url}", poster=film.poster)
        except ProviderRefused as error:
            log.warning("the film is not shown in the chat", extra={"reason": error.message})
            return
        to.reference = {"video": video}
        to.save(update_fields=["reference"])

    def update(self, message: Message, to: Delivery) -> None:
        text = pages(f"{message.subject}\n\n{message.text}")[0]
        bot().edit(to.reference["chat_id"], to.reference["message_id"], escape(text))


def _reachable(chat_id: int) -> bool:
    on = bool(settings.TELEGRAM.telegram_bot_token.get_secret_value())
    return on and may_talk(chat_id)


def _told_already(message: Message) -> bool:
    """The plan of a film proposed in a chat comes with Brendan's answer there."""
    return message.step is not None and message.step.position == 0
