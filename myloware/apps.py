"""The platform as a Django application."""

from __future__ import annotations

from django.apps import AppConfig


class MylowareConfig(AppConfig):
    name = "myloware"

    def ready(self) -> None:
        # `shared_task` and `current_app` need the Celery application in every process that has Django.
        from . import celery, checks  # noqa: F401
