"""System checks: a provider needs real secrets, and live its own address, before anything starts."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from .registry import PROVIDERS, base_url, mode, renders_here, service

# The tag of checks that every way to start obeys.
STRICT = "strict"
MIN_SECRET = 12
PLACEHOLDER = re.compile(r"(?i)change.?me|your.?(api|key|secret)|place.?holder|example|insecure|<.*>|^(default|dummy)")


@register(STRICT)
def check_secrets(**_: Any) -> list[CheckMessage]:
    """providers.E001: a secret that a provider needs is missing, too short, or one that everybody knows."""
    return [
        Error(
            f"{variable} {fault}.",
            hint=f"{meaning[0].upper()}{meaning[1:]}; {name} needs it in {mode(name)} mode.",
            id="providers.E001",
        )
        for name in PROVIDERS
        for variable, value, meaning in needed(name)
        if (fault := weakness(value))
    ]


@register(STRICT)
def check_addresses(**_: Any) -> list[CheckMessage]:
    """providers.E002: a live provider's base URL is not at one of its hosts."""
    return [
        Error(
            f"{each.field.upper()}_BASE_URL is {base_url(name)}, which is not {name}.",
            hint=f"Leave it out, or use https and one of: {', '.join(sorted(each.hosts))}.",
            id="providers.E002",
        )
        for name, each in PROVIDERS.items()
        if mode(name) == "live" and not service(name).owns(base_url(name))
    ]


def needed(name: str) -> list[tuple[str, str, str]]:
    """The secrets (``secrets``) that a provider cannot do without: live all, elsewhere those that its callbacks prove.

    On a machine of one's own, without a live service, they are generated.
    """
    found = secrets(PROVIDERS[name].field)
    if mode(name) == "live":
        return found
    beside_live = renders_here(name) and any(mode(other) == "live" for other in PROVIDERS)
    # Anywhere else strangers reach the webhook in every mode.
    return [each for each in found if each[0].endswith("_SECRET")] if beside_live or not settings.LOCAL else []


def weakness(secret: str) -> str:
    """What is wrong with a secret, as the end of a sentence; empty when nothing is."""
    if not secret:
        return "is missing"
    if not (secret.isascii() and secret.isprintable() and secret.strip() == secret):
        return "has blanks, a line break or letters that cannot be sent"
    if len(secret) < MIN_SECRET:
        return f"is shorter than {MIN_SECRET} characters"
    known = PLACEHOLDER.search(secret) or len(set(secret)) < 4
    return "is a placeholder, not a secret" if known else ""


def secrets(field: str) -> list[tuple[str, str, str]]:
    """Each secret of a provider: the variable, its value, and what it is."""
    known = type(settings.PROVIDERS).model_fields
    names = [name for name in known if name.startswith(f"{field}_") and name.endswith(("_api_key", "_secret"))]
    return [
        (name.upper(), getattr(settings.PROVIDERS, name).get_secret_value(), str(known[name].description))
        for name in names
    ]
