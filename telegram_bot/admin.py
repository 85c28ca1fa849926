"""Telegram's messages in the admin: to be read, not to be changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from .models import TelegramUpdate

if TYPE_CHECKING:
    from django.http import HttpRequest


@admin.register(TelegramUpdate)
class TelegramUpdateAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    list_display = ("update_id", "chat_id", "text", "status", "created_at", "answered_at")
    list_filter = ("status",)
    search_fields = ("text", "chat_id")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: TelegramUpdate | None = None) -> bool:
        return False
