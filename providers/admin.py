"""Callbacks and renders in the admin: to read, never to change."""

from __future__ import annotations

import json
from contextlib import suppress

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from myloware.kernel.admin import ReadOnly
from myloware.kernel.errors import MylowareError

from .callbacks import storable
from .models import Render, WebhookEvent
from .tasks import replay, resolve


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnly[WebhookEvent]):
    date_hierarchy = "received_at"
    list_display = ("received_at", "provider", "idempotency_key", "signature_status", "status", "attempts", "error")
    list_filter = ("provider", "signature_status", "status")
    search_fields = ("idempotency_key",)
    readonly_fields = ("payload",)
    exclude = ("raw_payload",)
    actions = ("replay_events", "resolve_events")

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Who may replay: the right to change events, though nobody edits their rows."""
        return request.user.has_perm("providers.change_webhookevent")

    @admin.action(description="Replay now", permissions=["operate"])
    def replay_events(self, request: HttpRequest, events: QuerySet[WebhookEvent]) -> None:
        for event in events:
            try:
                outcome = replay(event)
            except MylowareError as error:
                outcome = error.message
            level = messages.SUCCESS if outcome == WebhookEvent.Status.PROCESSED else messages.ERROR
            self.message_user(request, f"{event}: {outcome} {event.error}".rstrip(), level)

    @admin.action(description="Resolve: dealt with by hand", permissions=["operate"])
    def resolve_events(self, request: HttpRequest, events: QuerySet[WebhookEvent]) -> None:
        for event in events.filter(status__in=[WebhookEvent.Status.DEAD, WebhookEvent.Status.FAILED]):
            resolve(event)
            self.message_user(request, f"{event}: resolved", messages.SUCCESS)

    @admin.display(description="payload")
    def payload(self, event: WebhookEvent) -> SafeString:
        text = bytes(event.raw_payload).decode(errors="replace")
        # Half characters cannot be shown, and nests can be too deep to be read.
        with suppress(ValueError, RecursionError):
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        return format_html("<pre>{}</pre>", storable(text))


@admin.register(Render)
class RenderAdmin(ReadOnly[Render]):
    date_hierarchy = "created_at"
    list_display = ("created_at", "id", "status", "percent", "machine", "attempt", "losses", "reason", "error")
    list_filter = ("status", "machine")
    search_fields = ("id", "reference")

    @admin.display(description="done")
    def percent(self, render: Render) -> str:
        return f"{render.progress:.0%}"
