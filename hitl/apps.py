"""People in the loop as a Django application."""

from __future__ import annotations

from django.apps import AppConfig


class HitlConfig(AppConfig):
    name = "hitl"

    def ready(self) -> None:
        from . import receivers  # noqa: F401
