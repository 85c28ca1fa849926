"""API keys in the admin: to be read. `manage.py api_keys` makes, rotates and revokes them."""

from __future__ import annotations

from django.contrib import admin

from myloware.kernel.admin import ReadOnly

from .models import ApiKey


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnly[ApiKey]):
    list_display = ("name", "owner", "scopes", "public", "created_at", "last_used_at", "ends_at")
    search_fields = ("name", "owner", "=public")
    exclude = ("digest",)
