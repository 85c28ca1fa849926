"""Prints .env.example."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from myloware import env


class Command(BaseCommand):
    help = "Prints every setting with its meaning and default: manage.py env_example > .env.example"

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(env.example(), ending="")
