"""Messages to people in the admin: to be read."""

from __future__ import annotations

from django.contrib import admin

from myloware.kernel.admin import ReadOnly

from .models import Delivery


@admin.register(Delivery)
class DeliveryAdmin(ReadOnly[Delivery]):
    list_display = ("kind", "channel", "recipient", "subject", "status", "attempts", "error", "created_at", "sent_at")
    list_filter = ("status", "channel")
    search_fields = ("recipient", "=run__id")
    date_hierarchy = "created_at"
