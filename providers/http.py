"""Every outbound request to a provider goes through here.

A request is repeated only when that is safe: a GET, a POST the service did not take (connection refused, 429), or one
that carries an idempotency key. An answer that was lost after the request was sent is ``OutcomeUnknown``. A service
that fails again and again is left alone for a while, by all workers.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import stamina

from myloware.kernel.errors import (
    Misconfigured,
    OutcomeUnknown,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
    RateLimited,
)
from myloware.kernel.logging import redact

from .breaker import Breaker, CircuitOpen
from .callbacks import body_json, storable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import timedelta
    from pathlib import Path

    from .shared import Shared

TIMEOUT = httpx.Timeout(connect=5, read=60, write=120, pool=5)
ATTEMPTS = 5
MAX_WAIT_S = 32
MAX_RETRY_AFTER_S = 3600.0
MAX_DOWNLOAD_BYTES = 2_000_000_000
# A task has 15 minutes.
DOWNLOAD_S = 600
# Far more than any of them says; without an end an answer fills the memory.
MAX_ANSWER_BYTES = 16_000_000
ANSWER_S = 90
# A thousand bytes out of one at most. Zstandard makes gigabytes out of what is read at once.
PACKED = frozenset({"", "identity", "gzip"})
UNPACKED = {"Accept-Encoding": "gzip, identity"}
EXCERPT = 500
# A shorter key is not looked for in answers: it would be found in words.
MIN_KEY = 8

# The request never left: nothing was taken.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


def retry_after_s(response: httpx.Response) -> float | None:
    """When a service that is busy wants to be asked again: ``Retry-After`` in seconds."""
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else None


@dataclass(frozen=True)
class Service:
    """Where a service is, and how it is told who we are. ``hosts`` are all it may be reached at or send files from.

    ``status_of`` is the HTTP status that counts, and ``retry_after_of`` the seconds that a busy service asks us to
    wait, for services that say it elsewhere. ``title`` is what people call the service, and ``advice`` what they can
    do, by the status with which it refuses.
    """

    name: str
    base_url: str
    headers: Mapping[str, str]
    hosts: frozenset[str]
    status_of: Callable[[httpx.Response], int] = lambda response: response.status_code
    retry_after_of: Callable[[httpx.Response], float | None] = retry_after_s
    title: str = ""
    advice: Mapping[int, str] = field(default_factory=dict)

    def owns(self, url: str) -> bool:
        """Whether a URL is plainly at one of its hosts: https, the usual port, no credentials."""
        return any(f"{url}/".startswith(f"https://{host}/") for host in self.hosts)


class Client:
    """HTTP for one service. ``transport`` is the seam between mock, local and live; ``shared`` is all workers' memory.

    ``attempts`` is 1 where somebody else repeats. Raises ``Misconfigured`` when the base URL is not at one of the
    service's hosts.
    """

    def __init__(
        self,
        service: Service,
        transport: httpx.BaseTransport,
        shared: Shared,
        *,
        timeout: httpx.Timeout = TIMEOUT,
        attempts: int = ATTEMPTS,
    ) -> None:
        self.service = service
        self._title = service.title or service.name
        self._shared = shared
        self._attempts = attempts
        self._breaker = Breaker(service.name, shared, self._title)
        if not service.owns(service.base_url):
            raise Misconfigured(f"{service.name}: {service.base_url} is not one of its hosts; mend its base URL.")
        if not all(value.isascii() and value.isprintable() for value in service.headers.values()):
            raise Misconfigured(f"{service.name}: its key has a character that cannot be sent, a line break perhaps.")
        self._http = httpx.Client(transport=transport, timeout=timeout, follow_redirects=False, headers=UNPACKED)

    def close(self) -> None:
        """Ends the kept connections."""
        self._http.close()

    def get(self, path: str, **query: str | int) -> httpx.Response:
        """The answer to a GET, repeated while the service is not available."""
        return self._repeated("GET", path, params=query)

    def remembered(self, path: str, *, fresh_s: int, **query: str | int) -> str:
        """The body of the answer to a GET, which may be as old as ``fresh_s``: for facts that seldom change."""
        key = f"answer:{self.service.name}:{httpx.URL(path, params=query)}"
        known = self._shared.get(key)
        if isinstance(known, str):
            return known
        content = self.get(path, **query).text
        self._shared.put(key, content, fresh_s)
        return content

    def post(self, path: str, *, idempotent: bool = False, **content: Any) -> httpx.Response:
        """The answer to a POST; ``content`` is httpx's (json, data, files, headers)."""
        return self._repeated("POST", path, idempotent=idempotent, **content)

    def _repeated(self, method: str, path: str, *, idempotent: bool = False, **content: Any) -> httpx.Response:
        safe = method == "GET" or idempotent
        for attempt in self._tries():
            with attempt:
                return self._once(method, path, safe=safe, **content)
        raise AssertionError("unreachable: stamina re-raises the last error")

    def _tries(self) -> Iterable[stamina.Attempt]:
        return stamina.retry_context(
            on=_wait_before_repeating, attempts=self._attempts, wait_initial=1, wait_max=MAX_WAIT_S
        )

    def _once(self, method: str, path: str, *, safe: bool, **content: Any) -> httpx.Response:
        self._breaker.check()
        try:
            response = self._sent(method, path, safe=safe, **content)
        except (ProviderUnavailable, OutcomeUnknown):
            self._breaker.failed()
            raise
        except ProviderRefused:
            # It works, and said so.
            self._breaker.worked()
            raise
        self._breaker.worked()
        return response

    def _sent(self, method: str, path: str, *, safe: bool, **content: Any) -> httpx.Response:
        headers = {**self.service.headers, **content.pop("headers", {})}
        name, title = self.service.name, self._title
        try:
            with self._http.stream(method, self.service.base_url + path, headers=headers, **content) as answer:
                response = _whole(answer)
        except _NOT_SENT as error:
            raise ProviderUnavailable(f"{title} cannot be reached ({type(error).__name__}).", provider=name) from error
        except httpx.HTTPError as error:
            lost = ProviderUnavailable if safe else OutcomeUnknown
            raise lost(f"{title} did not answer ({type(error).__name__}).", provider=name) from error
        self._check(response, safe=safe)
        return response

    def _check(self, response: httpx.Response, *, safe: bool) -> None:
        status, title = self.service.status_of(response), self._title
        if status < 300:
            return
        detail = {"provider": self.service.name, "status": status, "answer": self._without_key(response.text)[:EXCERPT]}
        told = self._without_key(_quoted(response))
        if status == httpx.codes.TOO_MANY_REQUESTS:
            wait_s = self.service.retry_after_of(response)
            wait_s = None if wait_s is None else min(wait_s, MAX_RETRY_AFTER_S)
            raise RateLimited(f"{title} takes no more requests now{told}", retry_after_s=wait_s, **detail)
        if status >= 500:
            lost = ProviderUnavailable if safe else OutcomeUnknown
            raise lost(f"{title} answered {status}{told}", **detail)
        advice = self.service.advice.get(status, "")
        raise ProviderRefused(f"{title} refused ({status}){told} {advice}".rstrip(), **detail)

    def _without_key(self, text: str) -> str:
        """``text`` as we may keep it: services repeat keys that they refuse."""
        for key in (value.rpartition(" ")[2] for value in self.service.headers.values()):
            text = text.replace(key, "[redacted]") if len(key) >= MIN_KEY else text
        return storable(redact(text))

    def download(self, url: str, target: Path) -> Path:
        """Fetches a result, an MP4 of up to 2 GB, to ``target``; only from the service's hosts."""
        if not self.service.owns(url):
            raise ProviderRefused(
                f"{self._title} named a file that is not at an https address of its own.", url=url[:EXCERPT]
            )
        draft = target.with_suffix(f".part{os.getpid()}")
        for attempt in self._tries():
            with attempt:
                self._stream(url, draft)
        if not _is_mp4(draft):
            raise ProviderRefused(f"{self._title}'s file is not an MP4, whatever it is called.")
        return draft.replace(target)

    def _stream(self, url: str, draft: Path) -> None:
        title = self._title
        try:
            with self._http.stream("GET", url) as response, draft.open("wb") as file:
                if response.status_code != httpx.codes.OK:
                    raise _no_file(title, response.status_code)
                kind = response.headers.get("Content-Type", "nothing")[:EXCERPT]
                if not kind.startswith("video/"):
                    raise ProviderRefused(f"{title}'s file is {kind}, not a video.")
                for block in blocks(response, most_bytes=MAX_DOWNLOAD_BYTES, within_s=DOWNLOAD_S):
                    file.write(block)
        except Endless as error:
            raise ProviderRefused(f"{title}'s file is larger than {MAX_DOWNLOAD_BYTES} bytes.") from error
        except httpx.InvalidURL as error:
            raise ProviderRefused(f"{title} named a file that has no proper address.") from error
        except httpx.HTTPError as error:
            raise ProviderUnavailable(f"{title}'s file did not arrive ({type(error).__name__}).") from error


