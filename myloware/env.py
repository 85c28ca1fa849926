"""Settings that come from the environment, read once and checked.

Variables are declared beside the code that uses them, as pydantic-settings classes; ``GROUPS`` is their table of
contents and the source of ``.env.example``.  Values come from the process environment, then ``.env``, then the data
directory's ``secrets.env``, which a local start writes so that no clone ever runs with a default secret.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Literal

from dotenv import load_dotenv
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from hitl.config import HitlSettings
from knowledge.config import KnowledgeSettings
from personas.config import CrewSettings
from providers.config import ProviderSettings
from runs.config import RunSettings
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


class CoreSettings(BaseSettings):
    """The platform itself."""

    environment: Literal["local", "staging", "production"] = Field("local", description="where this system runs")
    data_dir: Path = Field(
        BASE_DIR / "var",
        validation_alias="MYLOWARE_DATA_DIR",
        description="folder of the embedded servers' data, media and generated secrets",
    )
    django_secret_key: SecretStr = Field(SecretStr(""), description="signs sessions")
    api_key: SecretStr = Field(SecretStr(""), description="key of the HTTP API (header X-API-Key)")
    admin_password: SecretStr = Field(SecretStr(""), description="password of the first admin user, made by `up`")
    db_url: str = Field("", description="PostgreSQL URL; empty: the embedded server")
    redis_url: str = Field("", description="Redis URL; empty: the embedded broker")
    port: int = Field(8080, ge=1, le=65535, description="port of the web process")
    public_base_url: str = Field("", description="where people reach us; empty: http://127.0.0.1:PORT")
    webhook_base_url: str = Field("", description="where providers reach us; empty: the public base URL")
    allowed_hosts: str = Field("", description="comma-separated extra host names the web process answers to")
    log_format: Literal["console", "json"] = Field("console", description="log lines for people or for machines")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least level that is logged")
    sentry_dsn: SecretStr = Field(SecretStr(""), description="Sentry project; empty: off")
    langsmith_api_key: SecretStr = Field(SecretStr(""), description="LangSmith key; empty: no traces leave")


GROUPS: tuple[type[BaseSettings], ...] = (
    CoreSettings,
    RunSettings,
    CrewSettings,
    ProviderSettings,
    KnowledgeSettings,
    HitlSettings,
    TelegramSettings,
)


def load() -> CoreSettings:
    """Reads ``.env`` and, locally, the generated secrets into the environment, and returns the core settings."""
    load_dotenv(BASE_DIR / ".env")
    core = CoreSettings()
    if core.environment == "local":
        load_dotenv(_local_secrets(core.data_dir))
    return CoreSettings()


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
