"""The Telegram bot as a Django application."""

from __future__ import annotations

from django.apps import AppConfig


class TelegramBotConfig(AppConfig):
    name = "telegram_bot"
    verbose_name = "Telegram"