class Endless(httpx.ReadError):
    """A body that does not end where it should. Its name is told: "did not answer (Endless)"."""


def blocks(response: httpx.Response, *, most_bytes: int, within_s: float) -> Iterator[bytes]:
    """The body, unpacked. Raises an ``httpx.HTTPError`` when it is too large, too slow, or packed as nobody asked."""
    packed = response.headers.get("Content-Encoding", "").strip().lower()
    if packed not in PACKED:
        raise httpx.DecodingError(f"packed with {packed[:EXCERPT]}")
    size, ends = 0, time.monotonic() + within_s
    for block in response.iter_bytes():
        size += len(block)
        if size > most_bytes:
            raise Endless(f"more than {most_bytes} bytes")
        if time.monotonic() > ends:
            raise httpx.ReadTimeout(f"not whole after {within_s:g} s")
        yield block


def _whole(answer: httpx.Response) -> httpx.Response:
    """An answer with its body. Of its headers only those that are read stay: others may say anything of the body."""
    content = b"".join(blocks(answer, most_bytes=MAX_ANSWER_BYTES, within_s=ANSWER_S))
    kept = {name: answer.headers[name] for name in ("Retry-After",) if name in answer.headers}
    return httpx.Response(answer.status_code, headers=kept, content=content)


def _is_mp4(file: Path) -> bool:
    """Whether the first box is that of the file's type (ISO/IEC 14496-12): FFmpeg follows lists of other files."""
    with file.open("rb") as stream:
        return stream.read(8)[4:] == b"ftyp"


