"""A chat becomes a user's by a code that works once: the user gets it from us, and sends it in the chat."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from .models import LinkCode, TelegramChat

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LIVES = timedelta(minutes=15)
# As Telegram takes it behind /start: https://core.telegram.org/bots/features#deep-linking
CODE_BYTES = 16


def new_code(user: User) -> str:
    """A code for the user, which is kept as a digest; an earlier one no longer works."""
    code = secrets.token_urlsafe(CODE_BYTES)
    LinkCode.objects.update_or_create(user=user, defaults={"digest": _digest(code), "ends_at": timezone.now() + LIVES})
    return code


def code_in(text: str) -> str:
    """The code of ``/start CODE``; empty when there is none."""
    word, _, rest = text.strip().partition(" ")
    return rest.strip() if word.partition("@")[0].lower() == "/start" else ""


def is_valid(code: str) -> bool:
    return bool(code) and LinkCode.objects.filter(digest=_digest(code), ends_at__gt=timezone.now()).exists()


@transaction.atomic
def link(chat_id: int, code: str) -> str:
    """Uses the code up and links the chat with its user; the user's name, empty for a code that does not work."""
    row = LinkCode.objects.select_for_update().filter(digest=_digest(code), ends_at__gt=timezone.now()).first()
    if row is None:
        return ""
    TelegramChat.objects.filter(chat_id=chat_id).exclude(user=row.user).delete()
    TelegramChat.objects.update_or_create(user=row.user, defaults={"chat_id": chat_id})
    row.delete()
    return str(row.user.get_username())


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
