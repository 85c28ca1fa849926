"""URLs of runs."""

from __future__ import annotations

from django.urls import path

from . import api
from .media import media
from .stream import stream

urlpatterns = [
    path("v1/runs", api.RunList.as_view(), name="runs"),
    path("v1/runs/start", api.StartRun.as_view(), name="runs-start"),
    path("v1/runs/<uuid:run_id>", api.RunDetail.as_view(), name="run"),
    path("v1/runs/<uuid:run_id>/continue", api.ContinueRun.as_view(), name="run-continue"),
    path("v1/runs/<uuid:run_id>/cancel", api.CancelRun.as_view(), name="run-cancel"),
    path("v1/runs/<uuid:run_id>/events", api.RunEvents.as_view(), name="run-events"),
    path("v1/runs/<uuid:run_id>/stream", stream, name="run-stream"),
    path("v1/runs/<uuid:run_id>/artifacts", api.RunArtifacts.as_view(), name="run-artifacts"),
    path("v1/projects", api.ProjectList.as_view(), name="projects"),
    path("v1/projects/<slug:slug>", api.ProjectDetail.as_view(), name="project"),
    path("media/<slug:folder>/<str:name>", media, name="media"),
]
