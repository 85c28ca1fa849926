"""Serves the media store: clips to the renderer, films to browsers. Names are content hashes: answers never change."""

from __future__ import annotations

import asyncio
import mimetypes
import re
from typing import TYPE_CHECKING

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse

from .store import absolute

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from django.http.response import HttpResponseBase

BLOCK_BYTES = 256 * 1024
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


async def media(request: HttpRequest, folder: str, name: str) -> HttpResponseBase:
    """A stored file, whole or one byte range (RFC 9110, 14.2); Safari plays no video without ranges."""
    if request.method not in {"GET", "HEAD"}:
        return HttpResponse(status=405, headers={"Allow": "GET, HEAD"})
    file = absolute(f"{folder}/{name}")
    if not file.is_file():
        raise Http404
    size = file.stat().st_size
    span = _span(request.headers.get("Range", ""), size)
    first, last = span or (0, size - 1)
    if first >= size > 0:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "public, max-age=31536000, immutable",
        "Content-Length": str(last - first + 1),
        "Content-Type": mimetypes.guess_type(name)[0] or "application/octet-stream",
    }
    if span:
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    if request.method == "HEAD":
        return HttpResponse(headers=headers)
    return StreamingHttpResponse(_blocks(file, first, last), status=206 if span else 200, headers=headers)


def _span(header: str, size: int) -> tuple[int, int] | None:
    """First and last byte asked for; None for the whole file (no range, or one that is malformed)."""
    match = _RANGE.fullmatch(header.strip())
    if not match or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size - 1
    return int(first), min(int(last) if last else size - 1, size - 1)


async def _blocks(file: Path, first: int, last: int) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(file.open, "rb") as stream:
        stream.seek(first)
        left = last - first + 1
        while left > 0 and (block := await asyncio.to_thread(stream.read, min(BLOCK_BYTES, left))):
            left -= len(block)
            yield block
