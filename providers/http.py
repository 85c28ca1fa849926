"""Every outbound request to a provider goes through here.

A request is repeated only when that is safe: a GET, a POST the service did not take (connection refused, 429), or one
that carries an idempotency key. An answer that was lost after the request was sent is ``OutcomeUnknown``. A service
that fails again and again is left alone for a while, by all workers.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import timedelta
    from pathlib import Path

    from .shared import Shared

TIMEOUT = httpx.Timeout(connect=5, read=60, write=120, pool=5)
ATTEMPTS = 5
MAX_WAIT_S = 32
MAX_RETRY_AFTER_S = 3600.0
MAX_DOWNLOAD_BYTES = 2_000_000_000
EXCERPT = 500

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
    wait, for services that say it elsewhere.
    """

    name: str
    base_url: str
    headers: Mapping[str, str]
    hosts: frozenset[str]
    status_of: Callable[[httpx.Response], int] = lambda response: response.status_code
    retry_after_of: Callable[[httpx.Response], float | None] = retry_after_s

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
        self._shared = shared
        self._attempts = attempts
        self._breaker = Breaker(service.name, shared)
        if not service.owns(service.base_url):
            raise Misconfigured(f"{service.name}: {service.base_url} is not one of its hosts; mend its base URL.")
        self._http = httpx.Client(transport=transport, timeout=timeout, follow_redirects=False)

    def close(self) -> None:
        """Ends the kept connections."""
        self._http.close()

    def get(self, path: str, **query: str | int) -> httpx.Response:
        """The answer to a GET, repeated while the service is not available."""
        return self._repeated("GET", path, params=query)

    def remembered(self, path: str, *, fresh_s: int, **query: str | int) -> bytes:
        """The body of the answer to a GET, which may be as old as ``fresh_s``: for facts that seldom change."""
        key = f"answer:{self.service.name}:{httpx.URL(path, params=query)}"
        known = self._shared.get(key)
        if isinstance(known, bytes):
            return known
        content = self.get(path, **query).content
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
        name = self.service.name
        try:
            response = self._http.request(method, self.service.base_url + path, headers=headers, **content)
        except _NOT_SENT as error:
            raise ProviderUnavailable(f"{name} cannot be reached ({type(error).__name__}).", provider=name) from error
        except httpx.HTTPError as error:
            lost = ProviderUnavailable if safe else OutcomeUnknown
            raise lost(f"{name} did not answer ({type(error).__name__}).", provider=name) from error
        self._check(response, safe=safe)
        return response

    def _check(self, response: httpx.Response, *, safe: bool) -> None:
        status, name = self.service.status_of(response), self.service.name
        detail = {"provider": name, "status": status, "answer": _excerpt(response.text)}
        if status == httpx.codes.TOO_MANY_REQUESTS:
            wait_s = self.service.retry_after_of(response)
            wait_s = None if wait_s is None else min(wait_s, MAX_RETRY_AFTER_S)
            raise RateLimited(f"{name} takes no more requests now.", retry_after_s=wait_s, **detail)
        if status >= 500:
            lost = ProviderUnavailable if safe else OutcomeUnknown
            raise lost(f"{name} answered {status}.", **detail)
        if status >= 300:
            raise ProviderRefused(f"{name} refused: {status} {reason(response)}", **detail)

    def download(self, url: str, target: Path, *, content_types: tuple[str, ...] = ("video/",)) -> Path:
        """Fetches a result file to ``target``; only from the service's hosts, of these types, up to 2 GB."""
        if not self.service.owns(url):
            raise ProviderRefused(
                f"{self.service.name} named a file that is not at an https address of its own.", url=url[:EXCERPT]
            )
        draft = target.with_suffix(f".part{os.getpid()}")
        for attempt in self._tries():
            with attempt:
                self._stream(url, draft, content_types)
        return draft.replace(target)

    def _stream(self, url: str, draft: Path, content_types: tuple[str, ...]) -> None:
        name = self.service.name
        try:
            with self._http.stream("GET", url) as response, draft.open("wb") as file:
                if response.status_code != httpx.codes.OK:
                    raise _no_file(name, response.status_code)
                if not response.headers.get("Content-Type", "").startswith(content_types):
                    raise ProviderRefused(f"{name}'s file is {response.headers.get('Content-Type')}, not a video.")
                for block in response.iter_bytes():
                    file.write(block)
                    if file.tell() > MAX_DOWNLOAD_BYTES:
                        raise ProviderRefused(f"{name}'s file is larger than {MAX_DOWNLOAD_BYTES} bytes.")
        except httpx.HTTPError as error:
            raise ProviderUnavailable(f"{name}'s file did not arrive ({type(error).__name__}).") from error


def reason(response: httpx.Response) -> str:
    """What the body says went wrong, in the spellings the vendors use; else an excerpt of it."""
    try:
        body = response.json()
    except ValueError:
        return _excerpt(response.text)
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        body = body["error"]
    for key in ("msg", "message", "error", "detail", "description"):
        if isinstance(body, dict) and body.get(key):
            return _excerpt(str(body[key]))
    return _excerpt(str(body))


def _excerpt(text: str) -> str:
    """The beginning of an answer; some services repeat what they were sent, keys included."""
    return redact(text)[:EXCERPT]


def _no_file(name: str, status: int) -> ProviderError:
    kind = ProviderUnavailable if status >= 500 or status == 429 else ProviderRefused
    return kind(f"{name} answered {status} instead of the file.", status=status)


def _wait_before_repeating(error: Exception) -> bool | float | timedelta:
    """Whether to repeat: not when refused or unknown; when the service names a time, then, unless it is far away."""
    if isinstance(error, RateLimited) and error.retry_after_s is not None:
        return error.retry_after_s <= MAX_WAIT_S and error.retry_after_s
    return isinstance(error, (RateLimited, ProviderUnavailable)) and not isinstance(error, CircuitOpen)
