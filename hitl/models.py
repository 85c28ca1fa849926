"""What is kept about the people in the loop beside their decisions, which are the runs'."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from runs.models import Step


class Revocation(models.Model):
    """All links to a gate that were made until ``revoked_at`` are void."""

    step = models.OneToOneField(Step, on_delete=models.CASCADE, related_name="revocation")
    actor = models.CharField(max_length=128)
    revoked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "hitl_revocations"

    def __str__(self) -> str:
        return f"{self.step}: by {self.actor}"
