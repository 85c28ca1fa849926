"""What the client makes of Telegram's answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.conf import settings

from myloware.kernel.errors import MylowareError, ProviderRefused, ProviderUnavailable, RateLimited
from telegram_bot.client import MAX_UNITS, Button, Telegram, pages

from .bot_api import BLOCKED, BROKEN, SLOW_DOWN, TOKEN, BotApi

if TYPE_CHECKING:
    from pytest_django import Settings


def test_it_sends_html_with_buttons_and_without_previews(bot_api: BotApi) -> None:
    Telegram(settings.TELEGRAM).send(42, "a &lt; b", (Button("Open", "https://example.com/x"),))
    (message,) = bot_api.sent
    assert message["text"] == "a &lt; b"
    assert message["parse_mode"] == "HTML"
    assert message["link_preview_options"] == {"is_disabled": True}
    assert message["reply_markup"] == {"inline_keyboard": [[{"text": "Open", "url": "https://example.com/x"}]]}


def test_it_passes_on_how_long_to_wait(bot_api: BotApi) -> None:
    bot_api.answers.append(SLOW_DOWN)
    with pytest.raises(RateLimited) as caught:
        Telegram(settings.TELEGRAM).send(42, "hello")
    assert caught.value.retry_after_s == 1


@pytest.mark.parametrize(("answer", "error"), [(BLOCKED, ProviderRefused), (BROKEN, ProviderUnavailable)])
def test_it_says_what_telegram_said(bot_api: BotApi, answer: tuple[int, dict[str, object]], error: type) -> None:
    bot_api.answers.append(answer)
    with pytest.raises(error, match=str(answer[1]["description"])):
        Telegram(settings.TELEGRAM).send(42, "hello")


def test_the_token_is_in_no_error(bot_api: BotApi, settings: Settings) -> None:
    settings.TELEGRAM = settings.TELEGRAM.model_copy(update={"telegram_base_url": "http://127.0.0.1:9"})
    with pytest.raises(MylowareError) as caught:
        Telegram(settings.TELEGRAM).send(42, "hello")
    assert TOKEN not in f"{caught.value!r}{caught.value.detail}"
    assert caught.value.__cause__ is None


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
