"""Projects and the social accounts they publish to."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from myloware.kernel.fields import SchemaField
from runs.schemas import ProjectSpec


class Project(models.Model):
    """A kind of film: its pipeline, numbers, guardrails and crew, from ``fixtures/projects/<slug>.json``."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(unique=True)
    title = models.CharField(max_length=200)
    description = models.TextField()
    spec = SchemaField(schema=ProjectSpec)
    socials: models.ManyToManyField[Social, ProjectSocial] = models.ManyToManyField(
        "Social", through="ProjectSocial", related_name="projects"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "projects"
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.title

    def primary_social(self) -> Social | None:
        """The account a film of this project is published to; None is a configuration error, never a default."""
        return self.socials.filter(projectsocial__is_primary=True).first()


class Social(models.Model):
    """An account on a platform, as the publishing service knows it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider = models.CharField(max_length=32, help_text="platform, e.g. tiktok")
    account_id = models.CharField(max_length=128, help_text="profile name at upload-post")
    credential_ref = models.CharField(max_length=128, blank=True, help_text="name of the secret, never the secret")
    default_caption = models.TextField(blank=True)
    default_tags = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    privacy = models.CharField(max_length=32, default="SELF_ONLY")
    rate_limit_window = models.DurationField(default=timedelta(hours=24))
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "socials"
        ordering = ["provider", "account_id"]
        constraints = [models.UniqueConstraint(fields=["provider", "account_id"], name="social_account_once")]

    def __str__(self) -> str:
        return f"{self.provider}: {self.account_id}"


class ProjectSocial(models.Model):
    """Which accounts a project may publish to; one of them is primary."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE)
    social = models.ForeignKey(Social, on_delete=models.PROTECT)
    is_primary = models.BooleanField(default=False)

    class Meta:
        db_table = "project_socials"
        constraints = [
            models.UniqueConstraint(fields=["project", "social"], name="project_social_once"),
            models.UniqueConstraint(
                fields=["project"], condition=Q(is_primary=True), name="project_one_primary_social"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project} -> {self.social}"
