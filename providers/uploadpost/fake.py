"""upload-post on this machine: takes the real upload and publishes it on a gallery page."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

import httpx

from providers.callbacks import body_json
from providers.media.poster import poster
from providers.simulator import ENDED, JOB_ID, JSON, Call, Simulator, form

from .adapter import sign
from .gallery import film_page, gallery_page

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

# Films of ours fade in, and show their first title by then.
POSTER_AT_S = 3
STATES = {"queued": "queued", "running": "processing", "done": "completed", "failed": "failed"}


KEY_LIVES_S = 24 * 3600
# After so many failed deliveries in a row the webhook sleeps, and what falls into its sleep is never sent.
FAILURES, SLEEP_S = 5, 30 * 60
ALLOWED = ("PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY")
QUOTA = "quota exceeded"
PROFILE = "demo"


class UploadPostSimulator(Simulator):
    """Uploads, their status, the history, the account, and the pages people watch."""

    name = "upload-post"
    hosts = frozenset({"api.upload-post.com"})
    # Retries of one delivery are not documented: it is sent once.
    callback_delays_s = (0,)
    faults: ClassVar[Mapping[str, str]] = {
        **Simulator.common_faults,
        "bad_key": "401: the key is refused",
        "no_profile": "404: there is no such profile",
        "plan": "403: the plan does not include TikTok",
        "server_error": "500",
        "hard_cap": "429: the account has had its posts of 24 hours",
        "synchronous": "the upload is done before it is answered, whatever was asked for",
        "background": "a synchronous upload takes longer than 59 s and goes on in the background",
        "mixed_success": "the last platform of an upload fails",
        "inbox": "TikTok puts the film into the drafts",
        "not_connected": "the account is skipped, because it is not connected",
        "not_found": "the status knows nothing of the upload yet",
        "no_url": "the status knows no URL; the history does",
        "unsigned": "the callback carries no signature",
        "own_job_id": "the callback names only an id of the service's own",
    }

    def routes(self) -> dict[str, Callable[..., httpx.Response]]:
        return {
            "POST /api/upload": self.upload,
            "GET /api/uploadposts/status": self.status,
            "GET /api/uploadposts/history": self.history,
            "GET /api/uploadposts/me": self.me,
            "GET /api/uploadposts/users": self.profiles,
            "GET /api/uploadposts/tiktok/settings": self.tiktok_settings,
            "GET /api/uploadposts/users/notifications": self.notifications,
            "POST /api/uploadposts/users/notifications": self.set_notifications,
            "GET /gallery/?": self.gallery,
            r"GET /gallery/(?P<job_id>[\w.-]+)\.mp4": self.video,
            r"GET /gallery/(?P<job_id>[\w.-]+)\.jpg": self.picture,
            r"GET /gallery/(?P<job_id>[\w.-]+)": self.film,
        }

    def handle(self, request: httpx.Request) -> httpx.Response:
        if not request.url.path.startswith("/api/"):
            return super().handle(request)
        key = request.headers.get("Authorization", "").removeprefix("Apikey ").strip()
        if not key or self.goes_wrong("bad_key"):
            return httpx.Response(401, json={"success": False, "message": "Invalid or expired token"})
        if self.goes_wrong("server_error"):
            return httpx.Response(500, json={"success": False, "error": "Internal server error"})
        return super().handle(request)

    # --- Uploads

    def upload(self, request: httpx.Request) -> httpx.Response:
        fields = form(request)
        missing = [name for name in ("user", "platform[]", "video") if not fields.get(name)]
        if missing:
            return httpx.Response(400, json={"success": False, "message": f"Missing {', '.join(missing)}"})
        wanted = fields.setdefault("request_id", [uuid.uuid4().hex.encode()])[0].decode(errors="replace")
        if not JOB_ID.fullmatch(wanted):
            return httpx.Response(400, json={"success": False, "message": "Invalid request_id"})
        known = self._known(request.headers.get("Idempotency-Key", ""))
        refused = None if known else self._refused(fields)
        if refused:
            return refused
        job = known or self._take(wanted, fields, request)
        return self._answer(job, [value.decode() for value in fields["platform[]"]])

    def _refused(self, fields: dict[str, list[bytes]]) -> httpx.Response | None:
        if self.goes_wrong("no_profile"):
            return httpx.Response(404, json={"success": False, "message": "User not found"})
        if self.goes_wrong("plan"):
            return httpx.Response(403, json={"success": False, "message": "TikTok is not part of your plan"})
        if self.goes_wrong("hard_cap"):
            cap = {"platform": fields["platform[]"][0].decode(), "type": "hard_cap", "used_last_24h": 15, "cap": 15}
            full = cap | {"message": f"{cap['platform']} has had its 15 posts of 24 hours"}
            failed = {"success": False, "message": "Post verification failed", "violations": [full]}
            return httpx.Response(429, json=failed)
        return None

    def _answer(self, job: JSON, platforms: list[str]) -> httpx.Response:
        if job["sync"] and job["state"] in ENDED:
            results = {row.pop("platform"): row for row in self._rows(job)}
            success = any(row["success"] for row in results.values())
            return httpx.Response(
                200, json={"success": success, "results": results, "usage": {"count": 1, "limit": 120}}
            )
        answer = {
            "success": True,
            "message": "Upload initiated successfully in background.",
            "request_id": job["id"],
            "total_platforms": len(platforms),
        }
        return httpx.Response(200, json=answer)

    def _known(self, key: str) -> JSON | None:
        """The job of an idempotency key, which counts for 24 hours."""
        file = self._key_file(key)
        if not key or not file.is_file():
            return None
        job = self.load(file.read_text())
        young = job is not None and time.time() - job["created"] < KEY_LIVES_S * self.world.dial.time_scale
        return job if young else None

    def _key_file(self, key: str) -> Path:
        return self.path(f"{hashlib.sha256(key.encode()).hexdigest()}.key")

    def _take(self, wanted: str, fields: dict[str, list[bytes]], request: httpx.Request) -> JSON:
        known = self.load(wanted)
        if known:
            return known
        self._keep(fields.pop("video")[0], self.path(f"{wanted}.mp4"))
        texts = {name: [value.decode() for value in values] for name, values in fields.items()}
        key = request.headers.get("Idempotency-Key", "")
        if key:
            self._key_file(key).write_text(wanted)
        wants_sync = texts.get("async_upload", ["false"])[0] != "true" or self.goes_wrong("synchronous")
        sync = wants_sync and not self.goes_wrong("background")
        last = texts["platform[]"][-1]
        spoilt = next((fault for fault in ("mixed_success", "inbox", "not_connected") if self.goes_wrong(fault)), "")
        # The callback goes to the account's webhook, which is ours: the service knows no callback per upload.
        job = self.accept(
            id=wanted,
            fields=texts,
            key=key,
            sync=sync,
            spoilt={last: spoilt} if spoilt else {},
            without_url=self.goes_wrong("no_url"),
        )
        if sync:
            self.run(wanted)
        return self.load(wanted) or job

    def _keep(self, video: bytes, target: Path) -> None:
        """A film comes as a file, or as the URL of one."""
        if video.startswith((b"https://", b"http://")):
            self.world.fetch(video.decode(), target)
        else:
            target.write_bytes(video)

    def start(self, job_id: str) -> None:
        job = self.load(job_id)
        if job and not job["sync"]:
            super().start(job_id)

    def work(self, job: JSON) -> JSON:
        poster(self.path(f"{job['id']}.mp4"), self.path(f"{job['id']}.jpg"), at_s=POSTER_AT_S)
        return {"url": f"{self.world.public_url}/gallery/{job['id']}"}

    def status(self, request: httpx.Request) -> httpx.Response:
        wanted = request.url.params.get("request_id") or request.url.params.get("job_id", "")
        if not wanted:
            return httpx.Response(400, json={"error": "request_id is required"})
        job = self.load(wanted)
        if job is None or self.goes_wrong("not_found"):
            return httpx.Response(404, json={"status": "not_found", "request_id": wanted})
        platforms = job["fields"]["platform[]"]
        done = job["state"] in ENDED
        rows = self._rows(job) if done else []
        failed = done and not any(row["success"] for row in rows)
        answer = {
            "status": "failed" if failed else STATES[job["state"]],
            "completed": len(platforms) if done else 0,
            "total": len(platforms),
            "results": rows,
            "request_id": wanted,
            "external_id": job["fields"].get("external_id", [""])[0],
            "last_update": _stamp(job["ended"] if done else job["created"]),
        }
        return httpx.Response(200, json=answer)

    def _rows(self, job: JSON) -> list[JSON]:
        return [self._row(job, platform) for platform in job["fields"]["platform[]"]]

    def _row(self, job: JSON, platform: str) -> JSON:
        spoilt = job["spoilt"].get(platform)
        if job["state"] == "failed" or spoilt == "mixed_success":
            return {"platform": platform, "success": False, "error": job.get("error") or QUOTA}
        if spoilt == "not_connected":
            reason = {"skipped": True, "skip_reason": "profile_platform_mapping_invalid"}
            return {"platform": platform, "success": False, **reason}
        if spoilt == "inbox":
            return {"platform": platform, "success": True, "message": "Sent to inbox", "fallback_to_inbox": True}
        shown = {"platform": platform, "success": True, "message": "Published"}
        return shown if job["without_url"] else {**shown, "post_url": job["url"]}

    def history(self, request: httpx.Request) -> httpx.Response:
        rows = [
            {
                "profile_username": job["fields"]["user"][0],
                "platform": platform,
                "media_type": "video",
                "upload_timestamp": _stamp(job["created"]),
                "success": self._row(job, platform)["success"] and job["state"] == "done",
                "post_url": None if platform in job["spoilt"] else job.get("url"),
                "post_title": job["fields"].get("title", [""])[0],
                "is_async": True,
                "request_id": job["id"],
            }
            for job in self.jobs()
            for platform in job["fields"]["platform[]"]
        ]
        return httpx.Response(200, json={"history": rows[::-1][:100], "total": len(rows), "page": 1, "limit": 100})

    # --- The account

    def me(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"success": True, "email": "owner@example.test", "plan": "basic"})

    def profiles(self, request: httpx.Request) -> httpx.Response:
        """The demo's profile and whoever has uploaded, each with an account everywhere."""
        names = dict.fromkeys([PROFILE, *(job["fields"]["user"][0] for job in self.jobs())])
        social = {
            platform: {"handle": "demo", "display_name": "Demo", "reauth_required": False, "capabilities": []}
            for platform in ("tiktok", "instagram", "youtube")
        }
        found = [{"username": name, "created_at": _stamp(0), "social_accounts": social} for name in names]
        return httpx.Response(200, json={"success": True, "profiles": found})

    def tiktok_settings(self, request: httpx.Request) -> httpx.Response:
        allowed = {"privacy_level_options": ALLOWED, "max_video_post_duration_sec": 600}
        off = {"comment_disabled": False, "duet_disabled": False, "stitch_disabled": False}
        return httpx.Response(200, json={"success": True, **allowed, **off})

    def notifications(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"channels": {"webhook": True}, "webhook_url": self._webhook})

    def set_notifications(self, request: httpx.Request) -> httpx.Response:
        wanted = body_json(request.content)
        self.path("webhook.url").write_text(str(wanted.get("webhook_url", "")))
        return httpx.Response(200, json={"success": True, "notifications": wanted})

    @property
    def _webhook(self) -> str:
        chosen = self.path("webhook.url")
        return chosen.read_text() if chosen.is_file() else self.world.webhooks[self.name]

    # --- Callbacks

    def callbacks(self, job: JSON) -> Sequence[Call]:
        """One event per platform."""
        return [self._event(job, row) for row in self._rows(job)]

    def _event(self, job: JSON, row: JSON) -> Call:
        own_id = self.goes_wrong("own_job_id")
        body = {
            "event": "upload_completed",
            "job_id": uuid.uuid4().hex if own_id else job["id"],
            "profile_username": job["fields"]["user"][0],
            "platform": row["platform"],
            "media_type": "video",
            "title": job["fields"].get("title", [""])[0],
            "result": {"success": row["success"], "url": row.get("post_url"), "error": row.get("error")},
            "created_at": _stamp(job["ended"]).removesuffix("Z"),
        }
        raw, stamp = json.dumps(body).encode(), str(int(time.time()))
        signed = {
            "X-Upload-Post-Timestamp": stamp,
            "X-Upload-Post-Signature": sign(raw, stamp, secret=self.world.secrets[self.name]),
        }
        headers = {
            "Content-Type": "application/json",
            "X-Upload-Post-Event": "upload_completed",
            "X-Upload-Post-Delivery": uuid.uuid4().hex,
        }
        return Call(self._webhook, raw, headers if self.goes_wrong("unsigned") else headers | signed)

    def deliver(self, call: Call) -> bool:
        """Sends an event, unless the webhook sleeps after too many failures."""
        file = self.path("webhook.state")
        state: JSON = json.loads(file.read_text()) if file.is_file() else {"failures": 0, "wakes_at": 0}
        if time.time() < state["wakes_at"]:
            return False
        heard = super().deliver(call)
        failures = 0 if heard else state["failures"] + 1
        wakes_at = time.time() + SLEEP_S * self.world.dial.time_scale if failures >= FAILURES else 0
        file.write_text(json.dumps({"failures": 0 if wakes_at else failures, "wakes_at": wakes_at}))
        return heard

    # --- Pages

    def gallery(self, request: httpx.Request) -> httpx.Response:
        return _html(gallery_page([job for job in self.jobs() if _is_public(job)][::-1]))

    def film(self, request: httpx.Request, job_id: str) -> httpx.Response:
        job = self.load(job_id)
        return _html(film_page(job)) if job and _is_public(job) else httpx.Response(404, text="There is no such film.")

    def picture(self, request: httpx.Request, job_id: str) -> httpx.Response:
        file = self.path(f"{job_id}.jpg")
        if not file.is_file():
            return httpx.Response(404, text="There is no such picture.")
        return httpx.Response(200, content=file.read_bytes(), headers={"Content-Type": "image/jpeg"})


def _is_public(job: JSON) -> bool:
    """Whether somebody can see it; what is spoilt on one of several platforms is out on the others."""
    return job["state"] == "done" and len(job["spoilt"]) < len(job["fields"]["platform[]"])


def _html(page: str) -> httpx.Response:
    policy = "default-src 'none'; style-src 'unsafe-inline'; media-src 'self'; img-src 'self'"
    return httpx.Response(200, html=page, headers={"Content-Security-Policy": policy})


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
