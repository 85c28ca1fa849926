"""The files that an Edit names, brought to this machine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx
import stamina
from django.conf import settings

from myloware.kernel.errors import ProviderRefused, ProviderUnavailable, UnprocessableInput

from .http import DOWNLOAD_S, MAX_DOWNLOAD_BYTES, UNPACKED, Endless, blocks
from .store import store
from .transports import PublicTransport

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

TIMEOUT_S = 60
HEAD_BYTES = 64
# How files begin that a film is made of. FFmpeg goes by contents, and would follow a list of other files.
KIND = re.compile(
    rb"....ftyp|\x1aE\xdf\xa3|RIFF....WEBP|RIFF....WAVE|OggS|fLaC|ID3|\xff[\xe2-\xff]"  # sound and film, and WebP
    rb"|\x89PNG|\xff\xd8\xff|GIF8"  # pictures
    rb"|\x00\x01\x00\x00|OTTO|true|ttcf|wOF[F2]"  # fonts
    rb"|(\xef\xbb\xbf)?\s*(WEBVTT|\d+\s*\r?\n\s*\d+:)",  # captions
    re.DOTALL,
)
# What the store calls its files; there is no way out of it.
NAME = re.compile(r"[0-9a-f]{2}/[0-9a-f]{64}(\.[a-z0-9]{1,5})?")


def fetch(url: str, target: Path, check: Callable[[], None], held: ExitStack) -> Path:
    """The file at ``url``: one of our media store as long as it is ``held``, any other copied to ``target``.

    ``check`` is called between blocks and may raise. Raises UnprocessableInput for an address that is neither ours nor
    a public https one, or has no such file, ProviderUnavailable when it does not answer, and what the store raises.
    """
    name = _own(url)
    if name:
        return held.enter_context(store().local(name))
    if not url.startswith("https://"):
        raise UnprocessableInput(f"{url} is neither a file of ours nor at a public https address.")
    way = PublicTransport()
    with httpx.Client(transport=way, timeout=TIMEOUT_S, follow_redirects=False, headers=UNPACKED) as client:
        for attempt in stamina.retry_context(on=ProviderUnavailable, attempts=4):
            with attempt:
                _download(client, url, target, check)
    return target


def _own(url: str) -> str:
    """The name of a file in our media store; empty for a URL that is not ours."""
    bases = (f"{settings.WEBHOOK_BASE_URL}/media/", f"{settings.PUBLIC_BASE_URL}/media/")
    rest = next((url.removeprefix(base) for base in bases if url.startswith(base)), "")
    return rest if NAME.fullmatch(rest) else ""


def _download(client: httpx.Client, url: str, target: Path, check: Callable[[], None]) -> None:
    try:
        with client.stream("GET", url) as response, target.open("wb") as file:
            _look(url, response)
            for block in blocks(response, most_bytes=MAX_DOWNLOAD_BYTES, within_s=DOWNLOAD_S):
                check()
                file.write(block)
    except (ProviderRefused, Endless, httpx.InvalidURL) as error:
        raise UnprocessableInput(f"{url} cannot be had: {error}") from error
    except httpx.HTTPError as error:
        raise ProviderUnavailable(f"{url} does not answer ({type(error).__name__}).") from error
    with target.open("rb") as file:
        if not KIND.match(file.read(HEAD_BYTES)):
            raise UnprocessableInput(f"{url} is no video, picture, sound, font or captions.")


def _look(url: str, response: httpx.Response) -> None:
    if response.status_code >= 500 or response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise ProviderUnavailable(f"{url} answers {response.status_code}.")
    if response.status_code != httpx.codes.OK:
        raise UnprocessableInput(f"{url} cannot be had: the answer is {response.status_code}.")
