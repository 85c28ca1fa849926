"""What the stand-ins for the services have in common.

A simulator is a set of handlers over small JSON files, so that any process may host it: in-process behind an httpx
transport (mock), or behind a socket (local). It answers at once, works in the background and calls back, as the
services do.
"""

from __future__ import annotations

import json
import logging
import os
import re
import ssl
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs

import httpx

from myloware.kernel.memory import give_back

from .handlers import Handlers, on_disk, video

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from .dial import Dial

log = logging.getLogger(__name__)

JSON = dict[str, Any]
CALLBACK_TIMEOUT_S = 15
ENDED = frozenset({"done", "failed"})
# Of a job, and so of its files.
JOB_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")


@dataclass(frozen=True)
class World:
    """Where a simulator lives.

    ``tiny``: instant small media, made while the caller waits. ``public_url``: its own pages. ``secrets`` and
    ``webhooks`` by provider: what the account's owner has set up with the service. ``dial``: what goes wrong.
    """

    state_dir: Path
    public_url: str
    secrets: Mapping[str, str]
    webhooks: Mapping[str, str]
    fetch: Callable[[str, Path], Path]
    dial: Dial
    tiny: bool = False
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(os.cpu_count() or 1, "simulator"))


@dataclass(frozen=True)
class Call:
    """A callback: where to, what, and which headers."""

    url: str
    body: bytes
    headers: Mapping[str, str]


