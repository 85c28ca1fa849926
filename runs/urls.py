"""URLs of runs."""

from __future__ import annotations

from django.urls import path, re_path

from . import api, pages
from .media import media
from .stream import stream

urlpatterns = [
    path("v1/runs", api.RunList.as_view(), name="runs"),
    path("v1/runs/start", api.StartRun.as_view(), name="runs-start"),
    path("v1/runs/<uuid:run_id>", api.RunDetail.as_view(), name="run"),
    path("v1/runs/<uuid:run_id>/continue", api.ContinueRun.as_view(), name="run-continue"),
    path("v1/runs/<uuid:run_id>/cancel", api.CancelRun.as_view(), name="run-cancel"),
    path("v1/runs/<uuid:run_id>/retry", api.RetryRun.as_view(), name="run-api-retry"),
    path("v1/runs/<uuid:run_id>/revise", api.ReviseRun.as_view(), name="run-revise"),
    path("v1/runs/<uuid:run_id>/fork", api.ForkRun.as_view(), name="run-api-fork"),
    path("v1/runs/<uuid:run_id>/events", api.RunEvents.as_view(), name="run-events"),
    path("v1/runs/<uuid:run_id>/stream", stream, name="run-stream"),
    path("v1/runs/<uuid:run_id>/artifacts", api.RunArtifacts.as_view(), name="run-artifacts"),
    path("v1/projects", api.ProjectList.as_view(), name="projects"),
    path("v1/projects/<slug:slug>", api.ProjectDetail.as_view(), name="project"),
    path("runs/", pages.run_list, name="run-list"),
    path("runs/<uuid:run_id>/", pages.run_page, name="run-page"),
    path("runs/<uuid:run_id>/pieces/", pages.run_pieces, name="run-pieces"),
    path("runs/<uuid:run_id>/retry/", pages.retry_run, name="run-retry"),
    path("runs/<uuid:run_id>/clips/<int:clip>/retry/", pages.retry_run, name="run-retry-clip"),
    path("runs/<uuid:run_id>/fork/", pages.fork_page, name="run-fork"),
    path("runs/<uuid:run_id>/cancel/", pages.cancel_run, name="run-page-cancel"),
    re_path(r"^media/(?P<folder>[0-9a-f]{2})/(?P<name>[0-9a-f]{64}\.[a-z0-9]{1,8})\Z", media, name="media"),
]
