"""System checks: a live provider needs real secrets before anything starts."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from .registry import PROVIDERS, mode

MIN_SECRET = 12


@register()
def check_secrets(**_: Any) -> list[CheckMessage]:
    """providers.E001: a secret of a live provider is missing or too short."""
    return [
        Error(
            f"{variable.upper()} is {'missing' if not value else f'shorter than {MIN_SECRET} characters'}.",
            hint=f"{name} is in live mode; set it, or choose another mode.",
            id="providers.E001",
        )
        for name, each in PROVIDERS.items()
        if mode(name) == "live"
        for variable, value in _secrets(each.field)
        if len(value) < MIN_SECRET
    ]


def _secrets(field: str) -> list[tuple[str, str]]:
    names = [name for name in type(settings.PROVIDERS).model_fields if name.startswith(f"{field}_")]
    secret = [name for name in names if name.endswith(("_api_key", "_secret"))]
    return [(name, getattr(settings.PROVIDERS, name).get_secret_value()) for name in secret]
