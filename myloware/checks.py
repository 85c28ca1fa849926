"""System checks of the platform, and the way of those who start without Django's commands to obey them."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.management.base import BaseCommand, SystemCheckError

from knowledge.embeddings import LOCAL
from providers import registry
from providers.checks import STRICT, weakness
from telegram_bot import wire


@register(STRICT)
def check_secrets(**_: Any) -> list[CheckMessage]:
    """myloware.E001: a secret of ours is missing, too short, or one that everybody knows."""
    if not registry.strict():
        return []
    return [
        Error(f"{variable} {fault}.", hint=f"{meaning[0].upper()}{meaning[1:]}.", id="myloware.E001")
        for variable, value, meaning in secrets()
        if (fault := weakness(value))
    ]


@register(STRICT)
def check_addresses(**_: Any) -> list[CheckMessage]:
    """myloware.E002: a service would be asked, with our key, where it is not."""
    if not registry.strict():
        return []
    return [
        Error(f"{variable} is {url}: {fault}.", id="myloware.E002") for variable, url, fault in addresses() if fault
    ]


def refuse_a_bad_start() -> None:
    """Ends this process with status 1, each fault named on stderr, when the settings are too weak for what they ask.

    `manage.py` does the same by itself.
    """
    try:
        BaseCommand().check(tags=[STRICT])
    except SystemCheckError as error:
        sys.exit(str(error))


def secrets() -> list[tuple[str, str, str]]:
    """Each secret that this system needs beside the providers': the variable, its value, and what it is."""
    needed = [
        (settings.CORE, "django_secret_key"),
        (settings.CORE, "api_key"),
        (settings.HITL, "hitl_secret"),
        (settings.CORE, "admin_password"),
    ]
    if has_bot():
        needed += [(settings.TELEGRAM, "telegram_bot_token"), (settings.TELEGRAM, "telegram_webhook_secret")]
    if asks_openai():
        needed.append((settings.KNOWLEDGE, "openai_api_key"))
    return [
        (name.upper(), getattr(group, name).get_secret_value(), str(type(group).model_fields[name].description))
        for group, name in needed
    ]


def addresses() -> list[tuple[str, str, str]]:
    """Each base URL beside the providers': the variable, its value, and what is wrong with it for live use."""
    found = []
    if has_bot():
        at = settings.TELEGRAM.telegram_base_url
        own = wire.service(at).owns(at)
        found.append(("TELEGRAM_BASE_URL", at, "" if own else f"leave it out, or set https://{wire.HOST}"))
    if asks_openai():
        at = settings.KNOWLEDGE.openai_base_url
        found.append(
            ("OPENAI_BASE_URL", at, "" if at.startswith("https://") else "an API key goes out over https alone")
        )
    return found


def has_bot() -> bool:
    return bool(settings.TELEGRAM.telegram_bot_token.get_secret_value())


def asks_openai() -> bool:
    return bool(settings.CREW.llm_model.startswith("openai:") or settings.KNOWLEDGE.embeddings_model not in LOCAL)
