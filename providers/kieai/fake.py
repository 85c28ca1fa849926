"""kie.ai on this machine: takes the real request, synthesises the clip, calls back as the service does."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import httpx

from providers.callbacks import body_json
from providers.media.synth import synthesise
from providers.simulator import JSON, Simulator

from .adapter import CREDITS, sign

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = {"9:16": (720, 1280), "16:9": (1280, 720), "1:1": (720, 720)}
TINY = 8
# Longer than the overlaps of a cut take from it on both sides.
TINY_S = 2
FPS = 24
FILES = "tempfile.aiquickdraw.com"
FLAGS = {"done": 1, "failed": 2}
BALANCE = 100_000


class KieaiSimulator(Simulator):
    """Veo, at 720p."""

    name = "kieai"
    hosts = frozenset({"api.kie.ai", FILES})
    # Three retries after the first delivery; their spacing is not documented.
    callback_delays_s = (0, 5, 10, 20)

    def routes(self) -> dict[str, Callable[..., httpx.Response]]:
        return {
            "POST /api/v1/veo/generate": self.generate,
            "GET /api/v1/veo/record-info": self.record_info,
            "GET /api/v1/chat/credit": self.credit,
            r"GET /p/(?P<job_id>[0-9a-f]+)\.mp4": self.video,
        }

    def generate(self, request: httpx.Request) -> httpx.Response:
        body = body_json(request.content)
        fault = self._fault(request, body)
        if fault:
            return fault
        job = self.accept(request=body)
        return envelope(200, "success", {"taskId": job["id"]})

    def _fault(self, request: httpx.Request, body: JSON) -> httpx.Response | None:
        if not request.headers.get("Authorization", "").removeprefix("Bearer ").strip():
            return envelope(401, "Unauthorized – Authentication failed. Please check your API key.")
        if not body.get("prompt"):
            return envelope(422, "prompt is required")
        if body.get("model", "veo3_fast") not in CREDITS:
            return envelope(422, "Invalid model")
        if body.get("duration", 8) not in {4, 6, 8}:
            return envelope(422, "Invalid duration")
        if _ratio(body) not in SIZES:
            return envelope(422, "Invalid aspect ratio")
        return None

    def record_info(self, request: httpx.Request) -> httpx.Response:
        task = request.url.params.get("taskId", "")
        job = self.load(task)
        if job is None:
            return envelope(422, "record is null")
        flag = FLAGS.get(job["state"], 0)
        data = {
            "taskId": task,
            "paramJson": json.dumps(job["request"]),
            "createTime": _stamp(job["created"]),
            "completeTime": _stamp(job["ended"]) if flag else None,
            "successFlag": flag,
            "response": {"taskId": task, "resultUrls": [_url(task)], "resolution": "720p"} if flag == 1 else None,
            "errorCode": 500 if flag == 2 else None,
            "errorMessage": job.get("error", ""),
            "fallbackFlag": False,
        }
        return envelope(200, "success", data)

    def credit(self, request: httpx.Request) -> httpx.Response:
        spent = sum(CREDITS[job["request"].get("model", "veo3_fast")] for job in self.jobs())
        return httpx.Response(200, json={"code": 200, "msg": "success", "data": BALANCE - spent})

    def work(self, job: JSON) -> JSON:
        order = job["request"]
        width_px, height_px = SIZES[_ratio(order)]
        scale = TINY if self.world.tiny else 1
        synthesise(
            order["prompt"],
            self.path(f"{job['id']}.mp4"),
            # Even sides: yuv420p halves them.
            width_px=width_px // scale // 2 * 2,
            height_px=height_px // scale // 2 * 2,
            duration_s=TINY_S if self.world.tiny else float(order.get("duration", 8)),
            fps=FPS,
            seed=int(order.get("seeds", 0)),
        )
        return {}

    def callback(self, job: JSON) -> tuple[str, bytes, dict[str, str]] | None:
        url = job["request"].get("callBackUrl")
        if not url:
            return None
        data: JSON = {"taskId": job["id"], "promptJson": json.dumps(job["request"]), "fallbackFlag": False}
        code, message = 200, "Veo3.1 video generated successfully."
        if job["state"] == "done":
            data["info"] = {"resultUrls": [_url(job["id"])], "originUrls": [], "resolution": "720p"}
        else:
            code, message = 500, job["error"]
        stamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "X-Webhook-Timestamp": stamp,
            "X-Webhook-Signature": sign(job["id"], stamp, secret=self.world.secrets[self.name]),
        }
        return url, json.dumps({"code": code, "msg": message, "data": data}).encode(), headers


def envelope(code: int, message: str, data: Any = None) -> httpx.Response:
    """The service's answer: HTTP 200 whatever the code inside says."""
    return httpx.Response(200, json={"code": code, "msg": message, "data": data})


def _ratio(body: JSON) -> str:
    return str(body.get("aspect_ratio") or body.get("aspectRatio") or "16:9")


def _url(task: str) -> str:
    return f"https://{FILES}/p/{task}.mp4"


def _stamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))
