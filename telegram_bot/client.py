"""What the bot says to Telegram (https://core.telegram.org/bots/api)."""

from __future__ import annotations

import html
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver

from myloware.kernel.errors import OutcomeUnknown, ProviderRefused, ProviderUnavailable

from . import wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from providers.http import Client

# Of one message, after entities are parsed: https://core.telegram.org/bots/api#sendmessage
MAX_UNITS = 4096


@dataclass(frozen=True)
class Button:
    """An inline button that opens ``url``, or sends us ``data`` (at most 64 bytes)."""

    text: str
    url: str = ""
    data: str = ""

    @property
    def fields(self) -> dict[str, str]:
        return {"text": self.text, **({"url": self.url} if self.url else {"callback_data": self.data})}


@cache
def bot() -> Telegram:
    """The bot of the settings. Raises ``Misconfigured`` for a base URL that may not be used."""
    return Telegram(wire.client(settings.TELEGRAM))


class Telegram:
    """The bot."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def close(self) -> None:
        """Ends the kept connections."""
        self._client.close()

    def send(self, chat_id: int, text: str, buttons: tuple[Button, ...] = ()) -> int:
        """Sends one message of HTML and returns its id. No previews: they would open approval links.

        Raises as ``call`` does.
        """
        return int(self.call("sendMessage", **_message(chat_id, text, buttons))["message_id"])

    def show(self, chat_id: int, url: str, *, poster: str = "") -> int:
        """Sends a film that Telegram fetches from ``url``, and returns the message's id. Raises as ``call`` does."""
        fields = {"chat_id": chat_id, "video": url, "supports_streaming": True}
        cover = {"cover": f"{url[: url.index('/media/')]}{poster}"} if poster else {}
        return int(self.call("sendVideo", **fields, **cover)["message_id"])

    def ask(self, chat_id: int, text: str) -> int:
        """Sends a message that wants a reply, and returns its id. Raises as ``call`` does."""
        wanted = {"force_reply": True, "input_field_placeholder": "Your comment"}
        return int(self.call("sendMessage", **_message(chat_id, text, ()), reply_markup=wanted)["message_id"])

    def acknowledge(self, query_id: str) -> None:
        """Ends the waiting of who pressed a button. One that was pressed long ago waits no more."""
        with suppress(ProviderRefused):
            self.call("answerCallbackQuery", callback_query_id=query_id)

    def edit(self, chat_id: int, message_id: int, text: str, buttons: tuple[Button, ...] = ()) -> None:
        """Changes one message of HTML; buttons that are not sent again are gone. Raises as ``call`` does."""
        with _unchanged():
            self.call("editMessageText", message_id=message_id, **_message(chat_id, text, buttons))

    def call(self, method: str, **fields: Any) -> Any:
        """The result of a method.

        Raises ``RateLimited`` with the wait that Telegram asks for, ``ProviderRefused`` for what it will never take (a
        bot that was blocked, a broken message), ``ProviderUnavailable`` when it did not act, ``OutcomeUnknown`` when
        it may have.
        """
        try:
            answer = wire.answer_of(self._client.post(f"/{method}", json=fields))
        except OutcomeUnknown as error:
            if "status" not in error.detail:
                raise
            # It says itself that it failed. Were that wrong, a message would come twice, which harms nobody.
            raise ProviderUnavailable(error.message, **error.detail) from error
        if not answer.ok:
            raise OutcomeUnknown(f"telegram's answer to {method} cannot be read.", provider="telegram")
        return answer.result


@contextmanager
def _unchanged() -> Iterator[None]:
    """Telegram refuses a change to what is there already."""
    try:
        yield
    except ProviderRefused as error:
        if "message is not modified" not in error.message:
            raise


def _message(chat_id: int, text: str, buttons: tuple[Button, ...]) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "chat_id": chat_id,
        "text": text,
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": True},
    }
    if buttons:
        # Those that decide stand side by side, a link below them.
        rows = [[each.fields for each in buttons if each.data], *([each.fields] for each in buttons if each.url)]
        fields["reply_markup"] = {"inline_keyboard": [row for row in rows if row]}
    return fields


@receiver(setting_changed)
def _forget(*, setting: str, **_: Any) -> None:
    if setting in {"TELEGRAM", "PROVIDERS"} and bot.cache_info().currsize:
        bot().close()
        bot.cache_clear()


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
