"""URLs of hitl."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from . import api
from .inbox import inbox
from .views import ApprovalPage, RepairFilm, open_page

urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/chat/brendan", api.ChatBrendan.as_view(), name="chat-brendan"),
    path("v1/hitl/<uuid:run_id>/link", api.GateLink.as_view(), name="hitl-link"),
    path("v1/hitl/<uuid:run_id>/revoke", api.RevokeLinks.as_view(), name="hitl-revoke"),
    path("v1/hitl/decide/<uuid:run_id>/<slug:gate>", api.DecideGate.as_view(), name="hitl-decide"),
    path("inbox/", inbox, name="inbox"),
    path("runs/<uuid:run_id>/decide/", open_page, name="hitl-open"),
    path("v1/hitl/approve/<uuid:run_id>/<slug:gate>", ApprovalPage.as_view(), name="hitl-approve"),
    path("v1/hitl/repair/<uuid:run_id>/<slug:gate>", RepairFilm.as_view(), name="hitl-repair"),
]
