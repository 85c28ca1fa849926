"""upload-post on this machine: takes the real upload and publishes it on a gallery page."""

from __future__ import annotations

import json
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx

from providers.media.poster import poster
from providers.simulator import JSON, Simulator, form

from .adapter import sign
from .gallery import film_page, gallery_page

if TYPE_CHECKING:
    from collections.abc import Callable

# Films of ours fade in, and show their first title by then.
POSTER_AT_S = 3
STATES = {"queued": "queued", "running": "processing", "done": "completed", "failed": "failed"}


class UploadPostSimulator(Simulator):
    """Uploads, their status, the history, and the pages people watch."""

    name = "upload-post"
    hosts = frozenset({"api.upload-post.com"})
    # Retries of one delivery are not documented: it is sent once.
    callback_delays_s = (0,)

    def routes(self) -> dict[str, Callable[..., httpx.Response]]:
        return {
            "POST /api/upload": self.upload,
            "GET /api/uploadposts/status": self.status,
            "GET /api/uploadposts/history": self.history,
            "GET /gallery/?": self.gallery,
            r"GET /gallery/(?P<job_id>[\w.-]+)\.mp4": self.video,
            r"GET /gallery/(?P<job_id>[\w.-]+)\.jpg": self.picture,
            r"GET /gallery/(?P<job_id>[\w.-]+)": self.film,
        }

    def upload(self, request: httpx.Request) -> httpx.Response:
        if not request.headers.get("Authorization", "").removeprefix("Apikey ").strip():
            return httpx.Response(401, json={"success": False, "message": "Invalid or expired token"})
        fields = form(request)
        missing = [name for name in ("user", "platform[]", "video") if not fields.get(name)]
        if missing:
            return httpx.Response(400, json={"success": False, "message": f"Missing {', '.join(missing)}"})
        wanted = fields.get("request_id", [uuid.uuid4().hex.encode()])[0].decode()
        known = self.load(wanted)
        if known is None:
            self._take(wanted, fields, request)
        answer = {
            "success": True,
            "message": "Upload initiated successfully in background.",
            "request_id": wanted,
            "total_platforms": len(fields["platform[]"]),
        }
        return httpx.Response(200, json=answer)

    def _take(self, request_id: str, fields: dict[str, list[bytes]], request: httpx.Request) -> None:
        self.path(f"{request_id}.mp4").write_bytes(fields.pop("video")[0])
        # The callback goes to the account's webhook, which is ours: the service knows no callback per upload.
        self.accept(
            id=request_id,
            fields={name: [value.decode() for value in values] for name, values in fields.items()},
            webhook=self.world.webhooks[self.name],
            key=request.headers.get("Idempotency-Key", ""),
        )

    def work(self, job: JSON) -> JSON:
        poster(self.path(f"{job['id']}.mp4"), self.path(f"{job['id']}.jpg"), at_s=POSTER_AT_S)
        return {"url": f"{self.world.public_url}/gallery/{job['id']}"}

    def status(self, request: httpx.Request) -> httpx.Response:
        wanted = request.url.params.get("request_id") or request.url.params.get("job_id", "")
        if not wanted:
            return httpx.Response(400, json={"error": "request_id is required"})
        job = self.load(wanted)
        if job is None:
            return httpx.Response(404, json={"status": "not_found", "request_id": wanted})
        platforms = job["fields"]["platform[]"]
        done = job["state"] in {"done", "failed"}
        answer = {
            "status": STATES[job["state"]],
            "completed": len(platforms) if done else 0,
            "total": len(platforms),
            "results": [self._outcome(job, platform) for platform in platforms] if done else [],
            "request_id": wanted,
            "external_id": job["fields"].get("external_id", [""])[0],
            "last_update": _stamp(job["ended"] if done else job["created"]),
        }
        return httpx.Response(200, json=answer)

    def _outcome(self, job: JSON, platform: str) -> JSON:
        done = job["state"] == "done"
        shown = {"platform": platform, "success": done, "message": "Published" if done else job["error"]}
        return shown | ({"post_url": job["url"]} if done else {})

    def history(self, request: httpx.Request) -> httpx.Response:
        rows = [
            {
                "profile_username": job["fields"]["user"][0],
                "platform": platform,
                "media_type": "video",
                "upload_timestamp": _stamp(job["created"]),
                "success": job["state"] == "done",
                "post_url": job.get("url"),
                "post_title": job["fields"].get("title", [""])[0],
                "is_async": True,
                "request_id": job["id"],
            }
            for job in self.jobs()
            for platform in job["fields"]["platform[]"]
        ]
        return httpx.Response(200, json={"history": rows[::-1][:100], "total": len(rows), "page": 1, "limit": 100})

    def callback(self, job: JSON) -> tuple[str, bytes, dict[str, str]] | None:
        """One event per upload: every upload of ours is for one platform."""
        done = job["state"] == "done"
        body = {
            "event": "upload_completed",
            "job_id": job["id"],
            "profile_username": job["fields"]["user"][0],
            "platform": job["fields"]["platform[]"][0],
            "media_type": "video",
            "title": job["fields"].get("title", [""])[0],
            "result": {"success": done, "url": job.get("url"), "error": job.get("error")},
            "created_at": _stamp(job["ended"]).removesuffix("Z"),
        }
        raw, stamp = json.dumps(body).encode(), str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "X-Upload-Post-Event": "upload_completed",
            "X-Upload-Post-Delivery": uuid.uuid4().hex,
            "X-Upload-Post-Timestamp": stamp,
            "X-Upload-Post-Signature": sign(raw, stamp, secret=self.world.secrets[self.name]),
        }
        return job["webhook"], raw, headers

    def gallery(self, request: httpx.Request) -> httpx.Response:
        return _html(gallery_page([job for job in self.jobs() if job["state"] == "done"][::-1]))

    def film(self, request: httpx.Request, job_id: str) -> httpx.Response:
        job = self.load(job_id)
        return _html(film_page(job)) if job else httpx.Response(404, text="There is no such film.")

    def picture(self, request: httpx.Request, job_id: str) -> httpx.Response:
        file = self.path(f"{job_id}.jpg")
        if not file.is_file():
            return httpx.Response(404, text="There is no such picture.")
        return httpx.Response(200, content=file.read_bytes(), headers={"Content-Type": "image/jpeg"})


def _html(page: str) -> httpx.Response:
    policy = "default-src 'none'; style-src 'unsafe-inline'; media-src 'self'; img-src 'self'"
    return httpx.Response(200, html=page, headers={"Content-Security-Policy": policy})


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
