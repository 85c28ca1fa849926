"""Is this system set up? Answers in words, for settings, configuration and the accounts at the services."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.core.checks import ERROR, run_checks

from myloware.kernel.errors import MylowareError
from personas.registry import PERSONAS
from providers import registry
from providers.base import Account
from providers.checks import needed, weakness
from providers.http import Client, Service
from providers.shared import Shared
from runs.models import Project, Social
from telegram_bot.client import bot

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY_REFUSED = frozenset({401, 403})
NO_CREDITS = 402
# Of a new account; the check asks once. https://platform.openai.com/docs/guides/rate-limits
OPENAI_RATE = "500 per minute"


@dataclass(frozen=True)
class Finding:
    """One line. ``good`` is None for what is neither right nor wrong."""

    good: bool | None
    text: str


def env() -> Iterator[Finding]:
    """Every variable of the checklist that this mode needs; never its value."""
    for name, each in registry.PROVIDERS.items():
        for variable, value in needed(name):
            fault = weakness(value)
            yield Finding(not fault, f"{variable.upper()} {fault or 'is set'}")
        if registry.mode(name) != "live":
            yield Finding(None, f"{_how(name)} and needs no key")
            continue
        own = registry.service(name).owns(registry.base_url(name))
        yield Finding(own, f"{each.field.upper()}_BASE_URL is {registry.base_url(name)}")
    yield from _platform()


def _how(name: str) -> str:
    """What a provider's adapter talks to, as the beginning of a sentence."""
    if registry.renders_here(name):
        return "films are rendered by our own workers (RENDERER=local): shotstack is not asked"
    return f"{name} is in {registry.mode(name)} mode"


def _platform() -> Iterator[Finding]:
    for variable, secret in (
        ("API_KEY", settings.CORE.api_key),
        ("HITL_SECRET", settings.HITL.hitl_secret),
        ("DJANGO_SECRET_KEY", settings.CORE.django_secret_key),
    ):
        fault = weakness(secret.get_secret_value())
        yield Finding(not fault, f"{variable} {fault or 'is set'}")
    for variable, value, otherwise in (
        ("DB_URL", settings.CORE.db_url, "the embedded PostgreSQL is used"),
        ("REDIS_URL", settings.CORE.redis_url, "the embedded broker is used"),
        ("TELEGRAM_BOT_TOKEN", settings.TELEGRAM.telegram_bot_token.get_secret_value(), "the bot is off"),
        ("SENTRY_DSN", settings.CORE.sentry_dsn.get_secret_value(), "errors are reported to nobody"),
        ("LANGSMITH_API_KEY", settings.CORE.langsmith_api_key.get_secret_value(), "no traces leave"),
    ):
        yield Finding(None, f"{variable} is {'set' if value else f'empty: {otherwise}'}")
    yield _reachable()


def _reachable() -> Finding:
    url = urlsplit(settings.WEBHOOK_BASE_URL)
    live = any(registry.mode(name) == "live" for name in registry.PROVIDERS)
    outside = url.scheme == "https" and url.hostname not in {"localhost", "127.0.0.1"}
    if outside or not live:
        return Finding(True, f"Callbacks come to {settings.WEBHOOK_BASE_URL}")
    return Finding(
        False,
        f"Callbacks come to {settings.WEBHOOK_BASE_URL}, where no service reaches this machine: set WEBHOOK_BASE_URL "
        "to a public https address. (Without callbacks films are made by asking, only slower.)",
    )


def config() -> Iterator[Finding]:
    """What the system checks say, and what is there to work with."""
    for message in run_checks():
        hint = f" {message.hint}" if message.hint else ""
        yield Finding(message.level < ERROR, f"{message.msg}{hint}")
    projects = ", ".join(Project.objects.order_by("slug").values_list("slug", flat=True))
    yield Finding(bool(projects), f"Projects: {projects or 'none; run manage.py load_projects'}")
    yield Finding(True, f"Personas: {', '.join(PERSONAS)}")
    yield Finding(None, f"Chat model: {settings.CREW.llm_model}. Embeddings: {settings.KNOWLEDGE.embeddings_model}")


def providers() -> Iterator[Finding]:
    """A cheap question to each service, with our key."""
    for name in registry.PROVIDERS:
        yield from _provider(name)
    if settings.TELEGRAM.telegram_bot_token.get_secret_value():
        yield from _telegram()
    if settings.CREW.llm_model.startswith("openai:") or settings.KNOWLEDGE.embeddings_model != "wordllama":
        yield _openai()


def _provider(name: str) -> Iterator[Finding]:
    what = f"{name} ({registry.mode(name)})"
    try:
        found = registry.adapter(name).checkup(_accounts(), registry.webhook_url(name))
    except MylowareError as error:
        yield Finding(False, f"{what}: {_in_words(error, f'{registry.entry(name).field.upper()}_API_KEY')}")
        return
    yield Finding(True, f"{what}: answers")
    yield from (Finding(None, f"{what}: {fact}") for fact in found.facts)
    yield from (Finding(False, f"{what}: {fault}") for fault in found.faults)


def _in_words(error: MylowareError, variable: str) -> str:
    """What went wrong; ``variable`` is where the key is set."""
    status = error.detail.get("status")
    if status in KEY_REFUSED:
        return f"The key is refused; check {variable}. ({error.message})"
    return "No credits left; buy some." if status == NO_CREDITS else error.message


def _accounts() -> list[Account]:
    """Where the projects publish."""
    socials = Social.objects.filter(projects__isnull=False).distinct().order_by("account_id")
    return [Account(social.account_id, social.provider) for social in socials]


def _telegram() -> Iterator[Finding]:
    wanted = f"{settings.WEBHOOK_BASE_URL}/v1/telegram/webhook"
    try:
        yield Finding(True, f"telegram: the bot is @{bot().call('getMe').get('username')}")
        url = bot().call("getWebhookInfo").get("url")
    except MylowareError as error:
        yield Finding(False, f"telegram: {_in_words(error, 'TELEGRAM_BOT_TOKEN')}")
        return
    otherwise = "" if url == wanted else f", not {wanted}"
    yield Finding(url == wanted, f"telegram: the webhook is {url or 'not set'}{otherwise}")


def _openai() -> Finding:
    try:
        with closing(_openai_client()) as client:
            client.get("/models")
    except MylowareError as error:
        return Finding(False, f"openai: {_in_words(error, 'OPENAI_API_KEY')}")
    return Finding(True, "openai: answers")


def _openai_client() -> Client:
    """OpenAI, or whoever answers like it at OPENAI_BASE_URL."""
    at = settings.KNOWLEDGE.openai_base_url.rstrip("/")
    place = httpx.URL(at)
    host = place.netloc.decode()
    key = {"Authorization": f"Bearer {settings.KNOWLEDGE.openai_api_key.get_secret_value()}"}
    service = Service("openai", f"https://{host}{place.path}", key, frozenset({host}))
    return Client(service, registry.way_to(service, at, rate=OPENAI_RATE), Shared(), attempts=1)
