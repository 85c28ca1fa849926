"""LangSmith as our code sees it: a socket that takes spans and examples, and remembers them."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4


class LangSmith:
    """``spans`` are by id, patches applied; ``bodies`` is all that was ever sent, as text."""

    def __init__(self) -> None:
        self.spans: dict[str, dict[str, Any]] = {}
        self.datasets: dict[str, dict[str, Any]] = {}
        self.examples: list[dict[str, Any]] = []
        self.bodies: list[str] = []
        self.keys: set[str | None] = set()
        self.refusals: list[str] = []
        self.down = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def batch(self, body: dict[str, Any]) -> None:
        for span in body.get("post") or []:
            if span["id"] in self.spans:
                self.refusals.append(f"{span['name']} was sent twice")
            self.spans[span["id"]] = span
        for span in body.get("patch") or []:
            if span["id"] not in self.spans:
                self.refusals.append(f"{span['id']} is not known")
            self.spans.setdefault(span["id"], {}).update(span)

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if self.down:
            return 503, {}
        if path == "/runs/batch":
            self.batch(body)
            return 202, {}
        if path.startswith("/datasets"):
            return self._datasets(method, path, body)
        if (method, path) == ("POST", "/examples/bulk"):
            self.examples += body
            return 200, [{**example, "id": str(uuid4())} for example in body]
        return 404, {}

    def _datasets(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if method == "POST":
            made = {"id": str(uuid4()), "created_at": "2026-11-25T00:00:00Z", "tenant_id": str(uuid4()), **body}
            self.datasets[body["name"]] = made
            return 200, made
        (name,) = parse_qs(urlsplit(path).query)["name"]
        return 200, [self.datasets[name]] if name in self.datasets else []


def _handler(service: LangSmith) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            service.bodies.append(text)
            self._answer(json.loads(text))

        def _answer(self, body: Any) -> None:
            service.keys.add(self.headers["x-api-key"])
            status, told = service.answer(self.command, self.path, body)
            content = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's word)
            """Tests say what they look at."""

    return Handler
