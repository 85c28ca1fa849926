"""Shotstack's edit API as a service, over whatever keeps the renders and does them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import httpx

from providers.callbacks import body_json
from providers.handlers import Handlers, video
from providers.media.limits import LONGEST_S
from providers.media.merge import merged

from .schema import faults, length_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from providers.handlers import Film

JSON = dict[str, Any]
OWNER = "local00000"
CDN = "cdn.shotstack.io"
OUTPUT = {version: f"shotstack-api-{version}-output.s3-ap-southeast-2.amazonaws.com" for version in ("v1", "stage")}
EDIT = "/edit/(?P<version>v1|stage)"


class Renders(Protocol):
    """Where renders are kept, and who does them.

    A render is ``{"id", "version", "edit", "state", "created", "ended", "duration", "error"}``: the id as 32 hex
    digits, the state in the service's words, times as seconds since 1970; the last three when they are known.
    """

    def queue(self, edit: JSON, version: str) -> JSON:
        """Takes a checked Edit, whose merge fields are filled in."""

    def find(self, job_id: str) -> JSON | None:
        """The render of this id."""

    def film(self, job_id: str) -> Film | None:
        """Its file, once there is one, and while there is."""


class EditApi(Handlers):
    """Takes Edits, tells how far they are, hands out the films."""

    def __init__(self, renders: Renders) -> None:
        self._renders = renders

    def routes(self) -> dict[str, Callable[..., httpx.Response]]:
        return {
            f"POST {EDIT}/render": self.render,
            rf"GET {EDIT}/render/(?P<job_id>[0-9a-f-]+)": self.status,
            f"GET {EDIT}/templates": self.templates,
            rf"GET /au/(v1|stage)/{OWNER}/(?P<job_id>[0-9a-f-]+)\.mp4": self.film,
            rf"GET /{OWNER}/(?P<job_id>[0-9a-f-]+)\.mp4": self.film,
        }

    def render(self, request: httpx.Request, version: str) -> httpx.Response:
        return self.take(body_json(request.content), version)

    def take(self, edit: JSON, version: str) -> httpx.Response:
        """201 with the render's id, or 400 with what is wrong with the Edit."""
        filled = {key: value for key, value in merged(edit).items() if key != "merge"}
        wrong = faults(edit) or _beyond(filled)
        if wrong:
            return refused(wrong)
        job = self._renders.queue(filled, version)
        return ok(201, "Created", {"message": "Render Successfully Queued", "id": shown(job)})

    def status(self, request: httpx.Request, version: str, job_id: str) -> httpx.Response:
        job = self._renders.find(job_id.replace("-", ""))
        if job is None:
            return unknown()
        ended = job.get("ended") or datetime.now(UTC).timestamp()
        response = {
            "id": shown(job),
            "owner": OWNER,
            "plan": "basic",
            "status": job["state"],
            "error": job.get("error", "") if job["state"] == "failed" else "",
            "duration": job.get("duration"),
            "renderTime": round((ended - job["created"]) * 1000, 1),
            "url": url(job) if job["state"] == "done" else None,
            "poster": None,
            "thumbnail": None,
            "created": stamp(job["created"]),
            "updated": stamp(ended),
        }
        if request.url.params.get("data", "true") == "true":
            response["data"] = job["edit"]
        return ok(200, "OK", response)

    def templates(self, request: httpx.Request, version: str) -> httpx.Response:
        return ok(200, "OK", {"owner": OWNER, "templates": []})

    def film(self, request: httpx.Request, job_id: str) -> httpx.Response:
        return video(request, self._renders.film(job_id.replace("-", "")))


def _beyond(edit: JSON) -> list[JSON]:
    """What the service makes and whoever answers here does not, as faults."""
    if length_s(edit) > LONGEST_S:
        return [{"path": "$.timeline", "message": f"no film of more than {LONGEST_S} s is made here"}]
    output = edit["output"]
    stills = [name for name in ("poster", "thumbnail") if name in output]
    faulty = [*([] if output["format"] == "mp4" else ["format"]), *stills]
    return [{"path": f"$.output.{name}", "message": "only MP4 films are rendered here"} for name in faulty]


def render_event(job: JSON) -> JSON:
    """What the callback says of a render that has ended."""
    done = job["state"] == "done"
    return {
        "type": "edit",
        "action": "render",
        "id": shown(job),
        "owner": OWNER,
        "status": job["state"],
        "url": url(job) if done else None,
        "error": None if done else job["error"],
        "completed": stamp(job["ended"]),
    }


def ok(status: int, message: str, response: JSON) -> httpx.Response:
    return httpx.Response(status, json={"success": True, "message": message, "response": response})


def refused(wrong: list[JSON]) -> httpx.Response:
    details = {"error": "ValidationError", "details": wrong[:10]}
    return httpx.Response(400, json={"success": False, "message": "Bad Request", "response": details})


def unknown() -> httpx.Response:
    return httpx.Response(404, json={"success": False, "message": "Not Found", "response": {}})


def shown(job: JSON) -> str:
    """A render's id as the service writes it."""
    return str(uuid.UUID(job["id"]))


def url(job: JSON) -> str:
    return f"https://{OUTPUT[job['version']]}/{OWNER}/{shown(job)}.mp4"


def stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
