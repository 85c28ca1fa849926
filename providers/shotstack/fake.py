"""Shotstack on this machine: takes the real Edit, fetches its sources, renders, calls back as the service does."""

from __future__ import annotations

import json
import time
import uuid
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import httpx
import jsonschema

from providers.callbacks import body_json
from providers.media.probe import probe
from providers.media.render import render
from providers.simulator import JSON, Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OWNER = "local00000"
FILES = "cdn.shotstack.io"
TINY_PX = 160
SCHEMA = Path(__file__).with_name("edit.schema.json")


class ShotstackSimulator(Simulator):
    """The edit API, production and stage."""

    name = "shotstack"
    hosts = frozenset({"api.shotstack.io", FILES})
    # Ten attempts; before attempt n it waits min(n^3, 900) s (its webhook publisher's source).
    callback_delays_s = (0, *(min(n**3, 900) for n in range(2, 11)))

    def routes(self) -> dict[str, Callable[..., httpx.Response]]:
        return {
            "POST /edit/(v1|stage)/render": self.render,
            r"GET /edit/(v1|stage)/render/(?P<job_id>[0-9a-f-]+)": self.status,
            r"GET /au/v1/\w+/(?P<job_id>[0-9a-f]+)\.mp4": self.video,
        }

    def render(self, request: httpx.Request) -> httpx.Response:
        if not request.headers.get("x-api-key"):
            return httpx.Response(403, json={"message": "Forbidden"})
        edit = body_json(request.content)
        faults = [{"message": fault.message, "path": fault.json_path} for fault in _validator().iter_errors(edit)]
        if faults:
            details = {"error": "ValidationError", "details": faults[:10]}
            return httpx.Response(400, json={"success": False, "message": "Bad Request", "response": details})
        job = self.accept(edit=edit)
        queued = {"message": "Render Successfully Queued", "id": _shown(job["id"])}
        return httpx.Response(201, json={"success": True, "message": "Created", "response": queued})

    def status(self, request: httpx.Request, job_id: str) -> httpx.Response:
        job = self.load(job_id.replace("-", ""))
        if job is None:
            return httpx.Response(404, json={"success": False, "message": "Not Found", "response": {}})
        ended = job.get("ended", time.time())
        response = {
            "id": job_id,
            "owner": OWNER,
            "plan": "basic",
            "status": {"running": "rendering"}.get(job["state"], job["state"]),
            "error": job.get("error", ""),
            "duration": job.get("duration"),
            "renderTime": round((ended - job["created"]) * 1000, 1),
            "url": _url(job["id"]) if job["state"] == "done" else None,
            "poster": None,
            "thumbnail": None,
            "created": _stamp(job["created"]),
            "updated": _stamp(ended),
        }
        return httpx.Response(200, json={"success": True, "message": "OK", "response": response})

    def work(self, job: JSON) -> JSON:
        target = self.path(f"{job['id']}.mp4")
        edit = _shrunk(job["edit"]) if self.world.tiny else job["edit"]
        with TemporaryDirectory(prefix="render-", dir=self.folder) as folder:
            work_dir = Path(folder)
            sources = {
                source: self.world.fetch(source, work_dir / f"source{index}.mp4")
                for index, source in enumerate(dict.fromkeys(_sources(edit)))
            }
            render(edit, sources, target, work_dir=work_dir)
        return {"duration": probe(target).duration_s}

    def callback(self, job: JSON) -> tuple[str, bytes, dict[str, str]] | None:
        url = job["edit"].get("callback")
        if not url:
            return None
        done = job["state"] == "done"
        body = {
            "type": "edit",
            "action": "render",
            "id": _shown(job["id"]),
            "owner": OWNER,
            "status": job["state"],
            "url": _url(job["id"]) if done else None,
            "error": None if done else job["error"],
            "completed": _stamp(job["ended"]),
        }
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Shotstack-Webhook/1.0",
            "X-Shotstack-Event-Type": "edit",
        }
        return url, json.dumps(body).encode(), headers


@cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))


def _sources(edit: JSON) -> Iterator[str]:
    for track in edit["timeline"]["tracks"]:
        for clip in track["clips"]:
            if clip["asset"].get("src"):
                yield clip["asset"]["src"]


def _shrunk(edit: JSON) -> JSON:
    """The same edit in a frame whose longer side is 160 pixels, or less."""
    size: dict[str, Any] = edit["output"].get("size") or {"width": 1080, "height": 1920}
    scale = max(1, max(size.values()) / TINY_PX)
    small = {side: int(length / scale) // 2 * 2 for side, length in size.items()}
    return {**edit, "output": {**edit["output"], "size": small}}


def _shown(job_id: str) -> str:
    return str(uuid.UUID(job_id))


def _url(job_id: str) -> str:
    return f"https://{FILES}/au/v1/{OWNER}/{job_id}.mp4"


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
