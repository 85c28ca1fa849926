"""Telegram's messages in the admin: to be read, not to be changed."""

from __future__ import annotations

from django.contrib import admin

from myloware.kernel.admin import ReadOnly

from .models import TelegramUpdate


@admin.register(TelegramUpdate)
class TelegramUpdateAdmin(ReadOnly[TelegramUpdate]):
    list_display = ("update_id", "chat_id", "text", "status", "error", "due_at", "answered_at")
    list_filter = ("status",)
    search_fields = ("text", "chat_id")
