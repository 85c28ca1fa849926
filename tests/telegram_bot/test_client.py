"""What the client makes of Telegram's answers, and what nobody gets to see."""

from __future__ import annotations

import logging
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis

from myloware.kernel.errors import (
    Misconfigured,
    MylowareError,
    OutcomeUnknown,
    ProviderRefused,
    ProviderUnavailable,
    RateLimited,
)
from providers import registry
from providers.simulator import NextDoorTransport
from providers.transports import PublicTransport
from telegram_bot.client import MAX_UNITS, Button, bot, pages

from .bot_api import BLOCKED, BROKEN, ECHO, SILENCE, SLOW_DOWN, TOKEN, BotApi

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django import Settings


def change(settings: Settings, **changed: Any) -> None:
    settings.TELEGRAM = settings.TELEGRAM.model_copy(update=changed)


def test_it_sends_html_with_buttons_and_without_previews(bot_api: BotApi) -> None:
    bot().send(42, "a &lt; b", (Button("Open", "https://example.com/x"),))
    (message,) = bot_api.sent
    assert message["text"] == "a &lt; b"
    assert message["parse_mode"] == "HTML"
    assert message["link_preview_options"] == {"is_disabled": True}
    assert message["reply_markup"] == {"inline_keyboard": [[{"text": "Open", "url": "https://example.com/x"}]]}


def test_it_passes_on_how_long_to_wait_and_does_not_wait_itself(bot_api: BotApi) -> None:
    bot_api.answers.append((429, {**SLOW_DOWN[1], "parameters": {"retry_after": 47}}))
    with pytest.raises(RateLimited) as caught:
        bot().send(42, "hello")
    assert caught.value.retry_after_s == 47
    assert len(bot_api.paths) == 1


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (BLOCKED, ProviderRefused, r"refused \(403\): Forbidden: bot was blocked by the user"),
        (BROKEN, ProviderUnavailable, "502"),
        (SILENCE, OutcomeUnknown, "did not answer"),
        ((200, {"what": "a page of a proxy"}), OutcomeUnknown, "cannot be read"),
    ],
)
def test_it_says_what_telegram_said_and_asks_once(
    bot_api: BotApi, answer: tuple[int, dict[str, object]], error: type[MylowareError], words: str
) -> None:
    bot_api.answers.append(answer)
    with pytest.raises(error, match=words):
        bot().send(42, "hello")
    assert len(bot_api.paths) == 1


def test_a_telegram_that_fails_is_left_alone_and_one_that_refuses_is_not(bot_api: BotApi) -> None:
    for answer in [BLOCKED] * 6 + [BROKEN] * 5:
        bot_api.answers.append(answer)
        with pytest.raises((ProviderRefused, ProviderUnavailable)):
            bot().send(42, "hello")
    with pytest.raises(ProviderUnavailable, match="failed 5 times in a row"):
        bot().send(42, "hello")
    assert len(bot_api.paths) == 11


def test_telegram_itself_is_reached_over_the_live_way(
    bot_api: BotApi, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "PublicTransport", partial(NextDoorTransport, bot_api.url))
    change(settings, telegram_base_url="https://api.telegram.org")
    bot().send(42, "hello")
    assert bot_api.paths == [f"/bot{TOKEN}/sendMessage"]
    known = Redis.from_url(settings.REDIS_URL).keys()
    assert any(b"telegram" in key for key in known)
    assert not any(TOKEN.encode() in key for key in known)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8091", "http://api.telegram.org", "https://telegram.example.test"])
def test_a_live_system_sends_its_token_to_telegram_alone(bot_api: BotApi, settings: Settings, url: str) -> None:
    settings.PROVIDERS = settings.PROVIDERS.model_copy(update={"kieai_mode": "live"})
    change(settings, telegram_base_url=url)
    with pytest.raises(Misconfigured, match="not one of its hosts"):
        bot().send(42, "hello")


# --- The token


def inside(*_: Any, **__: Any) -> list[Any]:
    return [(None, None, None, "", ("10.0.0.1", 443))]


def nowhere(*_: Any, **__: Any) -> list[Any]:
    raise OSError("no such name")


def known_to(error: BaseException | None) -> str:
    """An error, its causes and contexts, and what the frames of each know: what Sentry would report."""
    if error is None:
        return ""
    frames = [frame.f_locals for frame, _ in traceback.walk_tb(error.__traceback__)]
    return f"{error!r} {vars(error)} {frames}" + known_to(error.__cause__) + known_to(error.__context__)


@pytest.mark.parametrize(
    "answer",
    [SLOW_DOWN, BLOCKED, BROKEN, SILENCE, ECHO, (200, {})],
)
def test_no_answer_shows_the_token(
    bot_api: BotApi, caplog: pytest.LogCaptureFixture, answer: tuple[int, dict[str, Any]]
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "httpx")
    bot_api.answers.append(answer)
    with pytest.raises(MylowareError) as caught:
        bot().send(42, "hello")
    assert "send_request_headers" in caplog.text
    assert TOKEN not in known_to(caught.value) + caplog.text


@pytest.mark.parametrize(
    "way",
    [
        partial(NextDoorTransport, "http://127.0.0.1:9"),
        partial(PublicTransport, resolve=inside),
        partial(PublicTransport, resolve=nowhere),
    ],
)
def test_no_failure_on_the_way_shows_the_token(
    bot_api: BotApi,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    way: Callable[[], Any],
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(registry, "PublicTransport", way)
    change(settings, telegram_base_url="https://api.telegram.org")
    with pytest.raises(MylowareError) as caught:
        bot().send(42, "hello")
    assert TOKEN not in known_to(caught.value) + caplog.text


# --- Text


def test_short_text_is_one_page() -> None:
    assert pages(" hello \n") == ["hello"]
    assert pages("  ") == []


def test_long_text_is_cut_between_paragraphs() -> None:
    paragraph = "word " * 500
    found = pages("\n\n".join([paragraph] * 4))
    assert len(found) == 4
    assert all(page == paragraph.strip() for page in found)


def test_pages_fit_telegrams_way_of_counting_and_lose_nothing() -> None:
    text = "\N{CLAPPER BOARD}" * 5000
    found = pages(text)
    assert "".join(found) == text
    assert max(len(page.encode("utf-16-le")) // 2 for page in found) <= MAX_UNITS
