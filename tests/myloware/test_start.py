"""Every way to start, with settings that are not fit for a live system: each refuses and says why."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from pydantic import SecretStr
from pytest_django import Settings

from myloware import env
from providers.checks import STRICT

from .test_validate import LIVE, SECRET, change, said

ROOT = Path(__file__).parents[2]
FLY = tomllib.loads((ROOT / "fly.toml").read_text())
# docker-compose.yml runs the same; Flower comes by where worker and beat do.
WAYS = [
    *(FLY["processes"][name] for name in ("web", "worker", "beat")),
    FLY["deploy"]["release_command"],
    "python manage.py up",
]
GOOD = {
    "ENVIRONMENT": "production",
    "PROVIDERS_MODE": "live",
    "PUBLIC_BASE_URL": "https://studio.example.com",
    **dict.fromkeys(("DB_URL", "REDIS_URL", "WEBHOOK_BASE_URL", "KIEAI_MODE"), ""),
    **dict.fromkeys(("DJANGO_SECRET_KEY", "API_KEY", "HITL_SECRET", "ADMIN_PASSWORD"), "0123456789-abcdef"),
    **dict.fromkeys(("KIEAI_API_KEY", "KIEAI_SIGNING_SECRET", "SHOTSTACK_API_KEY"), "0123456789-abcdef"),
    **dict.fromkeys(("SHOTSTACK_WEBHOOK_SECRET", "UPLOAD_POST_API_KEY"), "0123456789-abcdef"),
    "UPLOAD_POST_SIGNING_SECRET": "0123456789-abcdef",
    "TELEGRAM_BOT_TOKEN": "123456789:a-token-of-twenty-characters",
    "TELEGRAM_WEBHOOK_SECRET": "0123456789-abcdef",
}
BAD = {
    "KIEAI_API_KEY": "",
    "SHOTSTACK_API_KEY": "short",
    "UPLOAD_POST_API_KEY": "change-me-please",
    "HITL_SECRET": "",
    "API_KEY": "short",
    "TELEGRAM_WEBHOOK_SECRET": "",
    "KIEAI_BASE_URL": "https://api.kie.ai.evil.test",
    "TELEGRAM_BASE_URL": "http://127.0.0.1:8091",
}
NAMED = {
    "KIEAI_API_KEY is missing",
    "SHOTSTACK_API_KEY is shorter than 12 characters",
    "UPLOAD_POST_API_KEY is a placeholder, not a secret",
    "HITL_SECRET is missing",
    "API_KEY is shorter than 12 characters",
    "TELEGRAM_WEBHOOK_SECRET is missing",
    "KIEAI_BASE_URL is https://api.kie.ai.evil.test",
    "TELEGRAM_BASE_URL is http://127.0.0.1:8091",
}


def start(way: str, folder: Path, **variables: str) -> subprocess.Popen[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.Popen(
        shlex.split(way),
        cwd=ROOT,
        env={**os.environ, "PATH": path, "MYLOWARE_DATA_DIR": str(folder), **GOOD, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ended(running: subprocess.Popen[str], status: int = 1) -> str:
    """What it printed, once it has ended."""
    output, _ = running.communicate(timeout=120)
    assert running.returncode == status, output
    assert "Traceback" not in output
    return output


def test_every_way_to_start_refuses_and_names_each_fault_once(tmp_path: Path) -> None:
    for running in [start(way, tmp_path, **BAD) for way in WAYS]:
        output = ended(running)
        found = [line.partition(") ")[2] for line in output.splitlines() if line.startswith("?: (")]
        assert len(found) == len(NAMED), output
        assert all(any(line.startswith(fault) for line in found) for fault in NAMED), output


def test_what_cannot_be_read_is_named_and_not_repeated(tmp_path: Path) -> None:
    wrong = {"PROVIDERS_MODE": "prod", "DB_URL": "myloware:s3cret@host"}
    for running in [start(way, tmp_path, **wrong) for way in (WAYS[2], "python manage.py validate env")]:
        output = ended(running)
        assert "PROVIDERS_MODE: Input should be 'mock', 'local' or 'live'" in output
        assert "DB_URL: write postgresql://USER:PASSWORD@HOST/NAME" in output
        assert "s3cret" not in output


def test_before_the_first_start_there_is_no_server_and_nothing_to_mend(tmp_path: Path) -> None:
    mock = {"PROVIDERS_MODE": "mock", "TELEGRAM_BOT_TOKEN": ""}
    config, providers = (
        start(f"python manage.py validate {what}", tmp_path, **mock) for what in ("config", "providers")
    )
    assert "The embedded database is not running; manage.py up starts it" in ended(config, 0)
    output = ended(providers, 0)
    assert "There is no profile 'myloware-aismr'" in output
    assert "WARNING" not in output


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("PORT", "http", "PORT: Input should be a valid integer"),
        ("REDIS_URL", "localhost:6379", "REDIS_URL: write redis://HOST:6379/0"),
        ("PUBLIC_BASE_URL", "studio.example.com", "PUBLIC_BASE_URL: write https://HOST"),
        ("KIEAI_MODE", "production", "KIEAI_MODE: Input should be"),
        ("TELEGRAM_BASE_URL", "http://[", "TELEGRAM_BASE_URL: write https://HOST"),
    ],
)
def test_each_value_that_is_no_such_thing_is_found(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    assert env.faults() == []
    monkeypatch.setenv(variable, value)
    (fault,) = env.faults()
    assert fault.startswith(words)


def test_a_variable_left_empty_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("KIEAI_MODE", "PORT", "TELEGRAM_BASE_URL", "PUBLIC_BASE_URL"):
        monkeypatch.setenv(variable, "")
    assert env.faults() == []


# --- Settings that are fit


@pytest.fixture
def production(settings: Settings) -> Settings:
    settings.LOCAL = False
    settings.PUBLIC_BASE_URL = settings.WEBHOOK_BASE_URL = "https://studio.example.com"
    settings.CORE = settings.CORE.model_copy(
        update=dict.fromkeys(("django_secret_key", "api_key", "admin_password"), SECRET)
    )
    settings.HITL = settings.HITL.model_copy(update={"hitl_secret": SECRET})
    settings.TELEGRAM = settings.TELEGRAM.model_copy(
        update={
            "telegram_bot_token": SecretStr(GOOD["TELEGRAM_BOT_TOKEN"]),
            "telegram_webhook_secret": SECRET,
            "telegram_allowed_chats": "42",
        }
    )
    change(settings, **LIVE)
    return settings


def test_a_fit_live_system_starts_and_has_nothing_to_mend(production: Settings) -> None:
    assert run_checks(tags=[STRICT]) == []
    text, status = said("env")
    assert (status, text.splitlines()[-1]) == (0, "Nothing to mend.")
    assert "ok   TELEGRAM_BASE_URL is https://api.telegram.org" in text
    assert "ok   PUBLIC_BASE_URL is https://studio.example.com" in text


def changed(settings: Settings, group: str, **values: Any) -> None:
    setattr(settings, group, getattr(settings, group).model_copy(update=values))


def test_what_is_switched_on_has_to_be_complete(production: Settings) -> None:
    changed(production, "CREW", llm_model="openai:gpt-5-mini")
    changed(production, "KNOWLEDGE", openai_base_url="http://127.0.0.1:8091/v1")
    changed(production, "TELEGRAM", telegram_allowed_chats="")
    assert {error.msg for error in run_checks(tags=[STRICT])} == {
        "OPENAI_BASE_URL is http://127.0.0.1:8091/v1: an API key goes out over https alone.",
        "OPENAI_API_KEY is missing.",
    }
    assert "MEND TELEGRAM_ALLOWED_CHATS is empty" in said("env")[0]


def test_a_system_of_ones_own_may_have_stand_ins(settings: Settings) -> None:
    changed(settings, "TELEGRAM", telegram_bot_token=SECRET, telegram_base_url="http://127.0.0.1:8091")
    changed(settings, "CORE", api_key=SecretStr("short"))
    assert run_checks(tags=[STRICT]) == []
    settings.LOCAL = False
    assert {error.msg.split()[0] for error in run_checks(tags=[STRICT])} == {
        "API_KEY",
        "TELEGRAM_BASE_URL",
    }