def _reason(response: httpx.Response) -> str:
    """What the body says went wrong, in the spellings the vendors use; else an excerpt of it."""
    body = body_json(response.content)
    if not body and response.text.lstrip().startswith("<"):
        # A page is for browsers.
        return ""
    # OpenAI tells it one step further in.
    body = body["error"] if isinstance(body.get("error"), dict) else body
    keys = ("msg", "message", "error", "detail", "description")
    told = next((str(body[key]) for key in keys if body.get(key)), response.text)
    return ": ".join([told, *_particulars(body)])[:EXCERPT]


def _particulars(body: dict[str, Any]) -> list[str]:
    """What is wrong one by one: upload-post lists it as violations, Shotstack as details with their paths."""
    response = body.get("response")
    listed = body.get("violations") or (response.get("details") if isinstance(response, dict) else None)
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    return [" ".join(str(row[key]) for key in ("path", "message") if row.get(key)) for row in rows]


def _quoted(response: httpx.Response) -> str:
    """The reason as the end of a sentence that has begun."""
    words = _reason(response).strip().removesuffix(".")
    return f": {words}." if words else "."


def _no_file(title: str, status: int) -> ProviderError:
    kind = ProviderUnavailable if status >= 500 or status == 429 else ProviderRefused
    return kind(f"{title} answered {status} instead of the file.", status=status)


def _wait_before_repeating(error: Exception) -> bool | float | timedelta:
    """Whether to repeat: not when refused or unknown; when the service names a time, then, unless it is far away."""
    if isinstance(error, RateLimited) and error.retry_after_s is not None:
        return error.retry_after_s <= MAX_WAIT_S and error.retry_after_s
    return isinstance(error, (RateLimited, ProviderUnavailable)) and not isinstance(error, CircuitOpen)
