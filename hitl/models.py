"""What is kept about the people in the loop beside their decisions, which are the runs'."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from runs.models import Run, Step


class Revocation(models.Model):
    """All links to a gate that were made until ``revoked_at`` are void."""

    step = models.OneToOneField(Step, on_delete=models.CASCADE, related_name="revocation")
    actor = models.CharField(max_length=128)
    revoked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "hitl_revocations"

    def __str__(self) -> str:
        return f"{self.step}: by {self.actor}"


class Delivery(models.Model):
    """One message to one person through one channel: due until it is sent, given up, or no longer wanted."""

    class Status(models.TextChoices):
        DUE = "due"
        SENT = "sent"
        FAILED = "failed"
        VOID = "void"

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="deliveries")
    step = models.ForeignKey(Step, null=True, blank=True, on_delete=models.CASCADE, related_name="deliveries")
    kind = models.CharField(max_length=32, help_text="invitation DIGEST, reminder NUMBER, escalation, or ending")
    channel = models.CharField(max_length=128)
    recipient = models.CharField(max_length=254)
    subject = models.CharField(max_length=200, blank=True)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.DUE)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    error = models.TextField(blank=True)
    # What the channel calls the message, to change it after the decision.
    reference = models.JSONField(default=dict, blank=True)
    told_at = models.DateTimeField(null=True, blank=True, help_text="when the message was changed after the decision")
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "hitl_deliveries"
        ordering = ["-created_at"]
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["step", "kind", "channel", "recipient"], name="delivery_once_for_step"),
            models.UniqueConstraint(
                fields=["run", "kind", "channel", "recipient"],
                condition=models.Q(step=None),
                name="delivery_once_for_run",
            ),
        ]
        indexes = [models.Index(fields=["due_at"], condition=models.Q(status="due"), name="delivery_due")]

    def __str__(self) -> str:
        return f"{self.kind.split()[0]} to {self.recipient}"