class Simulator(Handlers):
    """One service. A subclass lists its routes, and says in ``work`` what is done with an accepted job."""

    name: ClassVar[str]
    hosts: ClassVar[frozenset[str]]
    # What it can get wrong besides, by name.
    faults: ClassVar[Mapping[str, str]] = {}
    common_faults: ClassVar[Mapping[str, str]] = {
        "no_callback": "the callback is lost",
        "duplicate_callback": "the callback comes three times",
        "early_callback": "the callback comes before the order is answered",
        "lost_answer": "the order is taken and answered with 502",
    }
    # Seconds before each delivery of a callback; the service gives up after the last.
    callback_delays_s: ClassVar[tuple[float, ...]]

    def __init__(self, world: World) -> None:
        self.world = world
        self.folder = world.state_dir / self.name
        self.folder.mkdir(parents=True, exist_ok=True)

    def work(self, job: JSON) -> JSON:
        """Does the job and returns its final fields; an exception is a failed job."""
        raise NotImplementedError

    def callbacks(self, job: JSON) -> Sequence[Call]:
        """What is told of a job that has ended, in order; empty when nobody is to be told."""
        raise NotImplementedError

    def goes_wrong(self, fault: str) -> bool:
        """Whether the dial says so this time."""
        return self.world.dial.takes(self.name, fault)

    def handle(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle(request)
        lost = request.method == "POST" and answer.is_success and self.goes_wrong("lost_answer")
        return httpx.Response(502) if lost else answer

    # --- Jobs

    def accept(self, **fields: Any) -> JSON:
        """Stores a new job and lets the work begin."""
        job = {"id": uuid.uuid4().hex, "state": "queued", "created": time.time(), "told": False, **fields}
        self.save(job)
        self.start(job["id"])
        return job

    def start(self, job_id: str) -> None:
        if self.goes_wrong("early_callback"):
            self._finish(job_id)
        elif self.world.tiny:
            self.run(job_id)
        else:
            self.world.pool.submit(self.run, job_id)

    def run(self, job_id: str) -> None:
        """Works on a job to its end and, in its own time, tells whoever wants to know."""
        job = self._ended(job_id)
        if job:
            threading.Thread(target=self._tell, args=(job,), name="callback", daemon=True).start()

    def _finish(self, job_id: str) -> None:
        job = self._ended(job_id)
        if job:
            self._tell(job)

    def _ended(self, job_id: str) -> JSON | None:
        job = self.load(job_id)
        if job and job["state"] not in ENDED:
            self.save(job | {"state": "running"})
            job = self._worked(job)
            self.save(job)
            give_back()
        return job

    def _worked(self, job: JSON) -> JSON:
        try:
            return job | self.work(job) | {"state": "done", "ended": time.time()}
        except Exception as error:
            # What went wrong is the job's outcome, as with the real service.
            log.exception("simulated job failed", extra={"simulator": self.name, "job": job["id"]})
            return job | {"state": "failed", "ended": time.time(), "error": str(error)}

    def resume(self) -> None:
        """Takes up again what a killed process left: unfinished jobs, and callbacks nobody has received."""
        for job in self.jobs():
            if job["state"] not in ENDED or not job["told"]:
                self.start(job["id"])

    def _tell(self, job: JSON) -> None:
        calls = [] if self.goes_wrong("no_callback") else self.callbacks(job)
        copies = 3 if calls and self.goes_wrong("duplicate_callback") else 1
        heard = [self.deliver(call) for call in calls for _ in range(copies)]
        # Whoever asked meanwhile may have changed the record.
        self.save((self.load(job["id"]) or job) | {"told": True, "heard": all(heard)})

    def deliver(self, call: Call) -> bool:
        """Sends a callback until it is heard, on the service's schedule; False when it gave up."""
        return any(
            self._delivered(call, attempt, delay_s) for attempt, delay_s in enumerate(self.callback_delays_s, start=1)
        )

    def _delivered(self, call: Call, attempt: int, delay_s: float) -> bool:
        time.sleep(delay_s * self.world.dial.time_scale)
        try:
            answer = _caller().post(call.url, content=call.body, headers=self.headers_of(call, attempt))
        except httpx.HTTPError as error:
            log.info("callback not delivered", extra={"simulator": self.name, "reason": type(error).__name__})
            return False
        return answer.is_success

    def headers_of(self, call: Call, attempt: int) -> Mapping[str, str]:
        """The headers of one attempt, counted from 1."""
        return call.headers

    # --- Files

    def path(self, name: str) -> Path:
        """A file of ours. Raises ``ValueError`` for a name that leads elsewhere."""
        if "/" in name:
            raise ValueError(f"{name} is not a file's name")
        return self.folder / name

    def save(self, job: JSON) -> None:
        draft = self.path(f".{job['id']}.{threading.get_ident()}")
        draft.write_text(json.dumps(job))
        draft.replace(self.path(f"{job['id']}.json"))

    def load(self, job_id: str) -> JSON | None:
        if not JOB_ID.fullmatch(job_id) or not self.path(f"{job_id}.json").is_file():
            return None
        loaded: JSON = json.loads(self.path(f"{job_id}.json").read_text())
        return loaded

    def jobs(self) -> Iterator[JSON]:
        """Every job, oldest first."""
        found = [json.loads(file.read_text()) for file in self.folder.glob("*.json")]
        yield from sorted(found, key=lambda job: job["created"])

    def video(self, request: httpx.Request, job_id: str) -> httpx.Response:
        """A job's MP4, whole or the byte range that is asked for."""
        return video(request, on_disk(self.path(f"{job_id}.mp4")))


_making = threading.Lock()


def _caller() -> httpx.Client:
    """Sends all callbacks: a client loads the machine's certificates when it is made, which takes a while."""
    with _making:
        return _made()


@cache
def _made() -> httpx.Client:
    return httpx.Client(timeout=CALLBACK_TIMEOUT_S)


class NextDoorTransport(httpx.HTTPTransport):
    """Sends requests for the services' hosts to ``manage.py simulators``, which tells them apart by the Host header."""

    def __init__(self, simulators_url: str) -> None:
        # Plain HTTP: the machine's certificates, which take 25 ms to load, are of no use.
        super().__init__(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        self.target = httpx.URL(simulators_url)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(scheme=self.target.scheme, host=self.target.host, port=self.target.port)
        return super().handle_request(request)


def form(request: httpx.Request) -> dict[str, list[bytes]]:
    """The fields of a form, multipart (RFC 7578) or urlencoded, each with all its values."""
    if request.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
        return {
            name: [value.encode() for value in values] for name, values in parse_qs(request.content.decode()).items()
        }
    boundary = re.search(r'boundary="?([^";]+)', request.headers.get("Content-Type", ""))
    if not boundary:
        return {}
    fields: dict[str, list[bytes]] = {}
    for part in request.content.split(b"--" + boundary[1].encode())[1:-1]:
        head, _, value = part.partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]*)"', head)
        if name:
            fields.setdefault(name[1].decode(), []).append(value.removesuffix(b"\r\n"))
    return fields
