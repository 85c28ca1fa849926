"""Telegram's side of the Bot API on a loopback socket, as far as the bot uses it."""

from __future__ import annotations

import json
import threading
from collections import deque
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "123456789:test-token-of-the-loopback-bot-api"

BLOCKED = (403, {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked by the user"})
SLOW_DOWN = (
    429,
    {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests: retry after 1",
        "parameters": {"retry_after": 1},
    },
)
BROKEN = (502, {"ok": False, "error_code": 502, "description": "Bad Gateway"})
# Takes the request, and hangs up.
SILENCE: tuple[int, dict[str, Any]] = (0, {})
# Repeats the address, as some proxies do.
ECHO = (404, {"description": "Cannot POST {path}"})


class BotApi:
    """Keeps what was sent; ``answers`` are given first, in order, then everything succeeds."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.answers: deque[tuple[int, dict[str, Any]]] = deque()
        self.url = ""

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.paths.append(path)
        if self.answers:
            status, answer = self.answers.popleft()
            return status, {**answer, "description": str(answer.get("description")).replace("{path}", path)}
        if path != f"/bot{TOKEN}/sendMessage":
            return 404, {"ok": False, "error_code": 404, "description": "Not Found"}
        self.sent.append(body)
        chat = {"id": body["chat_id"], "type": "private"}
        return 200, {"ok": True, "result": {"message_id": len(self.sent), "date": 1767225600, "chat": chat}}


@contextmanager
def serving() -> Iterator[BotApi]:
    api = BotApi()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, answer = api.answer(self.path, body)
            if not status:
                return
            payload = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's word)
            """Tests say what they look at."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        api.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield api
        finally:
            server.shutdown()
            thread.join()
