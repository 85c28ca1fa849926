"""The parts of Telegram's ``Update`` that we use (Bot API 10.1, https://core.telegram.org/bots/api#update)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """Telegram adds fields at any time; those we do not use are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Chat(Part):
    """``type`` is private, group, supergroup or channel."""

    id: int
    type: str


class Message(Part):
    """A message; ``text`` is absent for photos, stickers and the like."""

    message_id: int
    chat: Chat
    text: str = ""
    reply_to_message: Message | None = None


class CallbackQuery(Part):
    """A button was pressed. ``message`` is the one under which it stands; absent when that is too old."""

    id: str
    data: str = ""
    message: Message | None = None


class Update(Part):
    """Something happened. Exactly one kind is set; edited messages and all others are not acted on."""

    update_id: int
    message: Message | None = None
    callback_query: CallbackQuery | None = None
