"""Is this system set up? Answers in words, for settings, configuration and the accounts at the services."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.core.checks import ERROR, run_checks
from django.db import DatabaseError, OperationalError, ProgrammingError

from myloware import checks, health
from myloware.kernel.errors import MylowareError, StoreUnavailable
from personas.llm import chat_model
from personas.registry import PERSONAS
from providers import registry
from providers.base import Account
from providers.checks import needed, weakness
from providers.http import Client, Service
from providers.shared import Shared
from runs import stock
from runs.checks import faults, project_files
from runs.models import Project, Social
from runs.schemas import ProjectSpec
from telegram_bot.client import bot

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        yield from map(_secret, needed(name))
        if registry.mode(name) != "live":
            yield Finding(None, f"{_how(name)} and needs no key")
            continue
        own = registry.service(name).owns(registry.base_url(name))
        told = "" if own else f", which is not {name}: leave it out"
        yield Finding(own, f"{each.field.upper()}_BASE_URL is {registry.base_url(name)}{told}")
    yield from _platform()


def _how(name: str) -> str:
    """What a provider's adapter talks to, as the beginning of a sentence."""
    if registry.renders_here(name):
        return "films are rendered by our own workers (RENDERER=local): shotstack is not asked"
    return f"{name} is in {registry.mode(name)} mode"


def _secret(secret: tuple[str, str, str]) -> Finding:
    variable, value, meaning = secret
    fault = weakness(value)
    return Finding(not fault, f"{variable} {fault}: {meaning}" if fault else f"{variable} is set")


def _platform() -> Iterator[Finding]:
    yield from map(_secret, checks.secrets())
    for variable, url, fault in checks.addresses():
        wrong = fault and registry.strict()
        yield Finding(not wrong, f"{variable} is {url}" + (f": {fault}" if wrong else ""))
    yield from (Finding(None, f"{variable} is empty: {otherwise}") for variable, otherwise in _left_out())
    if checks.has_bot() and not settings.TELEGRAM.allowed_chats:
        yield Finding(
            False,
            "TELEGRAM_ALLOWED_CHATS is empty, so the bot answers nobody: write to it, and the log of the web process "
            "names your chat's id",
        )
    yield from _reachable()


def _left_out() -> Iterator[tuple[str, str]]:
    """Each empty variable that may be empty, and what that means."""
    for variable, value, otherwise in (
        ("DB_URL", settings.CORE.db_url, "the embedded PostgreSQL is used"),
        ("REDIS_URL", settings.CORE.redis_url, "the embedded broker is used"),
        ("MEDIA_STORE_URL", settings.MEDIA.media_store_url, f"clips and films are kept in {settings.MEDIA_ROOT}"),
        ("TELEGRAM_BOT_TOKEN", checks.has_bot(), "there is no bot"),
        ("HITL_EMAILS", settings.HITL.emails, "nobody gets mail"),
        ("EMAIL_HOST", settings.HITL.email_host, f"mail is written to {settings.EMAIL_FILE_PATH}, and not sent"),
        ("SENTRY_DSN", settings.CORE.sentry_dsn.get_secret_value(), "errors are in the logs alone"),
        ("LANGSMITH_API_KEY", settings.CREW.langsmith_api_key.get_secret_value(), "no traces leave"),
    ):
        if not value:
            yield variable, otherwise


def _reachable() -> Iterator[Finding]:
    yield _found_at("PUBLIC_BASE_URL", settings.PUBLIC_BASE_URL, "links in messages work on this machine alone")
    yield _found_at("WEBHOOK_BASE_URL", settings.WEBHOOK_BASE_URL, "films are made without callbacks, only slower")


def _found_at(variable: str, url: str, otherwise: str) -> Finding:
    """A system for others has to be found by them; on one's own machine it is only better."""
    place = urlsplit(url)
    if place.scheme == "https" and place.hostname not in {"localhost", "127.0.0.1"}:
        return Finding(True, f"{variable} is {url}")
    told = f"{variable} is {url}, which is no public https address: {otherwise}"
    return Finding(None if settings.LOCAL else False, told)


def config() -> Iterator[Finding]:
    """What the system checks say, and what is there to work with."""
    messages = run_checks()
    for message in messages:
        hint = f" {message.hint}" if message.hint else ""
        yield Finding(False if message.level >= ERROR else None, f"{message.msg}{hint}")
    if not messages:
        yield Finding(True, "System checks: nothing found")
    yield _database()
    yield _broker()
    yield Finding(True, f"Personas: {', '.join(PERSONAS)}")
    yield _models()


