"""Runs, their steps, the decisions people take, and the audit trail."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q

from myloware.kernel.fields import SchemaField
from runs.schemas import RunPayload, RunResult
from runs.states import ACTIVE_RUN, ACTIVE_STEP, RunStatus, StepStatus, Verdict

from .project import Project

if TYPE_CHECKING:
    from datetime import datetime


# Runs and steps share their words.
STATUS_CHOICES = [(status.value, status.value) for status in RunStatus]


class Run(models.Model):
    """One film in the making. The steps are the truth; ``result`` is a projection for consumers."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="runs")
    status = models.CharField(max_length=16, choices=STATUS_CHOICES, default=RunStatus.PENDING)
    user_id = models.CharField(max_length=128, blank=True, db_index=True)
    payload = SchemaField(schema=RunPayload)
    result = SchemaField(schema=RunResult, default=RunResult)
    reason = models.TextField(blank=True, help_text="why the run ended other than well")
    forked_from = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="forks")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    updated_at = models.DateTimeField(auto_now=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "runs"
        ordering = ["-created_at"]
        indexes = [
            # The sweep looks at nothing but these.
            models.Index(fields=["updated_at"], condition=Q(status__in=sorted(ACTIVE_RUN)), name="run_active")
        ]

    def __str__(self) -> str:
        return f"{self.payload.project}: {self.payload.input.brief[:60]}"

    @property
    def active(self) -> bool:
        return self.status in ACTIVE_RUN

    def cursor(self) -> Step | None:
        """The first step that is not done."""
        return self.steps.filter(status__in=Step.UNDONE).first()


class Step(models.Model):
    """One unit of a run: a persona works (stage), a human decides (gate), a provider finishes (wait)."""

    UNDONE = (StepStatus.PENDING, StepStatus.RUNNING, StepStatus.WAITING, StepStatus.FAILED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=8, choices=[(kind, kind) for kind in ("stage", "gate", "wait")])
    name = models.CharField(max_length=64)
    status = models.CharField(max_length=16, choices=STATUS_CHOICES, default=StepStatus.PENDING)
    notes = models.TextField(blank=True, help_text="a reviewer's comment this step has to heed")
    output = models.JSONField(null=True, blank=True)
    error = models.TextField(blank=True)
    attempt = models.PositiveIntegerField(default=0, help_text="fence: only the newest attempt may complete")
    retries = models.PositiveIntegerField(default=0, help_text="times a person asked for a fresh try")
    lease_until = models.DateTimeField(null=True, blank=True)
    deadline = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "steps"
        ordering = ["run", "position"]
        constraints = [
            models.UniqueConstraint(fields=["run", "position"], name="step_position_once"),
            models.UniqueConstraint(
                fields=["run"], condition=Q(status__in=sorted(ACTIVE_STEP)), name="run_one_active_step"
            ),
        ]
        indexes = [models.Index(fields=["lease_until"], condition=Q(status="running"), name="step_leased")]

    def __str__(self) -> str:
        return f"{self.position}. {self.kind} {self.name}"

    @property
    def repairing(self) -> bool:
        """Whether the film behind this open gate is being mended, or is about to be."""
        return self.kind == "gate" and self.status == StepStatus.WAITING and self.lease_until is not None

    def seconds(self, now: datetime) -> float | None:
        """How long it took, or has been taking until ``now``; None before it started."""
        return ((self.finished_at or now) - self.started_at).total_seconds() if self.started_at else None


class Approval(models.Model):
    """A decision at a gate: at most one per gate step, for ever."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="approvals")
    step = models.OneToOneField(Step, on_delete=models.CASCADE, related_name="approval")
    gate = models.CharField(max_length=64)
    verdict = models.CharField(max_length=8, choices=[(verdict.value, verdict.value) for verdict in Verdict])
    comment = models.TextField(blank=True)
    edits = models.JSONField(default=dict, blank=True)
    digest = models.CharField(max_length=64, blank=True, help_text="SHA-256 of what was shown and decided upon")
    actor = models.CharField(max_length=128)
    channel = models.CharField(max_length=32)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "approvals"
        ordering = ["created_at"]

    def __str__(self) -> str:
        return f"{self.gate}: {self.verdict} by {self.actor}"


class RunEvent(models.Model):
    """One line of a run's history; written in the transaction of the change it records."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events")
    step = models.ForeignKey(Step, null=True, blank=True, on_delete=models.CASCADE, related_name="events")
    subject = models.CharField(max_length=64, help_text="run, the step's name, or the job")
    old = models.CharField(max_length=16, blank=True)
    new = models.CharField(max_length=16)
    reason = models.TextField(blank=True)
    actor = models.CharField(max_length=128)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "run_events"
        ordering = ["id"]
        indexes = [models.Index(fields=["run", "id"], name="run_event_order")]

    def __str__(self) -> str:
        return f"{self.subject}: {self.old or '-'} -> {self.new}"
