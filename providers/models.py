"""Callbacks as they came in, kept for replay and evidence."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone


class WebhookEvent(models.Model):
    """One delivery. Only verified ones hold their key, for 24 hours: a forged event cannot shut out the genuine one."""

    class Status(models.TextChoices):
        RECEIVED = "received"
        PROCESSED = "processed"
        FAILED = "failed"
        REFUSED = "refused"
        DEAD = "dead", "dead: failed too often, waits for a person"
        RESOLVED = "resolved", "resolved by a person"

    MAX_ATTEMPTS = 8

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    idempotency_key = models.CharField(max_length=255, db_index=True)
    holds_key = models.BooleanField(default=False, help_text="no other event may have its key now")
    provider = models.CharField(max_length=32)
    headers = models.JSONField(default=dict)
    query = models.JSONField(default=dict)
    raw_payload = models.BinaryField()
    signature_status = models.CharField(max_length=16)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.RECEIVED)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now, help_text="when to apply it, should nobody have done so")
    error = models.TextField(blank=True)
    received_at = models.DateTimeField(auto_now_add=True, db_index=True)
    processed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "webhook_events"
        ordering = ["-received_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "idempotency_key"],
                condition=Q(holds_key=True),
                name="webhook_key_held_once",
            )
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(status__in=["received", "failed"]), name="webhook_due"),
        ]

    def __str__(self) -> str:
        return f"{self.provider}: {self.idempotency_key}"
