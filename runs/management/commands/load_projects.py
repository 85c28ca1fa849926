"""Loads the project files and their accounts."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from runs.checks import faults, project_files
from runs.models import Project, ProjectSocial, Social
from runs.schemas import ProjectSpec


class Command(BaseCommand):
    help = "Creates or updates projects from fixtures/projects/*.json; running it twice changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        for path in project_files():
            reasons = faults(path)
            if reasons:
                raise CommandError(f"{path.name}: {'; '.join(reasons)}")
            state = load(ProjectSpec.model_validate(json.loads(path.read_text())))
            self.stdout.write(f"{path.stem}: {state}")


@transaction.atomic
def load(spec: ProjectSpec) -> str:
    """Writes one project; its account is mapped only when nobody has mapped one."""
    values = {"title": spec.title, "description": spec.description, "spec": spec}
    project, created = Project.objects.get_or_create(slug=spec.slug, defaults=values)
    changed = not created and (project.spec, project.title, project.description) != (spec, spec.title, spec.description)
    if changed:
        project.spec, project.title, project.description = spec, spec.title, spec.description
        project.save()
    _map_account(project, spec)
    return "created" if created else "updated" if changed else "unchanged"


def _map_account(project: Project, spec: ProjectSpec) -> None:
    account = spec.settings.get("account")
    if not account or project.socials.exists():
        return
    platform = spec.settings.get("platforms", ["tiktok"])[0]
    social, _ = Social.objects.get_or_create(provider=platform, account_id=account)
    ProjectSocial.objects.create(project=project, social=social, is_primary=True)
