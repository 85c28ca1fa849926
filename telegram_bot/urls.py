"""URLs of telegram_bot."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from .views import Webhook

urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/telegram/webhook", Webhook.as_view(), name="telegram-webhook"),
]
