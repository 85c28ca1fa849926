"""The world outside: the simulators with media from stock, and the way callbacks take; both misbehave as ordered.

``python -m myloware.chaos.outside PORT WEB_PORT ORDER``
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import threading
import time
from functools import partial
from typing import Any

import django
import httpx
import uvicorn

from .order import Order, chance

LATEST_S = 4.0
# Of every clip and film, in pixels, seconds and frames per second; no platform takes smaller ones.
SIZE, FILM_S, FPS = (360, 640), 1.0, 30
_JSON = {"content-type": "application/json"}


class Outside:
    """An ASGI application: providers' hosts go to the simulators, ``/v1/webhooks`` and ``/media`` on to the web."""

    def __init__(self, order: Order, web_url: str, simulators: Any) -> None:
        self.order = order
        self.web = httpx.Client(base_url=web_url, timeout=30, trust_env=False)
        self.simulators = simulators
        self.hosts = simulators.by_host
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self.simulators(scope, receive, send)
            return
        body = await _body(receive)
        if scope["path"].startswith("/v1/webhooks/"):
            await asyncio.to_thread(self._call_back, scope, body)
            await _answer(send, 200, b"{}")
        elif scope["path"].startswith("/media/"):
            found = await asyncio.to_thread(self.web.get, scope["path"])
            await _answer(send, found.status_code, found.content, "video/mp4")
        else:
            await self._provide(scope, body, send)

    # --- Providers

    async def _provide(self, scope: dict[str, Any], body: bytes, send: Any) -> None:
        request = f"{scope['method']} {scope['path']}"
        fault = self._storm(request, body)
        if fault == 429:
            await _answer(send, 429, b"{}", extra=((b"retry-after", b"1"),))
            return
        answers: list[Any] = []

        async def keep(message: Any) -> None:
            answers.append(message)

        await self.simulators(scope, _replayed(body), keep)
        if fault:
            # The service did what it was asked to; its answer is lost.
            await _answer(send, 502, b"{}")
            return
        for message in answers:
            await send(message)

    def _storm(self, request: str, body: bytes) -> int:
        what = f"{request} {hashlib.sha256(body).hexdigest()} {self._count(request)}"
        if not self.order.hits("storm", what):
            return 0
        return 429 if chance(self.order.seed, f"kind {what}") < 0.5 else 500

    def _count(self, request: str) -> int:
        with self._lock:
            self._counts[request] = self._counts.get(request, 0) + 1
            return self._counts[request]

    # --- Callbacks

    def _call_back(self, scope: dict[str, Any], body: bytes) -> None:
        """Answers the sender as if all were well, and passes on what the order leaves of it."""
        what = hashlib.sha256(scope["query_string"] + body).hexdigest()
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        url = f"{scope['path']}?{scope['query_string'].decode()}"
        if self.order.hits("forge", what):
            self._later(f"forge {what}", scope["path"], body + b" ", _JSON)
        if self.order.hits("drop", what):
            return
        copies = 1 + int(4 * chance(self.order.seed, f"copies {what}")) if self.order.hits("double", what) else 1
        for copy in range(copies):
            self._later(f"{copy} {what}" if copies > 1 else "", url, body, headers)

    def _later(self, what: str, url: str, body: bytes, headers: dict[str, str]) -> None:
        delay_s = LATEST_S * chance(self.order.seed, f"delay {what}") if what else 0
        threading.Thread(target=self._deliver, args=(delay_s, url, body, headers), daemon=True).start()

    def _deliver(self, delay_s: float, url: str, body: bytes, headers: dict[str, str]) -> None:
        time.sleep(delay_s)
        kept = {name: value for name, value in headers.items() if name.lower() not in {"host", "content-length"}}
        try:
            self.web.post(url, content=body, headers=kept)
        except httpx.HTTPError:
            # The web process is being broken too; a callback that finds nobody is a lost one.
            return


async def _body(receive: Any) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


def _replayed(body: bytes) -> Any:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def _answer(
    send: Any, status: int, body: bytes, content_type: str = "application/json", extra: tuple[Any, ...] = ()
) -> None:
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode()), *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _with_stock(simulators: dict[str, Any]) -> dict[str, Any]:
    """Lets them hand out one film for every clip and render: making new ones takes most of the time, and nobody looks.

    Each copy ends with a box of its own, so that no two files are the same.
    """
    from providers.media.synth import synthesise

    for simulator in (simulators["kieai"], simulators["shotstack"]):
        film = simulator.path("stock.mp4")
        synthesise("A paper boat", film, width_px=SIZE[0], height_px=SIZE[1], duration_s=FILM_S, fps=FPS)
        simulator.work = partial(_hand_out, simulator, film.read_bytes())
    return simulators


def _hand_out(simulator: Any, film: bytes, job: Any) -> dict[str, Any]:
    note = job["id"].encode()
    box = (8 + len(note)).to_bytes(4, "big") + b"free" + note
    simulator.path(f"{job['id']}.mp4").write_bytes(film + box)
    return {"duration": FILM_S}


def main() -> None:
    port, web_port, order = sys.argv[1:]
    django.setup()
    from providers import registry
    from providers.server import SimulatorServer

    simulators = SimulatorServer(_with_stock(registry.simulators(tiny=True)))
    outside = Outside(Order.model_validate_json(order), f"http://127.0.0.1:{web_port}", simulators)
    uvicorn.run(outside, host="127.0.0.1", port=int(port), log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
