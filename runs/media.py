"""Serves the media store: clips to the renderer, films to browsers. Names are content hashes: answers never change.

The files of a bucket are passed through. Every service, browser and stand-in then has one address that works for good,
wherever the bucket is; whoever follows no redirect, as we do not, gets the file all the same.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from django.core.handlers.asgi import ASGIRequest
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from myloware.kernel.errors import StoreUnavailable

from . import store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from django.http.response import HttpResponseBase

RETRY_S = 15
# Twenty digits are more than any file has bytes.
_RANGE = re.compile(r"bytes=([0-9]{0,20})-([0-9]{0,20})", re.IGNORECASE)
_SHOWN = ("video/", "audio/", "image/jpeg", "image/png", "image/webp")


@require_safe
def media(request: HttpRequest, folder: str, name: str) -> HttpResponseBase:
    """A stored file, whole or one byte range (RFC 9110, 13 and 14); Safari plays no video without ranges."""
    path = f"{folder}/{name}"
    if not store.PATH.fullmatch(path):
        raise Http404
    try:
        size = store.backend().size(path)
    except FileNotFoundError:
        raise Http404 from None
    except StoreUnavailable as error:
        return HttpResponse(error.message, "text/plain", 503, headers={"Retry-After": str(RETRY_S)})
    etag = f'"{PurePath(path).stem}"'
    facts = _facts(path, etag)
    whole = HttpResponse(headers=facts | {"Content-Length": str(size)})
    answer = get_conditional_response(request, etag, response=whole) or whole
    if answer is not whole or request.method == "HEAD":
        return answer
    return _content(request, path, size, _span(request, size, etag), facts)


def _facts(path: str, etag: str) -> dict[str, str]:
    kind = store.content_type(path)
    return {
        "Accept-Ranges": "bytes",
        "Cache-Control": "public, max-age=31536000, immutable",
        "Content-Disposition": "inline" if kind.startswith(_SHOWN) else "attachment",
        "Content-Type": kind,
        "ETag": etag,
    }


def _content(request: HttpRequest, path: str, size: int, span: range | None, facts: dict[str, str]) -> HttpResponseBase:
    if span is not None and not span:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    sent = range(size) if span is None else span
    headers = facts | {"Content-Length": str(len(sent))}
    if span:
        headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{size}"
    blocks = store.backend().blocks(path, sent)
    # Django reads an iterator of the other kind to its end before it sends anything.
    content = _in_threads(blocks) if isinstance(request, ASGIRequest) else blocks
    return StreamingHttpResponse(content, status=206 if span else 200, headers=headers)


def _span(request: HttpRequest, size: int, etag: str) -> range | None:
    """The bytes that are asked for, none if the file has none of them; None: the whole file."""
    if request.headers.get("If-Range", etag) != etag:
        return None
    return span_of(request.headers.get("Range", ""), size)


def span_of(header: str, size: int) -> range | None:
    """The bytes that a ``Range`` names, none if the file has none of them.

    None when it is to be ignored: absent, malformed, or of several parts, which nobody has to serve.
    """
    match = _RANGE.fullmatch(header.strip())
    if not match or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        return range(max(0, size - int(last)), size)
    if last and int(last) < int(first):
        return None
    return range(int(first), min(int(last) + 1, size) if last else size)


async def _in_threads(blocks: Iterator[bytes]) -> AsyncIterator[bytes]:
    while block := await asyncio.to_thread(next, blocks, b""):
        yield block
