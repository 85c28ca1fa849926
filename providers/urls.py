"""URLs of providers."""

from __future__ import annotations

from django.urls import path

from .views import Webhook

urlpatterns = [path("v1/webhooks/<str:provider>", Webhook.as_view(), name="webhook")]
