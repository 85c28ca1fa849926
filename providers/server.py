"""The simulators behind a socket: one ASGI application."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from myloware.kernel.errors import InvalidInput

from .dial import FOR_EVER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .dial import Dial
    from .simulator import Simulator

Scope = dict[str, Any]
Receive = "Callable[[], Awaitable[dict[str, Any]]]"
Send = "Callable[[dict[str, Any]], Awaitable[None]]"


class SimulatorServer:
    """Requests for a service's hosts go to its simulator.

    Under a host of ours the path tells them apart, for clients that are given a base URL, ``/dial`` turns the fault
    dial, and everything else is a person, who sees the gallery. Pages of others that this person's browser shows are
    refused, whether they come by their own name (DNS rebinding) or by ours.
    """

    def __init__(self, simulators: Mapping[str, Simulator]) -> None:
        self.by_host = {host: simulator for simulator in simulators.values() for host in simulator.hosts}
        self.simulators = simulators
        self.pages = simulators["upload-post"]
        self.own_hosts = frozenset({"localhost", "127.0.0.1", "::1", httpx.URL(self.pages.world.public_url).host})

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        try:
            response = await asyncio.to_thread(self.handle, await _request(scope, receive))
        except httpx.InvalidURL:
            response = httpx.Response(400, json={"message": "Bad Request"})
        await send({"type": "http.response.start", "status": response.status_code, "headers": response.headers.raw})
        blocks = iter(() if scope["method"] == "HEAD" else response.iter_bytes())
        while (block := await asyncio.to_thread(next, blocks, None)) is not None:
            await send({"type": "http.response.body", "body": block, "more_body": True})
        await send({"type": "http.response.body"})

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answers one request."""
        found = self.by_host.get(request.url.host)
        if found is None and not self._is_ours(request):
            return httpx.Response(403, json={"message": "Not under this name; set SIMULATORS_URL to use another."})
        if found is None and request.url.path == "/dial":
            return _turn(self.pages.world.dial, request)
        meant = found or next((each for each in self.simulators.values() if each.knows(request)), self.pages)
        return meant.handle(request)

    def _is_ours(self, request: httpx.Request) -> bool:
        origin = request.headers.get("Origin", "")
        from_here = not origin or origin == f"http://{request.headers['Host']}"
        return from_here and request.url.host in self.own_hosts


def _turn(dial: Dial, request: httpx.Request) -> httpx.Response:
    """``GET`` shows the dial, ``PUT {"faults": {"kieai": {"no_callback": 2}}, "time_scale": 0.1}`` turns it,
    ``DELETE`` sets everything right."""
    try:
        if request.method == "DELETE":
            dial.reset()
        elif request.method == "PUT":
            wanted = Position.model_validate_json(request.content)
            dial.turn(wanted.faults, time_scale=wanted.time_scale)
        elif request.method != "GET":
            return httpx.Response(405, json={"message": "GET, PUT or DELETE"})
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        return httpx.Response(400, json={"message": faults})
    except InvalidInput as error:
        return httpx.Response(400, json={"message": error.message})
    return httpx.Response(200, json=dial.shown())


class Position(BaseModel):
    """What a ``PUT /dial`` may say. A fault happens so many times, -1 is every time."""

    model_config = ConfigDict(extra="forbid")

    faults: dict[str, dict[str, Annotated[int, Field(ge=FOR_EVER)]]] = {}
    time_scale: float | None = Field(None, ge=0, le=100)


async def _request(scope: Scope, receive: Any) -> httpx.Request:
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    host = dict(headers).get("host", "localhost")
    query = scope["query_string"].decode("latin-1")
    url = httpx.URL(f"http://{host}{scope['raw_path'].decode('latin-1')}" + (f"?{query}" if query else ""))
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return httpx.Request(scope["method"], url, headers=headers, content=bytes(body))


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
