"""The files that an Edit names, brought to this machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import stamina
from django.conf import settings

from myloware.kernel.errors import ProviderRefused, ProviderUnavailable, UnprocessableInput

from .transports import PublicTransport

if TYPE_CHECKING:
    from collections.abc import Callable

TIMEOUT_S = 60
MAX_BYTES = 2_000_000_000
# A name that we gave: no way out of the folder.
NAME = re.compile(r"[\w-]+/[\w-]+\.\w+")


def fetch(url: str, target: Path, check: Callable[[], None]) -> Path:
    """The file at ``url``: one of our media store where it lies, any other copied to ``target``.

    ``check`` is called between blocks and may raise. Raises UnprocessableInput for an address that is neither ours nor
    a public https one, or has no such file, and ProviderUnavailable when it does not answer.
    """
    name = _own(url)
    if name and (Path(settings.MEDIA_ROOT) / name).is_file():
        return Path(settings.MEDIA_ROOT) / name
    if not name and not url.startswith("https://"):
        raise UnprocessableInput(f"{url} is neither a file of ours nor at a public https address.")
    # What the web process has and this machine's disk has not comes from there, though its address may be private.
    way = httpx.HTTPTransport() if name else PublicTransport()
    with httpx.Client(transport=way, timeout=TIMEOUT_S, follow_redirects=False) as client:
        for attempt in stamina.retry_context(on=ProviderUnavailable, attempts=4):
            with attempt:
                _download(client, url, target, check)
    return target


def _own(url: str) -> str:
    """The name of a file below the media root; empty for a URL that is not ours."""
    bases = (f"{settings.WEBHOOK_BASE_URL}/media/", f"{settings.PUBLIC_BASE_URL}/media/")
    rest = next((url.removeprefix(base) for base in bases if url.startswith(base)), "")
    return rest if NAME.fullmatch(rest) else ""


def _download(client: httpx.Client, url: str, target: Path, check: Callable[[], None]) -> None:
    try:
        with client.stream("GET", url) as response, target.open("wb") as file:
            _look(url, response)
            for block in response.iter_bytes():
                check()
                file.write(block)
                if file.tell() > MAX_BYTES:
                    raise UnprocessableInput(f"{url} is larger than {MAX_BYTES} bytes.")
    except ProviderRefused as error:
        raise UnprocessableInput(error.message) from error
    except httpx.HTTPError as error:
        raise ProviderUnavailable(f"{url} does not answer ({type(error).__name__}).") from error


def _look(url: str, response: httpx.Response) -> None:
    if response.status_code >= 500 or response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise ProviderUnavailable(f"{url} answers {response.status_code}.")
    if response.status_code != httpx.codes.OK:
        raise UnprocessableInput(f"{url} cannot be had: the answer is {response.status_code}.")
