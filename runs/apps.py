"""The engine as a Django application."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class RunsConfig(AppConfig):
    name = "runs"

    def ready(self) -> None:
        from . import checks, receivers  # noqa: F401
        from .crew import prepare_checkpoints

        post_migrate.connect(prepare_checkpoints, sender=self)
