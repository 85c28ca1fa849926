"""The simulators behind a socket: one ASGI application that tells the services apart by the Host header."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .simulator import Simulator

Scope = dict[str, Any]
Receive = "Callable[[], Awaitable[dict[str, Any]]]"
Send = "Callable[[dict[str, Any]], Awaitable[None]]"


class SimulatorServer:
    """Requests for a service's hosts go to its simulator; any other host is a person, who sees the gallery."""

    def __init__(self, simulators: Mapping[str, Simulator]) -> None:
        self.by_host = {host: simulator for simulator in simulators.values() for host in simulator.hosts}
        self.pages = simulators["upload-post"]

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        request = await _request(scope, receive)
        simulator = self.by_host.get(request.url.host, self.pages)
        response = await asyncio.to_thread(simulator.handle, request)
        await send({"type": "http.response.start", "status": response.status_code, "headers": response.headers.raw})
        await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else response.content})


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
