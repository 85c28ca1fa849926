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


class Render(models.Model):
    """A film that our own renderer makes. Where it stands is said in Shotstack's words, and ``cancelled``."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        FETCHING = "fetching", "fetching: its sources are brought here"
        PREPROCESSING = "preprocessing", "preprocessing: it is planned, texts are drawn"
        RENDERING = "rendering"
        GENERATING = "generating", "generating: all frames are made"
        SAVING = "saving"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled", "cancelled: nobody wants it any more"

    WORKING = (Status.FETCHING, Status.PREPROCESSING, Status.RENDERING, Status.GENERATING, Status.SAVING)
    OPEN = (Status.QUEUED, *WORKING)
    # A render whose worker dies this often is what kills the worker.
    MAX_LOSSES = 5

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reference = models.CharField(max_length=64, blank=True, db_index=True, help_text="our order, <id>.<try>")
    edit = models.JSONField()
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.QUEUED)
    reason = models.CharField(max_length=255, blank=True, help_text="why it waits, or waited last")
    error = models.TextField(blank=True)
    progress = models.FloatField(default=0, help_text="the finished part, 0..1")
    fps = models.FloatField(null=True, blank=True, help_text="frames made in a second")
    left_s = models.FloatField(null=True, blank=True, help_text="how long it will take from now on, in seconds")
    duration_s = models.FloatField(null=True, blank=True)
    path = models.CharField(max_length=255, blank=True, help_text="the film, in the media store")
    checksum = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the film")
    machine = models.CharField(max_length=255, blank=True, help_text="where it was taken last")
    attempt = models.PositiveIntegerField(default=0, help_text="fence: only who took it last may end it")
    losses = models.PositiveIntegerField(default=0, help_text="workers that died on it")
    lease_until = models.DateTimeField(null=True, blank=True)
    deadline = models.DateTimeField(null=True, blank=True, help_text="when the work at it is stopped")
    due_at = models.DateTimeField(default=timezone.now, help_text="when it may be taken")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "renders"
        ordering = ["-created_at"]
        indexes = [
            models.Index(
                fields=["created_at"],
                condition=Q(status__in=["queued", "fetching", "preprocessing", "rendering", "generating", "saving"]),
                name="render_open",
            )
        ]

    def __str__(self) -> str:
        return f"{self.id}: {self.status}"
