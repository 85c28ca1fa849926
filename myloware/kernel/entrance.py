"""What stands before Django: how large a body may be, how long it may take, and how many requests work at once.

Django writes a body to its end to the disk before any view can refuse it, and every request that works has a database
connection of its own; uvicorn limits neither. Strangers may send anything, so both have an end here.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from .errors import Busy, MylowareError, TooLarge, TooSlow

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Scope = dict[str, Any]
    Message = Mapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BYTES = 1_000_000
# Read and thrown away, so that whoever sent a little too much hears why instead of a broken connection.
HEARD_BYTES = 16_000_000
# Of all bodies together, read and waiting.
HELD_BYTES = 200_000_000
BODY_S = 30.0
# The embedded PostgreSQL has 100 connections, for workers too.
AT_ONCE = 32
# For a place. Whoever calls us has given up soon after.
WAIT_S = 10.0
WATCHES = frozenset({"GET", "HEAD"})
BUSY = "Too many requests are waiting; try again in a moment."


class Entrance:
    """An ASGI application in front of another. Answers 413, 408 or 503 itself, in the API's shape.

    ``at_once`` requests work, the others wait. Who only watches (a stream of events, a film) holds no place once the
    answer has begun; an answer that is being made while it is sent holds one to its end.
    ``held`` bytes of bodies are kept in all.
    """

    def __init__(
        self,
        app: App,
        *,
        body_s: float = BODY_S,
        wait_s: float = WAIT_S,
        at_once: int = AT_ONCE,
        held: int = HELD_BYTES,
    ) -> None:
        self._app = app
        self._body_s = body_s
        self._wait_s = wait_s
        self._places = asyncio.Semaphore(at_once)
        self._room = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = bytearray()
        try:
            if await self._read(receive, body):
                await self._serve(scope, _again(bytes(body), receive), send)
        except MylowareError as error:
            await _refuse(send, error)
        finally:
            self._room += len(body)

    async def _read(self, receive: Receive, body: bytearray) -> bool:
        """Reads the whole body; False when the caller has gone."""
        try:
            async with asyncio.timeout(self._body_s):
                return await self._gathered(receive, body)
        except TimeoutError as error:
            raise TooSlow(f"The body did not arrive within {self._body_s:g} s.") from error

    async def _gathered(self, receive: Receive, body: bytearray) -> bool:
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return False
            block, more = message.get("body", b""), message.get("more_body", False)
            size += len(block)
            if size > HEARD_BYTES:
                break
            if size <= MAX_BYTES:
                self._hold(body, block)
        if size > MAX_BYTES:
            raise TooLarge(f"A body may have {MAX_BYTES} bytes at most.")
        return True

    def _hold(self, body: bytearray, block: bytes) -> None:
        if len(block) > self._room:
            raise Busy(BUSY)
        self._room -= len(block)
        body += block

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(self._wait_s):
                await self._places.acquire()
        except TimeoutError as error:
            raise Busy(BUSY) from error
        with ExitStack() as place:
            place.callback(self._places.release)

            async def answer(message: Message) -> None:
                if scope["method"] in WATCHES:
                    place.close()
                await send(message)

            await self._app(scope, receive, answer)


def _again(body: bytes, receive: Receive) -> Receive:
    """Says the body once, then whatever comes."""
    told = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def replay() -> Message:
        return next(told, None) or await receive()

    return replay


async def _refuse(send: Send, error: MylowareError) -> None:
    told = {"code": error.code, "message": error.message, "requestId": uuid.uuid4().hex}
    body = json.dumps({"error": told}).encode()
    # What is left of the body is not wanted.
    headers = [
        (b"content-type", b"application/json"),
        (b"connection", b"close"),
        (b"content-length", b"%d" % len(body)),
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
