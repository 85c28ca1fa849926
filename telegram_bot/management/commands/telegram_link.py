"""A code by which a user's chat becomes theirs."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from telegram_bot.linking import LIVES, new_code


class Command(BaseCommand):
    help = "Shows a code that links a Telegram chat with a user; it works once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, username: str, **options: Any) -> None:
        user = get_user_model().objects.filter(username=username, is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active user '{username}'.")
        self.stdout.write(f"Within {LIVES.seconds // 60} minutes, send this to the bot:\n/start {new_code(user)}")
