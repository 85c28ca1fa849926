"""`manage.py validate`: what it says of a system that is set up, and of one that is not."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from pydantic import SecretStr

from providers.checks import check_addresses, check_secrets, weakness
from runs.config import MediaSettings
from telegram_bot.client import bot

from .conftest import TOKEN

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings

    from .conftest import Served

SECRET = SecretStr("0123456789-abcdef")
WEBHOOK_SECRETS = ("kieai_signing_secret", "shotstack_webhook_secret", "upload_post_signing_secret")
LIVE = {
    "providers_mode": "live",
    **{f"{name}_api_key": SECRET for name in ("kieai", "shotstack", "upload_post")},
    **dict.fromkeys(WEBHOOK_SECRETS, SECRET),
}


def said(what: str) -> tuple[str, int]:
    """What the command prints, and its exit status."""
    out = StringIO()
    try:
        call_command("validate", what, stdout=out)
    except SystemExit as end:
        return out.getvalue(), int(str(end.code))
    return out.getvalue(), 0


def change(settings: Settings, **changed: Any) -> None:
    settings.PROVIDERS = settings.PROVIDERS.model_copy(update=changed)


def test_a_local_system_needs_nothing() -> None:
    text, status = said("env")
    assert status == 0
    assert "kieai is in mock mode and needs no key" in text
    assert "Nothing to mend." in text


def test_live_mode_names_every_secret_that_is_missing_short_or_known(settings: Settings) -> None:
    wrong = {
        "kieai_api_key": SecretStr(""),
        "shotstack_api_key": SecretStr("short"),
        "upload_post_api_key": SecretStr("change-me-please"),
    }
    change(settings, **LIVE | wrong)
    text, status = said("env")
    assert status == 1
    assert "MEND KIEAI_API_KEY is missing" in text
    assert "MEND SHOTSTACK_API_KEY is shorter than 12 characters" in text
    assert "MEND UPLOAD_POST_API_KEY is a placeholder, not a secret" in text
    assert "ok   KIEAI_SIGNING_SECRET is set" in text
    assert "WEBHOOK_BASE_URL" in text
    assert SECRET.get_secret_value() not in text
    assert {error.msg.split()[0] for error in check_secrets()} == {
        "KIEAI_API_KEY",
        "SHOTSTACK_API_KEY",
        "UPLOAD_POST_API_KEY",
    }


def test_where_strangers_reach_the_webhook_it_needs_its_secrets_in_every_mode(settings: Settings) -> None:
    change(settings, **dict.fromkeys(WEBHOOK_SECRETS, SecretStr("")))
    assert check_secrets() == []
    settings.LOCAL = False
    assert [error.msg for error in check_secrets()] == [f"{name.upper()} is missing." for name in WEBHOOK_SECRETS]
    assert "MEND SHOTSTACK_WEBHOOK_SECRET is missing" in said("env")[0]


@pytest.mark.parametrize(
    "secret", ["0123456789-abcdef\n", " 0123456789-abcdef", "0123456789-\u00e4bcdef", "0123456789\0abc"]
)
def test_a_secret_that_no_header_can_carry_is_named(secret: str) -> None:
    assert weakness(secret) == "has blanks, a line break or letters that cannot be sent"


def test_a_live_system_that_renders_itself_needs_no_key_of_the_renderer(settings: Settings) -> None:
    change(settings, **LIVE | {"renderer": "local", "shotstack_api_key": SecretStr("")})
    text, _ = said("env")
    assert "films are rendered by our own workers (RENDERER=local): shotstack is not asked and needs no key" in text
    assert "SHOTSTACK_API_KEY" not in text
    assert check_secrets() == check_addresses() == []
    change(settings, shotstack_webhook_secret=SecretStr(""))
    assert [error.msg for error in check_secrets()] == ["SHOTSTACK_WEBHOOK_SECRET is missing."]


@pytest.mark.parametrize(
    "url", ["http://api.kie.ai", "https://api.kie.ai.evil.test", "https://127.0.0.1", "https://api.kie.ai:8443"]
)
def test_live_mode_refuses_an_address_that_is_not_the_services(settings: Settings, url: str) -> None:
    change(settings, **LIVE, kieai_base_url=url)
    (error,) = check_addresses()
    assert (error.id, error.msg) == ("providers.E002", f"KIEAI_BASE_URL is {url}, which is not kieai.")
    assert f"MEND KIEAI_BASE_URL is {url}" in said("env")[0]


@pytest.mark.django_db
def test_the_configuration_is_looked_at(projects: None) -> None:
    text, status = said("config")
    assert status == 0
    assert "Projects: aismr, explainer, test_video_gen" in text
    assert "Personas: iggy, riley, alex" in text
    assert "ok   Broker: answers" in text


@pytest.mark.django_db
def test_a_chat_model_that_cannot_be_used_is_named(settings: Settings) -> None:
    settings.CREW = settings.CREW.model_copy(update={"llm_model": "nobody:gpt-1"})
    text, status = said("config")
    assert status == 1
    assert "MEND LLM_MODEL is nobody:gpt-1" in text
    assert "the chat model cannot be used" in text


@pytest.fixture
def beside(next_door: Served, settings: Settings) -> None:
    """Telegram and OpenAI, wanted and played next door."""
    settings.TELEGRAM = settings.TELEGRAM.model_copy(
        update={"telegram_bot_token": SecretStr(TOKEN), "telegram_base_url": next_door.url}
    )
    settings.CREW = settings.CREW.model_copy(update={"llm_model": "openai:gpt-5-mini"})
    settings.KNOWLEDGE = settings.KNOWLEDGE.model_copy(
        update={"openai_base_url": f"{next_door.url}/v1", "openai_api_key": SECRET}
    )


@pytest.mark.django_db
@pytest.mark.usefixtures("projects", "beside")
def test_each_service_is_asked_and_its_answer_said_in_words(settings: Settings) -> None:
    text, status = said("providers")
    assert status == 1
    assert "100,000 credits, about 1666 clips" in text
    assert "ok   shotstack (local): answers" in text
    assert "There is no profile 'myloware-aismr'" in text
    assert "telegram: the bot is @myloware_local_bot" in text
    assert "MEND telegram: no webhook is set; step 3 of docs/first-live-film.md sets http://127.0.0.1:8080/v1/" in text
    assert "ok   openai: answers" in text
    assert "takes and gives files" in text
    assert list(settings.MEDIA_ROOT.rglob("*.txt")) == []
    bot().call("setWebhook", url="http://127.0.0.1:8080/v1/telegram/webhook")
    assert "ok   telegram: messages come to http://127.0.0.1:8080/v1/telegram/webhook" in said("providers")[0]


@pytest.mark.django_db
def test_a_bucket_that_is_not_reached_is_said_in_words(settings: Settings, next_door: Served) -> None:
    settings.MEDIA = MediaSettings(media_store_url="s3://films?endpoint=http://127.0.0.1:9")
    settings.STORAGES = {**settings.STORAGES, "default": settings.MEDIA.storage}
    text, status = said("providers")
    assert status == 1
    assert "MEND media store (s3://films): The media bucket" in text


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("simulator", "fault", "words"),
    [
        ("kieai", "code_401", "MEND kieai (local): kie.ai refused (401): Unauthorized"),
        ("kieai", "code_402", "Buy credits at kie.ai."),
        ("upload-post", "bad_key", "Check UPLOAD_POST_API_KEY."),
        ("telegram", "bad_token", "MEND telegram: Telegram refused (401): Unauthorized. Check TELEGRAM_BOT_TOKEN."),
        ("openai", "bad_key", "Check OPENAI_API_KEY."),
        ("openai", "server_error", "MEND openai: OpenAI answered 500"),
    ],
)
@pytest.mark.usefixtures("beside")
def test_what_a_service_refuses_is_said_in_words(
    next_door: Served,
    simulator: str,
    fault: str,
    words: str,
) -> None:
    next_door.turn(simulator, fault)
    text, status = said("providers")
    assert status == 1
    assert words in text
