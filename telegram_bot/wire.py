"""How Telegram's Bot API is reached (https://core.telegram.org/bots/api), with a token that nobody gets to see.

The API wants the token in every URL. ``TokenInPath`` puts it there behind the HTTP client, at the last moment:
whatever repeats, counts, logs or reports a request, and every error, knows a URL without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
from pydantic import ValidationError

from providers import registry
from providers.http import Client, Service, retry_after_s
from providers.shared import Shared

from .updates import Part

if TYPE_CHECKING:
    from pydantic import SecretStr

    from .config import TelegramSettings

HOST = "api.telegram.org"
# To all chats together. https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this
RATE = "30 per second"
CONNECT_S = 5


def client(settings: TelegramSettings) -> Client:
    """HTTP for the bot, tried once: who sends repeats. Raises ``Misconfigured`` for a base URL that may not be used."""
    at = settings.telegram_base_url.rstrip("/")
    way = TokenInPath(registry.way_to(service(at), at, rate=RATE), settings.telegram_bot_token)
    timeout = httpx.Timeout(settings.telegram_timeout_s, connect=min(CONNECT_S, settings.telegram_timeout_s))
    return Client(service(at), way, Shared(), timeout=timeout, attempts=1)


def service(at: str) -> Service:
    """Telegram. What stands in for it ``at`` another URL takes the same requests."""
    return Service(
        "telegram",
        f"https://{HOST}{httpx.URL(at).path.rstrip('/')}",
        {},
        frozenset({HOST}),
        status_of=_status,
        retry_after_of=_retry_after_s,
        title="Telegram",
        advice={401: "Check TELEGRAM_BOT_TOKEN."},
    )


class Parameters(Part):
    retry_after: float | None = None


class Answer(Part):
    """``ok`` and a ``result``, or an ``error_code`` that the HTTP status repeats."""

    ok: bool = False
    result: Any = None
    error_code: int | None = None
    parameters: Parameters = Parameters()


def answer_of(response: httpx.Response) -> Answer:
    """What the Bot API says; nothing at all when the body is somebody else's, a proxy's for instance."""
    try:
        return Answer.model_validate_json(response.content)
    except ValidationError:
        return Answer()


def _status(response: httpx.Response) -> int:
    return answer_of(response).error_code or response.status_code


def _retry_after_s(response: httpx.Response) -> float | None:
    return answer_of(response).parameters.retry_after or retry_after_s(response)


class TokenInPath(httpx.BaseTransport):
    """Sends ``/method`` as ``/bot<token>/method``, on a request of its own.

    What goes wrong behind it is raised anew, without the frames and causes that have seen the URL. Answers are small
    and read here.
    """

    def __init__(self, inner: httpx.BaseTransport, token: SecretStr) -> None:
        self._inner = inner
        self._token = token

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return self._answer(request)
        except Exception as error:
            error.__cause__ = error.__context__ = None
            failed = error.with_traceback(None)
        raise failed

    def _answer(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(self._addressed(request))
        try:
            response.read()
        finally:
            response.close()
        return response

    def _addressed(self, request: httpx.Request) -> httpx.Request:
        head, _, method = request.url.path.rpartition("/")
        url = request.url.copy_with(path=f"{head}/bot{self._token.get_secret_value()}/{method}")
        return httpx.Request(
            request.method, url, headers=request.headers, stream=request.stream, extensions=request.extensions
        )

    def close(self) -> None:
        self._inner.close()
