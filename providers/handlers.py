"""A service's handlers in this process: behind an httpx transport, or behind a socket (server)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from pathlib import Path

BLOCK_BYTES = 256 * 1024


class Handlers:
    """Answers requests; a subclass lists its routes."""

    def routes(self) -> dict[str, Callable[..., httpx.Response]]:
        """``"METHOD /path/<pattern>"`` (or ``ANY``) -> handler(request, **named groups)."""
        raise NotImplementedError

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answers one request."""
        found = self._route(request)
        if found is None:
            return httpx.Response(404, json={"message": "Not Found"})
        handler, groups = found
        return handler(request, **groups)

    def knows(self, request: httpx.Request) -> bool:
        """Whether one of the routes is meant."""
        return self._route(request) is not None

    def _route(self, request: httpx.Request) -> tuple[Callable[..., httpx.Response], dict[str, Any]] | None:
        for route, handler in self.routes().items():
            method, pattern = route.split(" ", 1)
            match = re.fullmatch(pattern, request.url.path)
            if match and method in {request.method, "ANY"}:
                return handler, match.groupdict()
        return None


class InProcessTransport(httpx.BaseTransport):
    """Hosts a service in this process."""

    def __init__(self, service: Handlers) -> None:
        self.service = service

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        return self.service.handle(request)


@dataclass(frozen=True)
class Film:
    """A file, read while it is sent."""

    size: int
    blocks: Callable[[range], Iterator[bytes]]


def on_disk(file: Path) -> Film | None:
    """A file of this machine, if it is there."""
    return Film(file.stat().st_size, partial(_blocks, file)) if file.is_file() else None


def video(request: httpx.Request, film: Film | None) -> httpx.Response:
    """An MP4, whole or the byte range that is asked for; 404 without one."""
    if film is None:
        return httpx.Response(404, json={"message": "Not Found"})
    size = film.size
    headers = {"Content-Type": "video/mp4", "Accept-Ranges": "bytes"}
    match = re.fullmatch(r"bytes=([0-9]{1,18})-([0-9]{0,18})", request.headers.get("Range", ""))
    if not match or int(match[1]) >= size:
        return httpx.Response(200, content=film.blocks(range(size)), headers=headers | {"Content-Length": str(size)})
    first, last = int(match[1]), min(int(match[2] or size - 1), size - 1)
    headers |= {"Content-Range": f"bytes {first}-{last}/{size}", "Content-Length": str(last - first + 1)}
    return httpx.Response(206, content=film.blocks(range(first, last + 1)), headers=headers)


def _blocks(file: Path, span: range) -> Iterator[bytes]:
    with file.open("rb") as stream:
        stream.seek(span.start)
        left = len(span)
        while left > 0 and (block := stream.read(min(BLOCK_BYTES, left))):
            left -= len(block)
            yield block
