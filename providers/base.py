"""The words in which the engine and the providers speak: orders out, reports back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class ClipOrder:
    """One clip to generate. ``model`` is ours or the vendor's name."""

    prompt: str
    aspect_ratio: str
    duration_s: int
    resolution: str
    model: str
    seed: int


@dataclass(frozen=True)
class RenderOrder:
    """One film to render, as a Shotstack Edit."""

    edit: dict[str, Any]


def with_hashtags(caption: str, tags: Sequence[str]) -> str:
    """The text of a post as platforms get it."""
    return " ".join([caption, *(f"#{tag}" for tag in tags)])


@dataclass(frozen=True)
class PublishOrder:
    """One film to publish, a file of ours or a public URL.

    ``request_id`` is our name for it, under which the service can be asked.
    """

    video: Path | str
    title: str
    caption: str
    tags: tuple[str, ...]
    profile: str
    platform: str
    privacy: str
    request_id: str
    is_aigc: bool = True


Order = ClipOrder | RenderOrder | PublishOrder


class State(StrEnum):
    """``accepted``: taken and not done yet."""

    ACCEPTED = "accepted"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class SignatureStatus(StrEnum):
    VERIFIED = "verified"
    MISSING = "missing"
    REJECTED = "rejected"
    STALE = "stale"


@dataclass(frozen=True)
class Submission:
    """The service took the order. ``raw`` is its answer."""

    external_id: str
    raw: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """What the service says of a job.

    ``urls`` are places of the one file that came out, best first, and they expire; while the job is still
    ``accepted`` they are what could be had already. ``page_urls`` are public pages.
    """

    state: State
    urls: tuple[str, ...] = ()
    page_urls: tuple[str, ...] = ()
    error: str = ""
    cost_microusd: int | None = None
    raw: dict[str, Any] = field(default_factory=dict)


class Account(NamedTuple):
    """Where films are published: the service's ``profile`` and one of its platforms."""

    profile: str
    platform: str


@dataclass(frozen=True)
class Event:
    """A callback. ``key`` names the delivery for de-duplication.

    ``reference`` is our job, ``<id>.<try>``, from a callback URL that we made; ``external_ids`` are the names by which
    the service may mean it. Of a service that knows neither, ``account`` says where something was published.
    """

    key: str
    external_ids: tuple[str, ...] = ()
    reference: str | None = None
    account: Account | None = None


@dataclass(frozen=True)
class Checkup:
    """What an account says of itself: ``facts`` to know, ``faults`` to mend before the first film."""

    facts: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


class Adapter(Protocol):
    """How one service is spoken to.

    ``estimate`` is what an order, given by its fields, will cost in micro-dollars; it asks nobody.
    ``submit``, ``status`` and ``checkup`` raise ``ProviderRefused``, ``ProviderUnavailable``, ``RateLimited`` or
    ``OutcomeUnknown``.
    """

    name: str
    # The service keeps our key: placing the same order twice makes one job.
    idempotent: bool

    def estimate(self, request: Mapping[str, Any]) -> int: ...

    def submit(self, order: Any, *, key: str, callback_url: str | None) -> Submission: ...

    def status(self, external_id: str) -> Report: ...

    def find(self, key: str) -> Submission | None:
        """The job of our ``key``, where the service can look it up."""

    def verify(
        self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str], now: datetime
    ) -> SignatureStatus: ...

    def event(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> Event: ...

    def checkup(self, accounts: Sequence[Account], webhook: str) -> Checkup:
        """Asks cheaply, changing nothing. ``accounts`` are published to; ``webhook`` is where we listen."""
