"""Keys of the HTTP API. The database knows their digests; nobody can read a key again after it was made."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from myloware.kernel.signing import same

if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIX = "mw"
# Writing it down for every request would make the row the busiest of all.
USED_EVERY = timedelta(minutes=1)


class Scope(models.TextChoices):
    """What a key may do. ``admin`` may everything, and sees everybody's runs."""

    CHAT = "chat"
    RUNS_READ = "runs:read"
    RUNS_WRITE = "runs:write"
    HITL = "hitl"
    ADMIN = "admin"


class ApiKeys(models.QuerySet["ApiKey"]):
    def valid(self, now: datetime) -> ApiKeys:
        """Those that open a door now."""
        return self.filter(Q(ends_at=None) | Q(ends_at__gt=now))

    def of(self, text: str) -> ApiKey | None:
        """The valid key that ``text`` is."""
        kind, _, rest = text.partition("_")
        public, _, secret = rest.partition("_")
        row = self.valid(timezone.now()).filter(public=public).first() if kind == PREFIX and secret else None
        return row if row and same(row.digest, digest(text)) else None


class ApiKey(models.Model):
    """One key, ``mw_PUBLIC_SECRET``. After a rotation there are two of a name until the old one ends."""

    name = models.CharField(max_length=64, db_index=True, help_text="who uses it; recorded as the actor")
    owner = models.CharField(max_length=128, blank=True, help_text="user id whose runs it sees; empty with admin: all")
    scopes = ArrayField(models.CharField(max_length=16, choices=Scope.choices))
    public = models.CharField(max_length=16, unique=True, help_text="the part by which it is found")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the whole key")
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True, help_text="void from then on; empty: never")

    objects = ApiKeys.as_manager()

    class Meta:
        db_table = "api_keys"
        ordering = ["name", "created_at"]

    def __str__(self) -> str:
        return f"{self.name} ({PREFIX}_{self.public}_...)"

    @classmethod
    def make(cls, name: str, scopes: Iterable[str], *, owner: str) -> tuple[ApiKey, str]:
        """A new key, and its text, which is known now and never again."""
        public = secrets.token_hex(6)
        text = f"{PREFIX}_{public}_{secrets.token_urlsafe(32)}"
        row = cls.objects.create(name=name, owner=owner, scopes=sorted(scopes), public=public, digest=digest(text))
        return row, text

    def used(self, now: datetime) -> None:
        """Notes that it was used, to the minute."""
        stale = Q(last_used_at=None) | Q(last_used_at__lt=now - USED_EVERY)
        ApiKey.objects.filter(stale, id=self.id).update(last_used_at=now)


def digest(text: str) -> str:
    """Keys are long and random: one round is as good as many."""
    return hashlib.sha256(text.encode()).hexdigest()
