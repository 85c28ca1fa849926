"""Shotstack: renders an Edit. https://shotstack.io/docs/api/"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from myloware.kernel.errors import OutcomeUnknown, ProviderRefused
from providers.answers import Answer, read
from providers.base import Checkup, Event, RenderOrder, Report, SignatureStatus, State, Submission
from providers.callbacks import body_json, identifier, reference

from .schema import faults, length_s

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from providers.base import Account
    from providers.http import Client

# One credit is one minute of output; 0.30 USD pay as you go (third-party reports).
MICROUSD_PER_MINUTE = 300_000
# What an Edit that does not say in numbers how long it is will be taken to last.
UNKNOWN_LENGTH_S = 60
# It renders three hours at most (third-party reports); what it says to be longer is not to be believed.
LONGEST_S = 24 * 3600


class Render(Answer):
    """``response`` of GET /render/{id}; ``duration`` in seconds."""

    id: str
    owner: str = ""
    status: str = "queued"
    url: str | None = None
    error: str | None = None
    duration: float | None = None


class ShotstackAdapter:
    """Orders renders and reads their state."""

    name = "shotstack"
    idempotent = False

    def __init__(self, client: Client, *, webhook_secret: str, microusd_per_minute: int = MICROUSD_PER_MINUTE) -> None:
        self._client = client
        self._secret = webhook_secret
        self._microusd_per_minute = microusd_per_minute

    def estimate(self, request: Mapping[str, Any]) -> int:
        return self._price(math.ceil(length_s(request["edit"])) or UNKNOWN_LENGTH_S)

    def submit(self, order: RenderOrder, *, key: str, callback_url: str | None) -> Submission:
        """Places one order. There is no idempotency key: the same call twice renders and bills twice.

        Raises ``ProviderRefused`` without asking for an Edit that the service's schema refuses.
        """
        edit = {**order.edit, **({"callback": callback_url} if callback_url else {})}
        wrong = faults(edit)
        if wrong:
            words = "; ".join(f"{fault['path']}: {fault['message']}" for fault in wrong[:3])
            raise ProviderRefused(f"This is not an Edit that Shotstack takes: {words}"[:1000], faults=wrong[:10])
        return self._queued("/render", edit)

    def submit_template(self, template: str, merge: Mapping[str, Any]) -> Submission:
        """Places one order for a template that is kept at the service; ``merge`` fills in its placeholders."""
        fields = [{"find": find, "replace": replace} for find, replace in merge.items()]
        return self._queued("/templates/render", {"id": template, "merge": fields})

    def _queued(self, path: str, body: dict[str, Any]) -> Submission:
        answer = body_json(self._client.post(path, json=body).content)
        render = identifier(_response(answer).get("id"))
        if not render:
            raise OutcomeUnknown("Shotstack took the order and did not say under which id.", provider=self.name)
        return Submission(render, answer)

    def probe(self, url: str) -> dict[str, Any]:
        """What the service sees in a media file: ffprobe's JSON, with ``streams`` and ``format``."""
        answer = body_json(self._client.get(f"/probe/{quote(url, safe='')}").content)
        found = _response(answer).get("metadata")
        return found if isinstance(found, dict) else {}

    def checkup(self, accounts: Sequence[Account], webhook: str) -> Checkup:
        """Whether the key is one of the environment in the base URL; the balance cannot be asked."""
        self._client.get("/templates")
        stage = self._environment == "stage"
        return Checkup(("Films will carry a watermark: this is the stage environment.",) if stage else ())

    def status(self, external_id: str) -> Report:
        raw = _response(body_json(self._client.get(f"/render/{external_id}", data="false").content))
        render = read(Render, raw, who=self.name)
        if render.status == "done" and render.url:
            urls = (render.url, self._copy(render))
            return Report(State.SUCCEEDED, urls=urls, cost_microusd=self._cost(render), raw=raw)
        if render.status == "failed":
            return Report(State.FAILED, error=render.error or "the render failed without a reason", raw=raw)
        return Report(State.ACCEPTED, raw=raw)

    def _copy(self, render: Render) -> str:
        """Where the service keeps a copy after the file of the render has expired (24 h)."""
        return f"https://cdn.shotstack.io/au/{self._environment}/{render.owner}/{render.id}.mp4"

    @property
    def _environment(self) -> str:
        return self._client.service.base_url.rpartition("/")[2]

    def find(self, key: str) -> Submission | None:
        """Shotstack cannot be asked by our key; the callback of a lost order brings its id."""
        return None

    def verify(
        self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str], now: datetime
    ) -> SignatureStatus:
        """Callbacks are not signed; the proof in the URL we gave is all there is."""
        if not query.get("ref"):
            return SignatureStatus.MISSING
        known = reference(query, self.name, secret=self._secret)
        return SignatureStatus.VERIFIED if known else SignatureStatus.REJECTED

    def event(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> Event:
        """Edit and serve events come to one URL; in a serve event ``id`` is the asset's and ``render`` the render's."""
        content = body_json(body)
        render = content.get("render") if content.get("type") == "serve" else content.get("id")
        parts: list[Any] = [content.get(key) for key in ("type", "action", "id", "status")]
        job = reference(query, self.name, secret=self._secret)
        named = identifier(render)
        return Event(f"shotstack:{':'.join(map(str, parts))}", (named,) if named else (), job)

    def _cost(self, render: Render) -> int | None:
        return self._price(render.duration) if render.duration and 0 < render.duration < LONGEST_S else None

    def _price(self, duration_s: float) -> int:
        return round(duration_s / 60 * self._microusd_per_minute)


def _response(answer: Mapping[str, Any]) -> dict[str, Any]:
    found = answer.get("response")
    return found if isinstance(found, dict) else {}
