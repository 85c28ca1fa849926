"""Shotstack on this machine: takes the real Edit, fetches its sources, renders, calls back as the service does."""

from __future__ import annotations

import json
import re
import time
import uuid
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import unquote

import httpx

from providers.callbacks import body_json
from providers.handlers import on_disk
from providers.simulator import JSON, Call, Simulator

from .api import CDN, EDIT, OUTPUT, OWNER, EditApi, ok, refused, render_event, shown, stamp, unknown
from .schema import sources

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from providers.handlers import Film
    from providers.simulator import World

TINY_PX = 160
# What a render goes through. A fast machine is in none of them long enough to be seen, unless the dial says so.
STAGES = ("queued", "fetching", "preprocessing", "rendering", "generating", "saving")
KEPT_S = 24 * 3600
NOT_ALLOWED = {"message": '"quality" is not allowed', "path": "$.output.quality"}
UNAVAILABLE = "Error: the asset could not be downloaded."


class ShotstackSimulator(Simulator):
    """The edit, probe and serve APIs, production and stage."""

    name = "shotstack"
    hosts = frozenset({"api.shotstack.io", CDN, *OUTPUT.values()})
    # Ten attempts; before attempt n it waits min(n^3, 900) s (its webhook publisher's source).
    callback_delays_s = (0, *(min(n**3, 900) for n in range(2, 11)))
    faults: ClassVar[Mapping[str, str]] = {
        **Simulator.common_faults,
        "slow": "one render shows each of its stages, one a question",
        "fails": "the render fails with a reason",
        "serve_first": "the event of the hosted file comes before that of the render",
        "unknown_property": "400: a property is refused that the published schema still knows",
        "rate_limited": "429 with Retry-After",
        "server_error": "500",
        "expired": "the file of the render is gone, as after 24 hours; its copy is there",
    }

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.api = EditApi(self)

    def routes(self) -> dict[str, Callable[..., httpx.Response]]:
        version = "(v1|stage)"
        return self.api.routes() | {
            f"POST {EDIT}/templates": self.make_template,
            f"GET {EDIT}/templates": self.templates,
            rf"GET {EDIT}/templates/(?P<key>[0-9a-f-]+)": self.template,
            rf"PUT {EDIT}/templates/(?P<key>[0-9a-f-]+)": self.change_template,
            rf"DELETE {EDIT}/templates/(?P<key>[0-9a-f-]+)": self.drop_template,
            f"POST {EDIT}/templates/render": self.render_template,
            rf"GET {EDIT}/probe/(?P<source>.+)": self.probe,
            rf"GET /serve/{version}/assets/render/(?P<job_id>[0-9a-f-]+)": self.assets,
            rf"GET /{OWNER}/(?P<job_id>[0-9a-f-]+)\.mp4": self.output,
        }

    def handle(self, request: httpx.Request) -> httpx.Response:
        if not request.url.path.startswith(("/edit/", "/serve/")):
            return super().handle(request)
        if not request.headers.get("x-api-key"):
            return httpx.Response(403, json={"message": "Forbidden"})
        if self.goes_wrong("rate_limited"):
            error = {"success": False, "message": "Too Many Requests", "response": {"error": "rate_limit_error"}}
            return httpx.Response(429, json=error, headers={"Retry-After": "1"})
        if self.goes_wrong("server_error"):
            return httpx.Response(500, json={"success": False, "message": "Internal Server Error"})
        if _is_order(request) and self.goes_wrong("unknown_property"):
            return refused([NOT_ALLOWED])
        return super().handle(request)

    # --- Renders

    def queue(self, edit: JSON, version: str) -> JSON:
        left = len(STAGES) if self.goes_wrong("slow") else 0
        return self.accept(edit=edit, version=version, stages_left=left, fails=self.goes_wrong("fails"))

    def find(self, job_id: str) -> JSON | None:
        job = self.load(job_id)
        return job and job | {"state": self._state(job)}

    def _state(self, job: JSON) -> str:
        left = job.get("stages_left", 0)
        if left:
            self.save(job | {"stages_left": left - 1})
            return STAGES[-left]
        return {"running": "rendering"}.get(job["state"], str(job["state"]))

    def film(self, job_id: str) -> Film | None:
        return on_disk(self.path(f"{job_id}.mp4"))

    # --- Templates

    def make_template(self, request: httpx.Request, version: str) -> httpx.Response:
        body = body_json(request.content)
        if not body.get("name"):
            return httpx.Response(400, json={"success": False, "message": "Bad Request", "response": {}})
        key = str(uuid.uuid4())
        self._keep_template(key, {"name": body["name"], "template": body.get("template")})
        return ok(201, "Created", {"message": "Template Successfully Created", "id": key})

    def templates(self, request: httpx.Request, version: str) -> httpx.Response:
        found = [{"id": file.stem, "name": json.loads(file.read_text())["name"]} for file in self.folder.glob("*.edit")]
        return ok(200, "OK", {"owner": OWNER, "templates": found})

    def template(self, request: httpx.Request, version: str, key: str) -> httpx.Response:
        found = self._template(key)
        return ok(200, "OK", {"id": key, "owner": OWNER, **found}) if found else unknown()

    def change_template(self, request: httpx.Request, version: str, key: str) -> httpx.Response:
        found = self._template(key)
        if not found:
            return unknown()
        self._keep_template(key, found | body_json(request.content))
        return ok(200, "OK", {"message": "Template Successfully Updated", "id": key})

    def drop_template(self, request: httpx.Request, version: str, key: str) -> httpx.Response:
        if not self._template(key):
            return unknown()
        self.path(f"{key}.edit").unlink()
        return httpx.Response(204)

    def render_template(self, request: httpx.Request, version: str) -> httpx.Response:
        body = body_json(request.content)
        found = self._template(str(body.get("id")))
        if not found:
            return unknown()
        return self.api.take({**found["template"], "merge": body.get("merge", [])}, version)

    def _template(self, key: str) -> JSON | None:
        file = self.path(f"{key}.edit")
        return json.loads(file.read_text()) if re.fullmatch("[0-9a-f-]{36}", key) and file.is_file() else None

    def _keep_template(self, key: str, content: JSON) -> None:
        self.path(f"{key}.edit").write_text(json.dumps(content))

    # --- Files

    def probe(self, request: httpx.Request, version: str, source: str) -> httpx.Response:
        from providers.media.probe import probe

        with TemporaryDirectory(prefix="probe-", dir=self.folder) as folder:
            try:
                seen = probe(self.world.fetch(unquote(source), Path(folder) / "source"))
            except Exception as error:
                # Whatever is wrong with the file is the answer.
                return httpx.Response(400, json={"success": False, "message": str(error), "response": {}})
        picture = {
            "codec_type": "video",
            "codec_name": seen.video_codec,
            "width": seen.width_px,
            "height": seen.height_px,
        }
        found = {"streams": [picture], "format": {"duration": str(seen.duration_s)}}
        return ok(200, "OK", {"metadata": found})

    def assets(self, request: httpx.Request, job_id: str) -> httpx.Response:
        job = self.load(job_id.replace("-", ""))
        ready = job is not None and job["state"] == "done"
        return httpx.Response(200, json={"data": [_asset(job)] if job and ready else []})

    def output(self, request: httpx.Request, job_id: str) -> httpx.Response:
        """The file of a render, which is deleted after 24 hours."""
        job = self.load(job_id.replace("-", ""))
        old = job is not None and time.time() - job.get("ended", time.time()) > KEPT_S * self.world.dial.time_scale
        if old or self.goes_wrong("expired"):
            return httpx.Response(403, text="<Error><Code>AccessDenied</Code></Error>")
        return self.api.film(request, job_id)

    def work(self, job: JSON) -> JSON:
        if job.get("fails"):
            raise RenderFailed(UNAVAILABLE)
        # Only a process that renders loads what it needs for that.
        from providers.media.render import render

        target = self.path(f"{job['id']}.mp4")
        edit = _shrunk(job["edit"]) if self.world.tiny else job["edit"]
        with TemporaryDirectory(prefix="render-", dir=self.folder) as folder:
            work_dir = Path(folder)
            files = {
                source: self.world.fetch(source, work_dir / f"source{index}")
                for index, source in enumerate(dict.fromkeys(sources(edit)))
            }
            # One piece at a time: the simulators share a small machine with the whole system.
            return {"duration": render(edit, files, target, work_dir=work_dir, at_once=1).duration_s}

    def callbacks(self, job: JSON) -> Sequence[Call]:
        url = job["edit"].get("callback")
        if not url:
            return []
        events = [render_event(job), *([_serve_event(job)] if job["state"] == "done" else [])]
        if self.goes_wrong("serve_first"):
            events.reverse()
        return [Call(url, json.dumps(event).encode(), {"X-Shotstack-Event-Type": event["type"]}) for event in events]

    def headers_of(self, call: Call, attempt: int) -> Mapping[str, str]:
        own = {"User-Agent": "Shotstack-Webhook/1.0", "X-Shotstack-Attempt": str(attempt)}
        return {"Content-Type": "application/json", **own, **call.headers}


