"""A small client of the Telegram Bot API (https://core.telegram.org/bots/api).

The bot token stands in every URL, so no error or log line of this module carries a URL or an httpx exception.
"""

from __future__ import annotations

import html
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from myloware.kernel.errors import OutcomeUnknown, ProviderRefused, ProviderUnavailable, RateLimited

if TYPE_CHECKING:
    from .config import TelegramSettings

log = logging.getLogger(__name__)

# Of one message, after entities are parsed: https://core.telegram.org/bots/api#sendmessage
MAX_UNITS = 4096


@dataclass(frozen=True)
class Button:
    """An inline button that opens ``url``."""

    text: str
    url: str


class Telegram:
    """The bot."""

    def __init__(self, settings: TelegramSettings) -> None:
        self._base = f"{settings.telegram_base_url.rstrip('/')}/bot{settings.telegram_bot_token.get_secret_value()}"
        self._timeout_s = settings.telegram_timeout_s

    def send(self, chat_id: int, text: str, buttons: tuple[Button, ...] = ()) -> int:
        """Sends one message of HTML and returns its id. No previews: they would open approval links.

        Raises ``RateLimited`` with the wait Telegram asks for, ``ProviderRefused`` for what it will never take (a bot
        that was blocked, a broken message), ``ProviderUnavailable`` when it did not act, ``OutcomeUnknown`` when it
        may have.
        """
        body: dict[str, Any] = {
            "chat_id": chat_id,
            "text": text,
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": True},
        }
        if buttons:
            body["reply_markup"] = {"inline_keyboard": [[{"text": each.text, "url": each.url}] for each in buttons]}
        return int(self._call("sendMessage", body)["message_id"])

    def ask(self, method: str) -> dict[str, Any]:
        """What a method without parameters tells. Raises as ``send`` does."""
        return self._call(method, {})

    def _call(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            response = httpx.post(f"{self._base}/{method}", json=body, timeout=self._timeout_s)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise ProviderUnavailable(f"Telegram cannot be reached: {type(error).__name__}.") from None
        except httpx.HTTPError as error:
            raise OutcomeUnknown(f"Telegram's answer to {method} was lost: {type(error).__name__}.") from None
        return _result(method, response)


def _result(method: str, response: httpx.Response) -> dict[str, Any]:
    answer = _json(response)
    if answer.get("ok") is True:
        result: dict[str, Any] = answer["result"]
        return result
    reason = f"Telegram answered {method} with {response.status_code}: {answer.get('description', 'no reason given')}"
    if response.status_code == 429:
        raise RateLimited(reason, retry_after_s=float(answer.get("parameters", {}).get("retry_after", 1)))
    if response.status_code >= 500:
        raise ProviderUnavailable(reason)
    raise ProviderRefused(reason)


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def escape(text: str) -> str:
    """``text`` as Telegram's HTML shows it literally."""
    return html.escape(text, quote=False)


def pages(text: str, limit: int = MAX_UNITS) -> list[str]:
    """Plain ``text`` in pieces of at most ``limit`` UTF-16 units (what Telegram counts), cut where it hurts least."""
    found = []
    rest = text.strip()
    while rest:
        page = _head(rest, limit)
        found.append(page.rstrip())
        rest = rest[len(page) :].lstrip()
    return found


def _head(text: str, limit: int) -> str:
    fits = _fitting(text, limit)
    if len(fits) == len(text):
        return text
    for cut in ("\n\n", "\n", " "):
        at = fits.rfind(cut)
        if at > len(fits) // 2:
            return fits[:at]
    return fits


def _fitting(text: str, limit: int) -> str:
    """The longest start of ``text`` that encodes to ``limit`` UTF-16 units, without half a character at its end."""
    return text.encode("utf-16-le")[: limit * 2].decode("utf-16-le", errors="ignore")
