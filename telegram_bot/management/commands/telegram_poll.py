"""Asks Telegram for updates, where it cannot reach us."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from myloware.kernel.errors import MylowareError, RateLimited
from telegram_bot.client import bot
from telegram_bot.updates import Update
from telegram_bot.views import receive

PAUSE_S = 1.0


class Command(BaseCommand):
    help = "Fetches what people write to the bot, for a system without a public address; ends with Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="fetch what is there, and end")

    def handle(self, *args: Any, once: bool, **options: Any) -> None:
        try:
            # Telegram refuses to be asked while it delivers.
            bot().call("deleteWebhook")
        except MylowareError as error:
            raise CommandError(error.message) from error
        offset = 0
        while True:
            offset = self._fetch(offset)
            if once:
                return
            time.sleep(PAUSE_S)

    def _fetch(self, offset: int) -> int:
        """Receives the updates from ``offset`` on; the next offset."""
        try:
            updates = bot().call("getUpdates", offset=offset)
        except RateLimited as error:
            time.sleep(error.retry_after_s or PAUSE_S)
            return offset
        except MylowareError as error:
            self.stderr.write(error.message)
            return offset
        for each in updates:
            receive(Update.model_validate(each))
        return max([offset, *(int(each["update_id"]) + 1 for each in updates)])
