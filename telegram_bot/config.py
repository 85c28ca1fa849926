"""Settings of the Telegram bot."""

from __future__ import annotations

from pydantic import Field, SecretStr

from myloware.kernel.settings import Settings, Site


class TelegramSettings(Settings):
    """Telegram."""

    telegram_bot_token: SecretStr = Field(SecretStr(""), description="bot token; empty: the bot is off")
    telegram_webhook_secret: SecretStr = Field(
        SecretStr(""), description="value Telegram sends in its secret header; any long text of A-Z a-z 0-9 _ -"
    )
    telegram_allowed_chats: str = Field("", description="comma-separated chat ids the bot talks to; empty: none")
    telegram_base_url: Site = Field(
        "https://api.telegram.org",
        description="Bot API; a stand-in on this machine (http) where nothing is live",
    )
    telegram_timeout_s: float = Field(15, gt=0, le=120, description="time limit of one Bot API call, in seconds")

    @property
    def allowed_chats(self) -> frozenset[str]:
        return frozenset(filter(None, (part.strip() for part in self.telegram_allowed_chats.split(","))))
