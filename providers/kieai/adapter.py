"""kie.ai: Veo clips. https://docs.kie.ai/veo3-api/quickstart

HTTP says 200 for nearly everything; the code that counts is in the envelope ``{"code", "msg", "data"}``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from myloware.kernel.errors import OutcomeUnknown, ProviderRefused
from myloware.kernel.signing import same
from providers.answers import Answer, read
from providers.base import Checkup, ClipOrder, Event, Report, SignatureStatus, State, Submission
from providers.callbacks import age_status, body_json, identifier, reference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import httpx

    from providers.base import Account
    from providers.http import Client

# Our names for the models, and what the service takes for them.
MODELS = {"veo-3-fast": "veo3_fast", "veo-3": "veo3", "veo-3-lite": "veo3_lite"}
# 1 credit = 0.005 USD; 60 credits for 8 s of veo3_fast, 250 of veo3 (third-party reports, October 2025).
# A shorter clip is taken to cost as much.
MICROUSD_PER_CREDIT = 5_000
CREDITS = {"veo3_fast": 60, "veo3": 250, "veo3_lite": 30}

LARGE = "1080p"
LENGTHS_S = (4, 6, 8)
RATIOS = frozenset({"16:9", "9:16"})

# The codes in the envelope that mean something else than the HTTP status of that number (provider's error table):
# 408 the model gave nothing; 455 maintenance, in which nothing is taken; 501 the generation failed; 505 the feature is
# off.
HTTP_STATUS = {408: 504, 455: 429, 501: 422, 505: 422}
MADE = 200
# No envelope, so nobody knows what became of the request.
UNREADABLE = 502


class Result(Answer):
    """``resultUrls`` comes as a list, as JSON text, or as bare text in brackets."""

    urls: tuple[str, ...] = Field((), alias="resultUrls")
    resolution: str | None = None

    @field_validator("urls", mode="before")
    @classmethod
    def _any_form(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value or ()
        try:
            return json.loads(value)
        except ValueError:
            return [part.strip() for part in value.strip("[] ").split(",") if part.strip()]


class Record(Answer):
    """``data`` of record-info. ``successFlag``: 0 running, 1 success, 2 and 3 failed."""

    success_flag: int = Field(0, alias="successFlag")
    response: Result | None = None
    error_code: int | None = Field(None, alias="errorCode")
    error_message: str | None = Field(None, alias="errorMessage")
    param_json: str | None = Field(None, alias="paramJson")
    fallback: bool | None = Field(None, alias="fallbackFlag")

    @property
    def request(self) -> dict[str, Any]:
        """The order as the service repeats it; empty when it does not."""
        return body_json(self.param_json or "{}")

    @property
    def has_larger(self) -> bool:
        """Whether 1080p was ordered and less has come. Clips of the fallback model are made in one size only."""
        came = self.response.resolution if self.response else None
        return self.request.get("resolution") == LARGE and came not in {LARGE, None} and not self.fallback


class KieaiAdapter:
    """Orders clips and reads their state."""

    name = "kieai"
    idempotent = False

    def __init__(self, client: Client, *, signing_secret: str) -> None:
        self._client = client
        self._secret = signing_secret

    def estimate(self, request: Mapping[str, Any]) -> int:
        model = str(request.get("model"))
        return _price(MODELS.get(model, model))

    def submit(self, order: ClipOrder, *, key: str, callback_url: str | None) -> Submission:
        """Places one order. There is no idempotency key: the same call twice makes and bills two clips."""
        data = self._call("POST", "/api/v1/veo/generate", json=_request(order, callback_url))
        task = identifier(data.get("taskId"))
        if not task:
            raise OutcomeUnknown("kie.ai took the order and did not say under which id.", provider=self.name)
        return Submission(task, data)

    def status(self, external_id: str) -> Report:
        data = self._call("GET", "/api/v1/veo/record-info", taskId=external_id)
        record = read(Record, data, who=self.name)
        if record.success_flag == 1 and record.response and record.response.urls:
            return self._made(external_id, record, record.response.urls, data)
        if record.success_flag in {0, 1}:
            # Of a finished clip the files may come a moment later.
            return Report(State.ACCEPTED, raw=data)
        return Report(State.FAILED, error=record.error_message or f"error {record.error_code}", raw=data)

    def _made(self, task: str, record: Record, urls: tuple[str, ...], data: dict[str, Any]) -> Report:
        larger = self._larger(task) if record.has_larger else ()
        state = State.SUCCEEDED if larger is not None else State.ACCEPTED
        return Report(state, urls=(*(larger or ()), *urls), cost_microusd=_cost(record), raw=data)

    def _larger(self, task: str) -> tuple[str, ...] | None:
        """Where the clip is in 1080p, which takes one to three minutes more; None until then, empty if never."""
        try:
            found = self._call("GET", "/api/v1/veo/get-1080p-video", taskId=task, index=0).get("resultUrl")
        except ProviderRefused as error:
            return None if "processing" in error.message else ()
        return (str(found),) if found else ()

    def checkup(self, accounts: Sequence[Account], webhook: str) -> Checkup:
        """The balance, in credits."""
        balance = body_json(self._client.get("/api/v1/chat/credit").content).get("data")
        if not isinstance(balance, int | float):
            return Checkup(faults=("kie.ai does not tell the balance; look at its dashboard.",))
        clips = int(balance // CREDITS["veo3_fast"])
        facts = (f"{balance:,} credits, about {clips} clips of veo3_fast.",)
        return Checkup(facts, () if clips else ("No credits for even one clip; buy some at kie.ai.",))

    def find(self, key: str) -> Submission | None:
        """kie.ai cannot be asked by our key; the callback of a lost order brings its id."""
        return None

    def verify(
        self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str], now: datetime
    ) -> SignatureStatus:
        """base64(HMAC-SHA256(secret, taskId + "." + timestamp)); the body itself is not covered."""
        given, stamp = headers.get("x-webhook-signature", ""), headers.get("x-webhook-timestamp", "")
        if not given or not stamp:
            return SignatureStatus.MISSING
        if not same(given, sign(task_id(body_json(body)), stamp, secret=self._secret)):
            return SignatureStatus.REJECTED
        return age_status(stamp, now)

    def event(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> Event:
        content = body_json(body)
        task = task_id(content)
        job = reference(query, self.name, secret=self._secret)
        # The signature does not cover the code: nobody shall make many events of one by changing it.
        outcome = "made" if content.get("code") == MADE else "failed"
        return Event(f"kieai:{task}:{outcome}", (task,) if task else (), job)

    def _call(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        send = self._client.post if method == "POST" else self._client.get
        data = body_json(send(path, **content).content).get("data")
        return data if isinstance(data, dict) else {}


def status_of(response: httpx.Response) -> int:
    """The HTTP status that kie.ai would have answered with, if it did not say 200 to everything."""
    if response.is_error:
        return response.status_code
    code = body_json(response.content).get("code")
    if not isinstance(code, int):
        return UNREADABLE
    return HTTP_STATUS.get(code, code)


def _request(order: ClipOrder, callback_url: str | None) -> dict[str, Any]:
    # It makes upright and broad clips; a square film is cut out of an upright one.
    ratio = order.aspect_ratio if order.aspect_ratio in RATIOS else "9:16"
    request = {
        "prompt": order.prompt,
        "model": MODELS.get(order.model, order.model),
        "generationType": "TEXT_2_VIDEO",
        # Renamed between the API's versions of 2025 and 2026; each reads the one it knows.
        "aspect_ratio": ratio,
        "aspectRatio": ratio,
        "resolution": order.resolution,
        "duration": next((length_s for length_s in LENGTHS_S if length_s >= order.duration_s), LENGTHS_S[-1]),
        "seeds": order.seed,
        "enableTranslation": False,
    }
    return request | ({"callBackUrl": callback_url} if callback_url else {})


def sign(task: str, stamp: str, *, secret: str) -> str:
    mac = hmac.new(secret.encode(), f"{task}.{stamp}".encode(), hashlib.sha256)
    return base64.b64encode(mac.digest()).decode()


def task_id(content: dict[str, Any]) -> str:
    """The task a callback speaks of, in either spelling, in ``data`` or at the root."""
    data = content.get("data")
    places = [data, content] if isinstance(data, dict) else [content]
    found = (identifier(place.get(key)) for place in places for key in ("task_id", "taskId"))
    return next(filter(None, found), "")


def _cost(record: Record) -> int | None:
    """The price of the model that the service repeats in its answer; None when it does not."""
    model = record.request.get("model")
    return _price(model) if isinstance(model, str) else None


def _price(model: str) -> int:
    """Micro-dollars for one clip; a model without a known price costs as much as the dearest."""
    return CREDITS.get(model, max(CREDITS.values())) * MICROUSD_PER_CREDIT