class RenderFailed(Exception):
    """The outcome of a render that the dial lets fail."""


def _is_order(request: httpx.Request) -> bool:
    return request.method == "POST" and request.url.path.endswith("/render")


def _serve_event(job: JSON) -> JSON:
    asset = _asset(job)["attributes"]
    return {
        "type": "serve",
        "action": "copy",
        "id": asset["id"],
        "render": asset["renderId"],
        "owner": OWNER,
        "status": "ready",
        "url": asset["url"],
        "error": None,
        "completed": stamp(job["ended"]),
    }


def _asset(job: JSON) -> JSON:
    asset = str(uuid.uuid5(uuid.NAMESPACE_URL, job["id"]))
    url = f"https://{CDN}/au/{job['version']}/{OWNER}/{shown(job)}.mp4"
    fields = {"id": asset, "owner": OWNER, "region": "au", "renderId": shown(job), "url": url, "status": "ready"}
    return {"type": "asset", "attributes": fields}


def _shrunk(edit: JSON) -> JSON:
    """The same edit in a frame whose longer side is 160 pixels, or less."""
    size: dict[str, Any] = edit["output"].get("size") or {"width": 1080, "height": 1920}
    scale = max(1, max(size.values()) / TINY_PX)
    small = {side: int(length / scale) // 2 * 2 for side, length in size.items()}
    return {**edit, "output": {**edit["output"], "size": small}}
