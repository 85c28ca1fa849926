"""System checks: every project file names personas, tools and gates that exist; all machines share their media."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as Caution
from pydantic import ValidationError

from personas.registry import PERSONAS
from providers.media.preflight.rules import platforms, rules_of
from providers.registry import PROVIDERS, mode

from .schemas import ProjectSpec
from .states import plan


@register()
def check_projects(**_: Any) -> list[CheckMessage]:
    """runs.E001: a project file that cannot run."""
    return [
        Error(
            f"{path.name}: {reason}", hint="Mend the project file; CONTRIBUTING.md says how one looks.", id="runs.E001"
        )
        for path in project_files()
        for reason in faults(path)
    ]


def project_files() -> list[Path]:
    return sorted((Path(settings.BASE_DIR) / "fixtures" / "projects").glob("*.json"))


@register()
def check_media_store(**_: Any) -> list[CheckMessage]:
    """runs.W001: a live system on servers of its own, whose machines may each have a media folder of their own."""
    live = any(mode(name) == "live" for name in PROVIDERS)
    if not live or not settings.CORE.db_url or settings.MEDIA.media_store_url:
        return []
    return [
        Caution(
            f"Clips and films are kept in {settings.MEDIA_ROOT}, which other machines may not see.",
            hint="Set MEDIA_STORE_URL to a bucket (s3://...); or, on one machine or with a shared folder, to file:///...",
            id="runs.W001",
        )
    ]


@register()
def check_rules(**_: Any) -> list[CheckMessage]:
    """runs.E002: a platform's rules that the pre-flight cannot use."""
    return [
        Error(f"{name}.json: {reason}", hint="Mend the rules; docs/preflight.md says how one looks.", id="runs.E002")
        for name in platforms()
        if (reason := _fault_of_rules(name))
    ]


def _fault_of_rules(platform: str) -> str:
    try:
        rules_of(platform)
    except ValueError as error:
        return str(error)
    return ""


def faults(path: Path) -> list[str]:
    """What is wrong with a project file, in words; empty when it can run."""
    try:
        spec = ProjectSpec.model_validate(json.loads(path.read_text()))
    except (ValueError, ValidationError) as error:
        return [str(error)]
    reasons = [f"file is named {path.stem}, its slug is {spec.slug}"] if spec.slug != path.stem else []
    reasons += [f"unknown persona '{name}'" for name in (*spec.workflow, *spec.optional_steps) if name not in PERSONAS]
    reasons += [
        f"{name} has no tool '{tool}'"
        for name, expectations in spec.personas.items()
        if name in PERSONAS
        for tool in expectations.tools
        if tool not in PERSONAS[name].tools
    ]
    try:
        plan(spec)
    except ValueError as error:
        reasons.append(str(error))
    return reasons
