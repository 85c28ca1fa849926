"""Gives a database what it needs before anybody can work."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand

from myloware.embedded.programs import ADMIN


class Command(BaseCommand):
    help = "Migrates, makes the admin user and loads projects and knowledge; running it twice changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        ensure_admin(settings.CORE.admin_password.get_secret_value())
        call_command("load_projects", stdout=self.stdout)
        call_command("kb_ingest", str(settings.BASE_DIR / "fixtures" / "knowledge"), stdout=self.stdout)


def ensure_admin(password: str) -> None:
    """The user ``admin`` with ``password``, which may have changed."""
    users = get_user_model().objects
    user = users.filter(username=ADMIN).first()
    if user is None:
        users.create_superuser(username=ADMIN, password=password)
    elif not user.check_password(password):
        user.set_password(password)
        user.save(update_fields=["password"])
