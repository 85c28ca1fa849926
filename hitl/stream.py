"""Brendan's answer as server-sent events, while he makes it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse
from rest_framework.renderers import JSONRenderer

from myloware.kernel.logging import log_context
from myloware.kernel.requests import exception_handler, request_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from rest_framework.request import Request

    from personas.brendan.chat import Hear, Reply

    Turn = Callable[..., Reply]

# Proxies cut a connection on which nothing comes for a minute.
QUIET_S = 15

EVENTS = """\
Server-sent events (`event:` and one line of JSON in `data:`), in this order:

- `token` `{"message", "text"}`: a piece of what Brendan says; pieces of the same `message` belong together, and a \
message that is followed by a `tool` was only the way to the answer.
- `tool` `{"id", "name", "status"}`: a tool call has `started`, has `finished`, or was `refused`.
- at the end, once, `answer` `{"response", "run_ids", "citations"}`: what would have been answered without streaming; \
or `error` `{"error": {"code", "message", "requestId", "detail"?}}`: why there is no answer.

Lines that begin with a colon only keep the connection open. Who hangs up loses nothing: the answer is finished, and \
is part of the conversation."""


class EventStream(JSONRenderer):
    """Lets ``Accept: text/event-stream`` choose the stream; events are framed here, errors before them are JSON."""

    media_type = "text/event-stream"
    format = "stream"


def streamed(turn: Turn, request: Request) -> StreamingHttpResponse:
    """The response that plays ``turn``, which takes a ``hear``, and tells its events and how it ended."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(_events(turn, request), content_type=EventStream.media_type, headers=headers)


async def _events(turn: Turn, request: Request) -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    heard: asyncio.Queue[str | None] = asyncio.Queue()

    def hear(name: str, data: dict[str, Any]) -> None:
        loop.call_soon_threadsafe(heard.put_nowait, f"event: {name}\ndata: {json.dumps(data)}\n\n")

    # In the request's own thread, as every view: it has the connection to the database.
    playing = asyncio.create_task(sync_to_async(_play)(turn, hear, request))
    playing.add_done_callback(lambda _: heard.put_nowait(None))
    try:
        while (event := await _next(heard)) is not None:
            yield event
    finally:
        # Also when the caller has hung up: what was paid for is kept, and what was proposed is known.
        await playing


async def _next(heard: asyncio.Queue[str | None]) -> str | None:
    try:
        return await asyncio.wait_for(heard.get(), QUIET_S)
    except TimeoutError:
        return ": still here\n\n"


def _play(turn: Turn, hear: Hear, request: Request) -> None:
    with log_context(requestId=request_id(request)):
        try:
            hear("answer", turn(hear=hear).model_dump(mode="json"))
        except Exception as error:
            response = exception_handler(error, {"request": request})
            hear("error", response.data if response else {})
