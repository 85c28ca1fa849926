"""A bot that talks to a Bot API of our own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.core.cache import cache
from pydantic import SecretStr

from telegram_bot.config import TelegramSettings
from tests.hitl.conftest import api, checkpoint_pools, media, projects, visitor

from .bot_api import TOKEN, BotApi, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

__all__ = ["api", "bot_api", "checkpoint_pools", "media", "projects", "visitor"]


@pytest.fixture
def bot_api(settings: Settings) -> Iterator[BotApi]:
    cache.clear()
    with serving() as served:
        settings.TELEGRAM = TelegramSettings(
            telegram_bot_token=SecretStr(TOKEN),
            telegram_webhook_secret=SecretStr("webhook-secret"),
            telegram_allowed_chats="42, 43",
            telegram_base_url=served.url,
        )
        yield served