def _database() -> Finding:
    try:
        projects = ", ".join(Project.objects.order_by("slug").values_list("slug", flat=True))
    except ProgrammingError:
        return Finding(False, "The database has no tables: run manage.py migrate, then manage.py load_projects")
    except OperationalError as error:
        return _not_running("database", settings.CORE.db_url, "DB_URL", _first_line(error))
    return Finding(bool(projects), f"Projects: {projects or 'none; run manage.py load_projects'}")


def _broker() -> Finding:
    if health.broker() == "ok":
        return Finding(True, "Broker: answers")
    return _not_running("broker", settings.CORE.redis_url, "REDIS_URL", "connection failed")


def _not_running(server: str, url: str, variable: str, reason: str) -> Finding:
    if url:
        return Finding(False, f"The {server} at {variable} does not answer: {reason}")
    return Finding(None, f"The embedded {server} is not running; manage.py up starts it")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _models() -> Finding:
    used = f"LLM_MODEL is {settings.CREW.llm_model}, EMBEDDINGS_MODEL is {settings.KNOWLEDGE.embeddings_model}"
    try:
        chat_model(settings.CREW, seed=0)
    except Exception as error:
        # LangChain and each vendor's client have errors of their own.
        return Finding(False, f"{used}; the chat model cannot be used: {_first_line(error)}")
    return Finding(None, used)


def providers() -> Iterator[Finding]:
    """A cheap question to each service, with our key."""
    for name in registry.PROVIDERS:
        yield from _provider(name)
    yield _media_store()
    if checks.has_bot():
        yield from _telegram()
    if checks.asks_openai():
        yield _openai()


def _provider(name: str) -> Iterator[Finding]:
    what = f"{name} ({registry.mode(name)})"
    try:
        found = registry.adapter(name).checkup(_accounts(), registry.webhook_url(name))
    except MylowareError as error:
        yield Finding(False, f"{what}: {error.message}")
        return
    yield Finding(True, f"{what}: answers")
    yield from (Finding(None, f"{what}: {fact}") for fact in found.facts)
    if registry.mode(name) == "live":
        yield from (Finding(False, f"{what}: {fault}") for fault in found.faults)
    else:
        yield from (Finding(None, f"{what}: To be mended before it is live: {fault}") for fault in found.faults)


def _media_store() -> Finding:
    where = settings.MEDIA.media_store_url.partition("?")[0] or settings.MEDIA_ROOT
    try:
        stock.probe()
    except StoreUnavailable as error:
        return Finding(False, f"media store ({where}): {error.message}")
    except DatabaseError:
        # Whoever stores a file holds a lock of the database.
        return Finding(None, f"media store ({where}): tried when the database is there")
    return Finding(True, f"media store ({where}): takes and gives files")


def _accounts() -> list[Account]:
    """Where the projects publish; before there is a database, where their files say."""
    try:
        socials = list(Social.objects.filter(projects__isnull=False).distinct().order_by("account_id"))
    except DatabaseError:
        filed = [
            ProjectSpec.model_validate_json(path.read_text()).settings for path in project_files() if not faults(path)
        ]
        return [Account(each["account"], each.get("platforms", ["tiktok"])[0]) for each in filed if "account" in each]
    return [Account(social.account_id, social.provider) for social in socials]


def _telegram() -> Iterator[Finding]:
    wanted = f"{settings.WEBHOOK_BASE_URL}/v1/telegram/webhook"
    try:
        yield Finding(True, f"telegram: the bot is @{bot().call('getMe').get('username')}")
        url = bot().call("getWebhookInfo").get("url")
    except MylowareError as error:
        yield Finding(False, f"telegram: {error.message}")
        return
    if url == wanted:
        yield Finding(True, f"telegram: messages come to {url}")
    else:
        told = f"messages go to {url}" if url else "no webhook is set"
        yield Finding(False, f"telegram: {told}; step 3 of docs/first-live-film.md sets {wanted}")


def _openai() -> Finding:
    try:
        with closing(_openai_client()) as client:
            client.get("/models")
    except MylowareError as error:
        return Finding(False, f"openai: {error.message}")
    return Finding(True, "openai: answers")


def _openai_client() -> Client:
    """OpenAI, or whoever answers like it at OPENAI_BASE_URL."""
    at = settings.KNOWLEDGE.openai_base_url.rstrip("/")
    place = httpx.URL(at)
    host = place.netloc.decode()
    key = {"Authorization": f"Bearer {settings.KNOWLEDGE.openai_api_key.get_secret_value()}"}
    service = Service(
        "openai",
        f"https://{host}{place.path}",
        key,
        frozenset({host}),
        title="OpenAI",
        advice=dict.fromkeys((401, 403), "Check OPENAI_API_KEY."),
    )
    return Client(service, registry.way_to(service, at, rate=OPENAI_RATE), Shared(), attempts=1)
