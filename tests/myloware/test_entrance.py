"""What strangers may send before Django sees it: bodies without end, bodies that drip, crowds."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from myloware.asgi import application
from myloware.kernel.entrance import HEARD_BYTES, MAX_BYTES, Entrance

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

BLOCK = b"x" * 100_000


class House:
    """An application that keeps what it is told, and holds its callers as long as it is told."""

    def __init__(self, **limits: Any) -> None:
        self.door = Entrance(self.serve, **limits)
        self.bodies: list[bytes] = []
        self.inside = self.most = 0
        self.streams = False

    async def serve(self, scope: Any, receive: Any, send: Any) -> None:
        self.bodies.append((await receive())["body"])
        self.inside += 1
        self.most = max(self.most, self.inside)
        if self.streams:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(0.02)
        self.inside -= 1
        if not self.streams:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def visit(self, blocks: Iterable[bytes | None], method: str = "POST") -> int | None:
        """Sends blocks, None being a pause of 50 ms; the status of the answer, if there is one."""
        heard: list[Any] = []
        coming = messages(blocks)

        async def send(message: Any) -> None:
            heard.append(message)

        await self.door({"type": "http", "method": method, "path": "/"}, coming.__anext__, send)
        return heard[0]["status"] if heard else None

    def asked(self, blocks: Iterable[bytes | None]) -> int | None:
        return asyncio.run(self.visit(blocks))


async def messages(blocks: Iterable[bytes | None]) -> AsyncIterator[dict[str, Any]]:
    for block in blocks:
        if block is None:
            await asyncio.sleep(0.05)
        else:
            yield {"type": "http.request", "body": block, "more_body": True}
    yield {"type": "http.request"}


def endless(sent: list[int]) -> Iterator[bytes]:
    while True:
        sent.append(len(BLOCK))
        yield BLOCK


def test_a_body_comes_in_whole() -> None:
    house = House()
    assert house.asked([b"a", b"b", b""]) == 200
    assert house.asked([BLOCK] * 10) == 200
    assert house.bodies == [b"ab", BLOCK * 10]


def test_a_body_that_is_too_large_is_refused_and_one_without_end_is_not_read_to_its_end() -> None:
    house, sent = House(), list[int]()
    assert house.asked([BLOCK] * 10 + [b"x"]) == 413
    assert house.asked(endless(sent)) == 413
    assert HEARD_BYTES < sum(sent) <= HEARD_BYTES + len(BLOCK)
    assert house.bodies == []


def test_a_body_that_drips_is_refused_in_time() -> None:
    house = House(body_s=0.1)
    assert house.asked([b"x", None, b"x", None, b"x", None, b"x"]) == 408
    assert house.bodies == []


def test_who_leaves_in_the_middle_is_not_served() -> None:
    house, heard = House(), list[Any]()
    told = iter([{"type": "http.request", "body": b"x", "more_body": True}, {"type": "http.disconnect"}])

    async def leave() -> None:
        async def receive() -> Any:
            return next(told)

        async def send(message: Any) -> None:
            heard.append(message)

        await house.door({"type": "http", "path": "/"}, receive, send)

    asyncio.run(leave())
    assert (house.bodies, heard) == ([], [])


def test_of_a_crowd_only_so_many_work_at_once_and_all_are_served() -> None:
    house = House(at_once=3)

    async def crowd() -> list[int | None]:
        return await asyncio.gather(*(house.visit([b"x"]) for _ in range(20)))

    assert asyncio.run(crowd()) == [200] * 20
    assert house.most == 3


def test_nobody_waits_for_a_place_longer_than_callers_do() -> None:
    house = House(at_once=1, wait_s=0.01)

    async def crowd() -> list[int | None]:
        return await asyncio.gather(*(house.visit([b"x"]) for _ in range(3)))

    assert asyncio.run(crowd()) == [200, 503, 503]
    assert house.asked([b"x"]) == 200


@pytest.mark.parametrize(("method", "most"), [("GET", 5), ("POST", 1)])
def test_who_only_watches_leaves_the_place_to_others(method: str, most: int) -> None:
    house = House(at_once=1)
    house.streams = True

    async def crowd() -> None:
        await asyncio.gather(*(house.visit([b"x"], method) for _ in range(5)))

    asyncio.run(crowd())
    assert house.most == most


def test_all_bodies_together_have_a_limit_and_the_room_comes_back() -> None:
    house = House(held=250_000, at_once=1)

    async def crowd() -> list[int | None]:
        return await asyncio.gather(*(house.visit([BLOCK]) for _ in range(4)))

    assert sorted(map(int, filter(None, asyncio.run(crowd())))) == [200, 200, 503, 503]
    assert house.asked([BLOCK] * 2) == 200


@pytest.fixture
def port() -> Iterator[int]:
    """The web process's application on a real socket."""
    server = uvicorn.Server(uvicorn.Config(application, port=0, lifespan="off", log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(5)


def test_the_web_process_refuses_a_chunked_body_of_a_byte_too_much_on_any_path(port: int) -> None:
    for path in ("/v1/webhooks/kieai", "/nothing"):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
            line.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            line.sendall(b"%x\r\n%s\r\n0\r\n\r\n" % (MAX_BYTES + 1, b"x" * (MAX_BYTES + 1)))
            answer = line.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 413")
        assert b'"code": "too_large"' in answer
