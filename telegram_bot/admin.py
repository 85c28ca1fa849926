"""Telegram's rows in the admin: to be read, not to be changed."""

from __future__ import annotations

from django.contrib import admin

from myloware.kernel.admin import ReadOnly

from .models import LinkCode, Progress, TelegramChat, TelegramUpdate


@admin.register(TelegramUpdate)
class TelegramUpdateAdmin(ReadOnly[TelegramUpdate]):
    list_display = ("update_id", "chat_id", "text", "status", "error", "due_at", "answered_at")
    list_filter = ("status",)
    search_fields = ("text", "chat_id")


@admin.register(TelegramChat)
class TelegramChatAdmin(ReadOnly[TelegramChat]):
    list_display = ("chat_id", "user", "linked_at")
    search_fields = ("user__username", "=chat_id")


@admin.register(LinkCode)
class LinkCodeAdmin(ReadOnly[LinkCode]):
    list_display = ("user", "ends_at")
    exclude = ("digest",)


@admin.register(Progress)
class ProgressAdmin(ReadOnly[Progress]):
    list_display = ("run", "chat_id", "text")
