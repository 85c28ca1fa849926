"""kie.ai on this machine: takes the real request, synthesises the clip, calls back as the service does."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, ClassVar

import httpx

from providers.callbacks import body_json
from providers.media.synth import synthesise
from providers.simulator import JSON, Call, Simulator

from .adapter import CREDITS, LENGTHS_S, sign

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SIZES = {"9:16": (720, 1280), "16:9": (1280, 720)}
TINY = 8
# Longer than the overlaps of a cut take from it on both sides.
TINY_S = 2
FPS, TINY_FPS = 24, 8
FILES = "tempfile.aiquickdraw.com"
BALANCE = 100_000


CODES = {
    400: "Your prompt was flagged by Website as violating content policies.",
    401: "Unauthorized – Authentication failed. Please check your API key.",
    402: "The current credits are insufficient. Please top up.",
    422: "Your request was rejected by Flow(policy).",
    429: "The call frequency is too high. Please try again later.",
    455: "Service unavailable: maintenance.",
    500: "Server exception, please try again later or contact customer service",
}
PROCESSING = "1080P is processing. It should be ready in 1-2 minutes. Please check back shortly."
WRONG_KEY = "a key that is not the account's"


class KieaiSimulator(Simulator):
    """Veo, at 720p, with a larger version on request."""

    name = "kieai"
    hosts = frozenset({"api.kie.ai", FILES})
    # Three retries after the first delivery; their spacing is not documented.
    callback_delays_s = (0, 5, 10, 20)
    faults: ClassVar[Mapping[str, str]] = {
        **Simulator.common_faults,
        **{f"code_{code}": f"HTTP 200 with code {code}: {message}" for code, message in CODES.items()},
        "http_status": "the code in the envelope is the HTTP status too",
        "urls_as_json_text": "resultUrls is JSON text",
        "urls_in_brackets": "resultUrls is bare text in brackets",
        "task_id_snake_case": "the callback calls the task task_id",
        "times_iso": "times are ISO 8601",
        "times_epoch_ms": "times are milliseconds since 1970",
        "fails_flag_2": "the generation fails with successFlag 2",
        "fails_flag_3": "the generation fails with successFlag 3",
        "1080p_late": "the 1080p version is still being processed, code 400",
        "no_1080p": "the 1080p version is never made",
        "wrong_key": "the callback is signed with a wrong key",
        "old_timestamp": "the callback was signed 301 s ago",
        "changed_body": "the callback's signature is genuine and its URLs are somebody else's",
    }

    def routes(self) -> dict[str, Callable[..., httpx.Response]]:
        return {
            "POST /api/v1/veo/generate": self.generate,
            "GET /api/v1/veo/record-info": self.record_info,
            "GET /api/v1/veo/get-1080p-video": self.larger,
            "GET /api/v1/chat/credit": self.credit,
            r"GET /p/(?P<job_id>[0-9a-f]+)(_1080p)?\.mp4": self.video,
        }

    def handle(self, request: httpx.Request) -> httpx.Response:
        if not request.url.path.startswith("/api/"):
            return super().handle(request)
        answer = self._refused(request) or super().handle(request)
        code = body_json(answer.content).get("code")
        if isinstance(code, int) and self.goes_wrong("http_status"):
            return httpx.Response(code, content=answer.content, headers={"Content-Type": "application/json"})
        return answer

    def _refused(self, request: httpx.Request) -> httpx.Response | None:
        if not request.headers.get("Authorization", "").removeprefix("Bearer ").strip():
            return envelope(401, CODES[401])
        return next((envelope(code, text) for code, text in CODES.items() if self.goes_wrong(f"code_{code}")), None)

    def generate(self, request: httpx.Request) -> httpx.Response:
        body = body_json(request.content)
        wrong = _wrong(body)
        if wrong:
            return envelope(422, wrong)
        flag = next((flag for flag in (2, 3) if self.goes_wrong(f"fails_flag_{flag}")), None)
        job = self.accept(request=body, fails=flag)
        return envelope(200, "success", {"taskId": job["id"]})

    def record_info(self, request: httpx.Request) -> httpx.Response:
        task = request.url.params.get("taskId", "")
        job = self.load(task)
        if job is None:
            return envelope(422, "record is null")
        flag = (job.get("fails") or 2) if job["state"] == "failed" else int(job["state"] == "done")
        stamp = self._stamp_form()
        data = {
            "taskId": task,
            "paramJson": json.dumps(job["request"]),
            "createTime": stamp(job["created"]),
            "completeTime": stamp(job["ended"]) if flag else None,
            "successFlag": flag,
            "response": {"taskId": task, "resultUrls": self._urls(task), "resolution": "720p"} if flag == 1 else None,
            "errorCode": 500 if flag > 1 else None,
            "errorMessage": job.get("error", ""),
            "fallbackFlag": False,
        }
        return envelope(200, "success", data)

    def _stamp_form(self) -> Callable[[float], str | int]:
        if self.goes_wrong("times_epoch_ms"):
            return lambda seconds: int(seconds * 1000)
        if self.goes_wrong("times_iso"):
            return lambda seconds: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
        return lambda seconds: time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))

    def _urls(self, task: str) -> list[str] | str:
        if self.goes_wrong("urls_as_json_text"):
            return json.dumps([_url(task)])
        return f"[{_url(task)}]" if self.goes_wrong("urls_in_brackets") else [_url(task)]

    def larger(self, request: httpx.Request) -> httpx.Response:
        job = self.load(request.url.params.get("taskId", ""))
        if job is None:
            return envelope(422, "record is null")
        if job["state"] != "done":
            return envelope(422, "record status is not success")
        if self.goes_wrong("no_1080p"):
            return envelope(422, "record result data is blank")
        if self.goes_wrong("1080p_late"):
            return envelope(400, PROCESSING)
        return envelope(200, "success", {"resultUrl": _url(f"{job['id']}_1080p")})

    def credit(self, request: httpx.Request) -> httpx.Response:
        billed = [job for job in self.jobs() if job["state"] != "failed"]
        spent = sum(CREDITS[job["request"].get("model", "veo3_fast")] for job in billed)
        return envelope(200, "success", BALANCE - spent)

    def work(self, job: JSON) -> JSON:
        if job.get("fails"):
            raise GenerationFailed("The generation failed: the model returned nothing.")
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
            fps=TINY_FPS if self.world.tiny else FPS,
            seed=int(order.get("seeds", 0)),
        )
        return {}

    def callbacks(self, job: JSON) -> Sequence[Call]:
        url = job["request"].get("callBackUrl")
        if not url:
            return []
        task = job["id"]
        content, signed_at = self._told(job), int(time.time())
        if self.goes_wrong("old_timestamp"):
            signed_at -= 301
        key = WRONG_KEY if self.goes_wrong("wrong_key") else self.world.secrets[self.name]
        headers = {
            "Content-Type": "application/json",
            "X-Webhook-Timestamp": str(signed_at),
            "X-Webhook-Signature": sign(task, str(signed_at), secret=key),
        }
        return [Call(url, json.dumps(content).encode(), headers)]

    def _told(self, job: JSON) -> JSON:
        name = "task_id" if self.goes_wrong("task_id_snake_case") else "taskId"
        data: JSON = {name: job["id"], "promptJson": json.dumps(job["request"]), "fallbackFlag": False}
        if job["state"] != "done":
            return {"code": 500, "msg": job["error"], "data": data}
        changed = self.goes_wrong("changed_body")
        urls = ["https://evil.example/film.mp4"] if changed else self._urls(job["id"])
        data["info"] = {"resultUrls": urls, "originUrls": [], "resolution": "720p"}
        return {"code": 200, "msg": "Veo3.1 video generated successfully.", "data": data}


class GenerationFailed(Exception):
    """The outcome of a job that the dial lets fail."""


def _wrong(body: JSON) -> str:
    """Why an order is not taken; empty when it is."""
    if not body.get("prompt"):
        return "prompt is required"
    if body.get("model", "veo3_fast") not in CREDITS:
        return "Invalid model"
    if body.get("duration", 8) not in LENGTHS_S:
        return "Invalid duration"
    return "" if _ratio(body) in SIZES else "Invalid aspect ratio"


def envelope(code: int, message: str, data: Any = None) -> httpx.Response:
    """The service's answer: HTTP 200 whatever the code inside says."""
    return httpx.Response(200, json={"code": code, "msg": message, "data": data})


def _ratio(body: JSON) -> str:
    return str(body.get("aspect_ratio") or body.get("aspectRatio") or "16:9")


def _url(task: str) -> str:
    return f"https://{FILES}/p/{task}.mp4"
