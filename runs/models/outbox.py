"""Wake-ups that the broker has not taken yet."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class Outbox(models.Model):
    """One chain of tasks, written in the transaction of the change that wants it; gone as soon as it is sent."""

    # What the broker refuses so often it will never take.
    MAX_ATTEMPTS = 5

    links = models.JSONField(help_text="[[task name, [id, ...]], ...]")
    urgent = models.BooleanField(default=False, help_text="a lost run: it has waited already, and passes the others")
    due_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0, help_text="times the broker was there and refused it")
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "outbox"
        ordering = ["id"]
        verbose_name_plural = "outbox"
        indexes = [models.Index(fields=["due_at"], name="outbox_due")]

    def __str__(self) -> str:
        return " > ".join(name for name, _ in self.links)

    @property
    def dead(self) -> bool:
        return self.attempts >= self.MAX_ATTEMPTS
