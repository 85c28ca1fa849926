"""What a run produced, and the work it ordered from providers."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Concat, Left

from runs.states import OPEN_JOB, JobStatus

from .run import Run, Step

JOB_STATUS_CHOICES = [(status.value, status.value) for status in JobStatus]


class Artifact(models.Model):
    """An output with its evidence: an idea, a script, a clip, the film, a publish URL, citations ..."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="artifacts")
    step = models.ForeignKey(Step, null=True, blank=True, on_delete=models.SET_NULL, related_name="artifacts")
    type = models.CharField(max_length=32)
    url = models.TextField(blank=True)
    path = models.CharField(max_length=255, blank=True, help_text="in the media store")
    checksum = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the file")
    metadata = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "artifacts"
        ordering = ["created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(path="")
                | Q(
                    checksum__regex="^[0-9a-f]{64}$",
                    path__startswith=Concat(Left("checksum", 2), Value("/"), F("checksum")),
                ),
                name="artifact_file_named_by_checksum",
            )
        ]
        indexes = [
            models.Index(fields=["run", "type"], name="artifact_run_type"),
            models.Index(fields=["path"], condition=~Q(path=""), name="artifact_path"),
        ]

    def __str__(self) -> str:
        return f"{self.type} of {self.run_id}"

    @property
    def media_url(self) -> str:
        """Where a browser or a provider gets the file; empty for artifacts without one."""
        return f"{settings.WEBHOOK_BASE_URL}/media/{self.path}" if self.path else ""


class ProviderJob(models.Model):
    """One order to a provider, committed before the request that places it is sent."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="jobs")
    step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="jobs")
    kind = models.CharField(max_length=16, help_text="clips, render or publish: the wait it belongs to")
    index = models.PositiveIntegerField(default=0)
    provider = models.CharField(max_length=32)
    status = models.CharField(max_length=16, choices=JOB_STATUS_CHOICES, default=JobStatus.INTENT)
    external_id = models.CharField(max_length=128, blank=True)
    request = models.JSONField()
    report = models.JSONField(default=dict, blank=True, help_text="the provider's last answer")
    error = models.TextField(blank=True)
    cost_microusd = models.BigIntegerField(null=True, blank=True)
    attempt = models.PositiveIntegerField(default=0, help_text="fence: only who took the job last may settle it")
    retries = models.PositiveIntegerField(default=0, help_text="times it was ordered anew, under a fresh key")
    lease_until = models.DateTimeField(null=True, blank=True)
    poll_at = models.DateTimeField(
        null=True, blank=True, help_text="when to ask, should no callback come; of an intent, when to try again"
    )
    deadline = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    submitted_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "provider_jobs"
        ordering = ["created_at", "index"]
        constraints = [
            models.UniqueConstraint(fields=["step", "kind", "index"], name="job_once"),
            models.UniqueConstraint(
                fields=["provider", "external_id"], condition=~Q(external_id=""), name="job_external_id_once"
            ),
        ]
        indexes = [models.Index(fields=["poll_at"], condition=Q(status__in=sorted(OPEN_JOB)), name="job_open")]

    def __str__(self) -> str:
        return f"{self.provider} {self.kind} {self.index}"

    @property
    def what(self) -> str:
        """What people call it: ``clip 3``, ``render`` or ``publish``."""
        return f"clip {self.index + 1}" if self.kind == "clips" else self.kind

    @property
    def key(self) -> str:
        """Our name for this order: the same however often it is placed, another for a fresh try."""
        return f"{self.kind}-{self.id}-{self.retries}"

    @property
    def reference(self) -> str:
        """Our name for this try in callback URLs."""
        return f"{self.id}.{self.retries}"
