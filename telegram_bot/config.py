"""Settings of the Telegram bot."""

from __future__ import annotations

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings


class TelegramSettings(BaseSettings):
    """Telegram."""

    telegram_bot_token: SecretStr = Field(SecretStr(""), description="bot token; empty: the bot is off")
    telegram_webhook_secret: SecretStr = Field(SecretStr(""), description="value Telegram sends in its secret header")
    telegram_allowed_chats: str = Field("", description="comma-separated chat ids the bot talks to; empty: none")
    telegram_base_url: str = Field("https://api.telegram.org", description="Bot API server")
    telegram_timeout_s: float = Field(15, gt=0, le=120, description="time limit of one Bot API call, in seconds")

    @property
    def allowed_chats(self) -> frozenset[str]:
        return frozenset(filter(None, (part.strip() for part in self.telegram_allowed_chats.split(","))))
