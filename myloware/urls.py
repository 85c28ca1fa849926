"""Every URL, by the app that answers it."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from .health import health
from .metrics import metrics

handler404 = "myloware.kernel.requests.nothing_here"

admin.site.site_header = admin.site.site_title = "MyloWare"

urlpatterns = [
    path("health", health),
    path("metrics", metrics),
    path("v1/schema", SpectacularAPIView.as_view(permission_classes=[], authentication_classes=[]), name="schema"),
    path("docs", SpectacularSwaggerView.as_view(permission_classes=[], authentication_classes=[]), name="docs"),
    path("admin/", admin.site.urls),
    path("", include("providers.urls")),
    path("", include("knowledge.urls")),
    path("", include("runs.urls")),
    path("", include("hitl.urls")),
    path("", include("telegram_bot.urls")),
]
