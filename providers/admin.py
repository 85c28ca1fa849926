"""Callbacks in the admin: to read, never to change."""

from __future__ import annotations

import json
from contextlib import suppress

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString

from myloware.kernel.admin import ReadOnly

from .models import WebhookEvent


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnly[WebhookEvent]):
    date_hierarchy = "received_at"
    list_display = ("received_at", "provider", "idempotency_key", "signature_status", "status", "attempts")
    list_filter = ("provider", "signature_status", "status")
    search_fields = ("idempotency_key",)
    readonly_fields = ("payload",)
    exclude = ("raw_payload",)

    @admin.display(description="payload")
    def payload(self, event: WebhookEvent) -> SafeString:
        text = bytes(event.raw_payload).decode(errors="replace")
        with suppress(ValueError):
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        return format_html("<pre>{}</pre>", text)
