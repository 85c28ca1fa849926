"""Keys of the HTTP API. A key is shown once, when it is made."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from access.models import ApiKey, Scope


class Command(BaseCommand):
    help = "Lists, makes, rotates and revokes the keys of the HTTP API."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="all keys, without their secrets")
        create = verbs.add_parser("create", help="makes a key and shows it, once")
        create.add_argument("name", help="who will use it")
        create.add_argument(
            "--scope", action="append", choices=Scope.values, required=True, help="what it may do; repeat for several"
        )
        create.add_argument("--owner", help="user id whose runs it sees; its name when left out")
        rotate = verbs.add_parser("rotate", help="makes a successor and shows it, once; the old key ends later")
        rotate.add_argument("name")
        rotate.add_argument("--grace-hours", type=float, default=24, help="how long the old key still works")
        revoke = verbs.add_parser("revoke", help="ends every key of that name at once")
        revoke.add_argument("name")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        getattr(self, f"_{verb}")(options)

    def _list(self, options: dict[str, Any]) -> None:
        for key in ApiKey.objects.all():
            used, ends = _time(key.last_used_at), _time(key.ends_at)
            self.stdout.write(f"{key}  {','.join(key.scopes)}  owner={key.owner or '*'}  used={used}  ends={ends}")

    def _create(self, options: dict[str, Any]) -> None:
        name = options["name"]
        if ApiKey.objects.valid(timezone.now()).filter(name=name).exists():
            raise CommandError(f"There is a valid key named '{name}'. Rotate it, or revoke it first.")
        admin = Scope.ADMIN in options["scope"]
        owner = options["owner"] or ("" if admin else name)
        self._show(*ApiKey.make(name, set(options["scope"]), owner=owner))

    def _rotate(self, options: dict[str, Any]) -> None:
        ends_at = timezone.now() + timedelta(hours=max(options["grace_hours"], 0))
        with transaction.atomic():
            old = self._valid(options["name"]).select_for_update().order_by("-created_at").first()
            if old is None:
                raise CommandError(f"There is no valid key named '{options['name']}'.")
            self._valid(options["name"]).update(ends_at=ends_at)
            made = ApiKey.make(old.name, old.scopes, owner=old.owner)
        self._show(*made)
        self.stdout.write(f"The old key works until {ends_at:%F %T} UTC.")

    def _revoke(self, options: dict[str, Any]) -> None:
        ended = self._valid(options["name"]).update(ends_at=timezone.now())
        if not ended:
            raise CommandError(f"There is no valid key named '{options['name']}'.")
        self.stdout.write(f"Ended: {ended}.")

    def _valid(self, name: str) -> Any:
        return ApiKey.objects.valid(timezone.now()).filter(name=name)

    def _show(self, key: ApiKey, text: str) -> None:
        self.stdout.write(f"{key.name}: {', '.join(key.scopes)}. Keep this key; it is not shown again:")
        self.stdout.write(text)


def _time(moment: datetime | None) -> str:
    return f"{moment:%F %T}" if moment else "never"
