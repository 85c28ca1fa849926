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


class Update(Part):
    """Something happened. Exactly one kind is set; ``message`` is the one we act on."""

    update_id: int
    message: Message | None = None
