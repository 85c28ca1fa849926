"""Settings that come from the environment, read once and checked.

Variables are declared beside the code that uses them, as pydantic-settings classes; ``GROUPS`` is their table of
contents and the source of ``.env.example``.  Values come from the process environment, then ``.env``, then the data
directory's ``secrets.env``, which a local start writes so that no clone ever runs with a default secret.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from dotenv import load_dotenv
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings

from access.config import AccessSettings
from hitl.config import HitlSettings
from knowledge.config import KnowledgeSettings
from myloware.kernel.settings import Settings, Site
from personas.config import CrewSettings
from providers.config import ProviderSettings
from runs.config import MediaSettings, RunSettings
from telegram_bot.config import TelegramSettings

BASE_DIR = Path(__file__).resolve().parent.parent

LOCAL_SECRETS = (
    "DJANGO_SECRET_KEY",
    "API_KEY",
    "HITL_SECRET",
    "ADMIN_PASSWORD",
    "KIEAI_SIGNING_SECRET",
    "SHOTSTACK_WEBHOOK_SECRET",
    "UPLOAD_POST_SIGNING_SECRET",
    "TELEGRAM_WEBHOOK_SECRET",
)


class CoreSettings(Settings):
    """The platform itself."""

    environment: Literal["local", "staging", "production"] = Field("local", description="where this system runs")
    data_dir: Path = Field(
        BASE_DIR / "var",
        validation_alias="MYLOWARE_DATA_DIR",
        description="folder of the embedded servers' data, media and generated secrets",
    )
    django_secret_key: SecretStr = Field(SecretStr(""), description="signs sessions; any long random text")
    api_key: SecretStr = Field(
        SecretStr(""),
        description="the operator's key of the HTTP API (header X-API-Key); any long random text",
    )
    admin_password: SecretStr = Field(
        SecretStr(""), description="password of the first admin user, made by `up`, and of Flower"
    )
    db_url: str = Field("", description="PostgreSQL URL; empty: the embedded server")
    redis_url: str = Field("", description="Redis URL; empty: the embedded broker")
    port: int = Field(8080, ge=1, le=65535, description="port of the web process")
    public_base_url: Site = Field("", description="where people reach us; empty: http://127.0.0.1:PORT")
    webhook_base_url: Site = Field("", description="where providers reach us; empty: the public base URL")
    allowed_hosts: str = Field("", description="comma-separated extra host names the web process answers to")
    log_format: Literal["console", "json"] = Field("console", description="log lines for people or for machines")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least level that is logged")
    sentry_dsn: SecretStr = Field(SecretStr(""), description="Sentry project; empty: off")

    @field_validator("db_url")
    @classmethod
    def _of_postgresql(cls, url: str) -> str:
        try:
            conninfo_to_dict(url)
        except ProgrammingError:
            # Its own words repeat the URL, and the password with it.
            raise ValueError("write postgresql://USER:PASSWORD@HOST/NAME") from None
        return url

    @field_validator("redis_url")
    @classmethod
    def _of_redis(cls, url: str) -> str:
        if url and urlsplit(url).scheme not in {"redis", "rediss", "unix"}:
            raise ValueError("write redis://HOST:6379/0")
        return url


GROUPS: tuple[type[BaseSettings], ...] = (
    CoreSettings,
    RunSettings,
    MediaSettings,
    CrewSettings,
    ProviderSettings,
    KnowledgeSettings,
    HitlSettings,
    TelegramSettings,
    AccessSettings,
)


def load() -> CoreSettings:
    """Reads ``.env`` and, locally, the generated secrets into the environment, and returns the core settings.

    Ends the process with status 1 when a value cannot be read: nothing works without settings.
    """
    load_dotenv(BASE_DIR / ".env")
    if found := faults():
        sys.exit("\n".join(["Settings that cannot be used (.env.example lists all):", *found]))
    core = CoreSettings()
    if core.environment == "local":
        load_dotenv(_local_secrets(core.data_dir))
    return CoreSettings()


def faults() -> list[str]:
    """Each variable whose value is no such thing, and what it should be; never the value."""
    found = []
    for group in GROUPS:
        try:
            group()
        except ValidationError as error:
            found += [
                f"{str(each['loc'][0]).upper()}: {each['msg'].removeprefix('Value error, ')}"
                for each in error.errors()
                # One that is worked out from others that are wrong is not wrong itself.
                if each["type"] != "default_factory_not_called"
            ]
    return found


def secret_values(*groups: BaseSettings) -> tuple[str, ...]:
    """What is secret in settings, longest first, so that none is hidden in part behind a shorter one."""
    values = (getattr(group, name) for group in groups for name in type(group).model_fields)
    found = {value.get_secret_value() for value in values if isinstance(value, SecretStr)}
    return tuple(sorted(filter(None, found), key=len, reverse=True))


def example() -> str:
    """The text of ``.env.example``: every variable with its meaning and default."""
    lines = ["# Every setting, with its default. Copy to .env and change what you need; `manage.py up` needs none.\n"]
    for group in GROUPS:
        lines.append(f"# --- {(group.__doc__ or group.__name__).strip().splitlines()[0]}")
        for name, field in group.model_fields.items():
            variable = str(field.validation_alias or name).upper()
            # What depends on the machine is left out.
            default = None if field.default_factory else field.default
            lines += [f"# {field.description}", f"#{variable}={_default_text(default)}"]
        lines.append("")
    return "\n".join(lines)


def _default_text(value: object) -> str:
    if isinstance(value, SecretStr):
        return ""
    if isinstance(value, Path):
        return str(value.relative_to(BASE_DIR)) if value.is_relative_to(BASE_DIR) else str(value)
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return "" if value is None else str(value)


def _local_secrets(data_dir: Path) -> Path:
    path = data_dir / "secrets.env"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        text = "".join(f"{name}={secrets.token_urlsafe(32)}\n" for name in LOCAL_SECRETS)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(text)
        try:
            # link() fails when another process was first, so all processes share one set.
            path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path
