"""No line of a log, and no report of an error, shows a secret."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import pytest
from django.test import Client
from pydantic import SecretStr

from myloware.env import secret_values
from myloware.kernel.logging import ConsoleFormatter, JsonFormatter, cleaned, log_context, redact
from providers.config import ProviderSettings

CANARY = "c4nary-0123456789abcdef"


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {CANARY}",
        f'{{"authorization": "Apikey {CANARY}"}}',
        f"{{'x-api-key': '{CANARY}'}}",
        f"[(b'x-api-key', b'{CANARY}')]",
        f"Illegal header value b'Bearer {CANARY}\\n'",
        json.dumps({"event": json.dumps({"api_key": CANARY})}),
        f"DJANGO_SECRET_KEY={CANARY} KIEAI_SIGNING_SECRET={CANARY} ADMIN_PASSWORD={CANARY}",
        f"postgresql://myloware:{CANARY}@db/myloware",
        f"redis://:{CANARY}@redis:6379/0",
        f"https://api.telegram.org/bot123456789:{CANARY}/getMe",
        f"<ASGIRequest: GET '/v1/hitl/approve/1/ideate?token={CANARY}'>",
        f"<ASGIRequest: POST '/v1/webhooks/shotstack?ref=0a.1.{CANARY}'>",
        f"Cookie: sessionid={CANARY}",
        f"X-Telegram-Bot-Api-Secret-Token: {CANARY}",
        f"key sk-proj-{CANARY} was refused",
    ],
)
def test_what_looks_like_a_secret_is_not_shown(text: str) -> None:
    assert CANARY not in redact(text)
    assert "[redacted]" in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "the token budget is spent, 3 of 5",
        "a basic understanding",
        "the bearer of news",
        "tokens=12",
        "preference=?x&reference=7",
    ],
)
def test_words_are_left_alone(text: str) -> None:
    assert redact(text) == text


def record(message: str, **extra: Any) -> logging.LogRecord:
    made = logging.makeLogRecord({"msg": message, "levelname": "ERROR", "name": "test", **extra})
    try:
        raise RuntimeError(f"the service said {CANARY}")
    except RuntimeError:
        made.exc_info = sys.exc_info()
    return made


@pytest.mark.parametrize("kind", [JsonFormatter, ConsoleFormatter])
def test_a_secret_of_ours_is_not_shown_wherever_it_stands(kind: type[JsonFormatter] | type[ConsoleFormatter]) -> None:
    with log_context(actor=CANARY):
        line = kind(secrets=[CANARY]).format(record(f"heard {CANARY}", reason={"deep": [CANARY]}))
    assert CANARY not in line
    assert line.count("[redacted]") == 4


# Made up, and put together here so that no scanner takes them for real.
@pytest.mark.parametrize(
    "key",
    [
        "AKIA" + "Q4EXAMPLE7Q4EXAM",
        "ghp_" + "a1B2c3D4e5" * 3,
        "github_pat_" + "a1B2c3D4e5" * 3,
        "glpat-" + "a1B2c3D4e5" * 2,
        "hf_" + "a1B2c3D4e5" * 3,
        "AIza" + "a1B2c3D4e5" * 4,
        "eyJ" + "a1B2c3D4e5.eyJ" + "a1B2c3D4e5.a1B2c3D4e5",
        "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIEa1B2c3D4e5",
    ],
)
def test_keys_of_the_usual_services_are_known_by_how_they_begin(key: str) -> None:
    assert redact(f"Look: {key}") == "Look: [redacted]"
    assert json.loads(redact(json.dumps({"said": key, "then": "more"}))) == {"said": "[redacted]", "then": "more"}


def test_a_line_stays_json_whatever_is_taken_out() -> None:
    inner = json.dumps({"api_key": CANARY, "then": "more"})
    line = json.loads(JsonFormatter().format(record(inner, answer=inner)))
    assert json.loads(line["event"]) == {"api_key": "[redacted]", "then": "more"}


def test_a_report_of_an_error_is_cleaned_all_through() -> None:
    report = {"message": f"Bearer {CANARY}", "frames": [{"lines": (f"password={CANARY}", 1)}]}
    assert CANARY not in json.dumps(cleaned(report))


def test_all_secrets_of_the_settings_are_known() -> None:
    longer = f"{CANARY}-{'x' * 40}"
    settings = ProviderSettings(kieai_api_key=SecretStr(CANARY), shotstack_webhook_secret=SecretStr(longer))
    found = secret_values(settings)
    assert (found[0], found[-1]) == (longer, CANARY)


def test_a_scanner_that_asks_for_another_host_leaves_no_error(caplog: pytest.LogCaptureFixture) -> None:
    assert Client().get("/health", headers={"host": "evil.test"}).status_code == 400
    assert [line.name for line in caplog.records if line.levelno >= logging.ERROR] == []
