"""Every provider: its adapter, its simulator, and the transport that its mode asks for."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.core.files.storage import default_storage
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils.module_loading import import_string
from limits.storage import RedisStorage

from myloware.kernel.errors import Misconfigured, NotFound, ProviderRefused

from . import callbacks
from .base import SignatureStatus
from .dial import Dial
from .handlers import InProcessTransport
from .http import Client, Service
from .kieai import adapter as kieai
from .kieai.adapter import KieaiAdapter
from .shared import Shared
from .shotstack.adapter import MICROUSD_PER_MINUTE, ShotstackAdapter
from .shotstack.api import EditApi
from .simulator import NextDoorTransport, Simulator, World
from .transports import PacedTransport, PublicTransport
from .uploadpost.adapter import UploadPostAdapter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from .base import Adapter, Event
    from .config import Mode, ProviderSettings


@dataclass(frozen=True)
class Entry:
    """``field`` starts the names of the provider's settings; ``hosts`` are those of its API and its files.

    ``title`` is what people call it. ``simulator`` names its class: who talks to none loads none. ``rate``: the most
    POSTs it takes, in the words of https://limits.readthedocs.io. ``advice``: what people can do, by the status with
    which it refuses.
    """

    title: str
    field: str
    simulator: str
    build: Callable[[Client, ProviderSettings], Adapter]
    headers: Callable[[str], dict[str, str]]
    hosts: frozenset[str]
    rate: str
    advice: Mapping[int, str]
    status_of: Callable[[httpx.Response], int] = lambda response: response.status_code


PROVIDERS: dict[str, Entry] = {
    "kieai": Entry(
        title="kie.ai",
        field="kieai",
        simulator="providers.kieai.fake.KieaiSimulator",
        build=lambda client, s: KieaiAdapter(client, signing_secret=s.kieai_signing_secret.get_secret_value()),
        headers=lambda key: {"Authorization": f"Bearer {key}"},
        hosts=frozenset({"api.kie.ai", "tempfile.aiquickdraw.com", "file.aiquickdraw.com"}),
        rate="20 per 10 seconds",
        advice={402: "Buy credits at kie.ai."},
        status_of=kieai.status_of,
    ),
    "shotstack": Entry(
        title="Shotstack",
        field="shotstack",
        simulator="providers.shotstack.fake.ShotstackSimulator",
        build=lambda client, s: ShotstackAdapter(
            client,
            webhook_secret=s.shotstack_webhook_secret.get_secret_value(),
            microusd_per_minute=0 if s.renders_here else MICROUSD_PER_MINUTE,
        ),
        headers=lambda key: {"x-api-key": key},
        hosts=frozenset(
            {
                "api.shotstack.io",
                "cdn.shotstack.io",
                "shotstack-api-v1-output.s3-ap-southeast-2.amazonaws.com",
                "shotstack-api-stage-output.s3-ap-southeast-2.amazonaws.com",
            }
        ),
        # Of the stage environment; production takes twice as many.
        rate="150 per minute",
        advice={},
    ),
    "upload-post": Entry(
        title="upload-post",
        field="upload_post",
        simulator="providers.uploadpost.fake.UploadPostSimulator",
        build=lambda client, s: UploadPostAdapter(
            client, signing_secret=s.upload_post_signing_secret.get_secret_value()
        ),
        headers=lambda key: {"Authorization": f"Apikey {key}"},
        hosts=frozenset({"api.upload-post.com"}),
        rate="60 per minute",
        advice={
            403: "Choose another plan there.",
            404: "Make the profile in its dashboard, or name another in the project.",
        },
    ),
}


def entry(name: str) -> Entry:
    """Raises ``NotFound`` for a provider we do not know."""
    if name not in PROVIDERS:
        raise NotFound(f"There is no provider '{name}'. Known: {', '.join(PROVIDERS)}.")
    return PROVIDERS[name]


def mode(name: str) -> Mode:
    """What a provider's adapter talks to."""
    return settings.PROVIDERS.mode(entry(name).field)


def renders_here(name: str) -> bool:
    """Whether a provider's work is done by our own renderer."""
    return name == "shotstack" and bool(settings.PROVIDERS.renders_here)


def strict() -> bool:
    """Whether this system works for real, at a service or for others: then nothing is weak, and nothing stands in."""
    return not settings.LOCAL or any(mode(name) == "live" for name in PROVIDERS)


def adapter(name: str) -> Adapter:
    """The adapter of a provider, talking to whatever its mode says."""
    return _adapter(name)


def download(name: str, urls: Sequence[str], target: Path) -> Path:
    """Fetches a provider's result file from the first of its places that has it."""
    *better, last = urls
    for url in better:
        with suppress(ProviderRefused):
            return _client(name).download(url, target)
    return _client(name).download(last, target)


def base_url(name: str) -> str:
    """Where a provider's API is, by the settings."""
    return str(_setting(name, "base_url")).rstrip("/")


def service(name: str) -> Service:
    """How a provider is reached, and with which key."""
    found = entry(name)
    # The stand-ins ask for a key as the services do, and take any.
    key = _setting(name, "api_key").get_secret_value() or ("" if mode(name) == "live" else "local-key")
    check_key = f"Check {found.field.upper()}_API_KEY."
    return Service(
        name,
        base_url(name),
        found.headers(key),
        found.hosts,
        found.status_of,
        title=found.title,
        advice={401: check_key, 403: check_key, **found.advice},
    )


def way_to(service: Service, at: str, *, rate: str) -> httpx.BaseTransport:
    """The way to a service that is no provider: out, or to a stand-in when ``at`` is not an address of the service's.

    Raises ``Misconfigured`` where nothing may stand in for it.
    """
    if service.owns(at):
        return _out(service.name, rate)
    if strict():
        raise Misconfigured(f"{service.name}: {at} is not one of its hosts; mend its base URL.")
    return NextDoorTransport(at)


def webhook_url(name: str) -> str:
    """Where a provider's webhook is received."""
    return f"{settings.WEBHOOK_BASE_URL}/v1/webhooks/{name}"


def verify(
    name: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, str], now: datetime
) -> SignatureStatus:
    """Whether a callback is genuine, by the scheme that is chosen for the provider; without a secret none is."""
    if not _callback_secret(name):
        return SignatureStatus.REJECTED
    if _is_generic(name):
        return callbacks.generic_status(headers, body, now, secret=_callback_secret(name))
    return adapter(name).verify(headers, body, query, now)


def event(name: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> Event:
    """What a callback says.

    Its key holds the reference too: no signature covers the URL, and the same callback sent to another URL, or without
    one of ours, must not shut out the genuine one.
    """
    found = adapter(name).event(headers, body, query)
    key = f"{name}:{hashlib.sha256(body).hexdigest()}" if _is_generic(name) else found.key
    return replace(found, key=f"{key}:{found.reference}" if found.reference else key)


def _is_generic(name: str) -> bool:
    return bool(_setting(name, "webhook_scheme") == "generic")


def callback_url(name: str, job: str) -> str:
    """The URL that a provider calls about our job, ``<id>.<try>``."""
    return callbacks.callback_url(settings.WEBHOOK_BASE_URL, name, job, secret=_callback_secret(name))


def query_of(url: str) -> dict[str, str]:
    """The fields of a URL's query."""
    return dict(httpx.URL(url).params)


def reference(name: str, url: str) -> str:
    """Our job, ``<id>.<try>``, in a callback URL that we made for a provider; empty for any other."""
    return callbacks.reference(query_of(url), name, secret=_callback_secret(name)) or ""


def simulators(
    *, tiny: bool = False, beside: Mapping[str, type[Simulator]] | None = None, public_url: str | None = None
) -> dict[str, Simulator]:
    """Every stand-in, and those of others ``beside``, in the world that the settings describe.

    ``public_url`` is where they are found, when that is not where the settings say.
    """
    own: dict[str, type[Simulator]] = {name: import_string(each.simulator) for name, each in PROVIDERS.items()}
    kinds = own | dict(beside or {})
    world = _world(kinds, tiny=tiny, public_url=public_url or settings.PROVIDERS.simulators_url)
    return {name: kind(world) for name, kind in kinds.items()}


@cache
def _adapter(name: str) -> Adapter:
    return entry(name).build(_client(name), settings.PROVIDERS)


@cache
def _client(name: str) -> Client:
    return Client(service(name), _transport(name), Shared())


def _transport(name: str) -> httpx.BaseTransport:
    if renders_here(name):
        return InProcessTransport(_renderer())
    if mode(name) == "live":
        return _out(name, entry(name).rate)
    if mode(name) == "local":
        return NextDoorTransport(settings.PROVIDERS.simulators_url)
    return InProcessTransport(simulators(tiny=True)[name])


def _renderer() -> EditApi:
    # It asks us where callbacks go.
    from .renders import Rows

    return EditApi(Rows())


def _out(name: str, rate: str) -> httpx.BaseTransport:
    return PacedTransport(PublicTransport(), name=name, rate=rate, storage=_counts())


def _counts() -> RedisStorage:
    # A broker that hangs must not hold up who has an order to place.
    return RedisStorage(settings.REDIS_URL, socket_timeout=3, socket_connect_timeout=3)


def _world(kinds: Mapping[str, type[Simulator]], *, tiny: bool, public_url: str) -> World:
    folder = settings.DATA_DIR / "simulators"
    chosen = settings.PROVIDERS
    return World(
        state_dir=folder,
        dial=Dial(
            folder / "dial.json",
            {name: kind.faults for name, kind in kinds.items()},
            chosen.simulators_faults,
            chosen.simulators_time_scale,
        ),
        public_url=public_url,
        secrets={name: _callback_secret(name) for name in PROVIDERS},
        webhooks={name: webhook_url(name) for name in PROVIDERS},
        fetch=_from_the_store if tiny else _fetch,
        tiny=tiny,
    )


def _fetch(url: str, target: Path) -> Path:
    with httpx.stream("GET", url, timeout=60) as response, target.open("wb") as file:
        response.raise_for_status()
        for block in response.iter_bytes():
            file.write(block)
    return target


def _from_the_store(url: str, target: Path) -> Path:
    """The mock has no web process to fetch our media from; it takes them from the media store itself."""
    with default_storage.open(urlsplit(url).path.removeprefix("/media/")) as file:
        target.write_bytes(file.read())
    return target


def _callback_secret(name: str) -> str:
    secret = _setting(name, "webhook_secret" if name == "shotstack" else "signing_secret")
    return str(secret.get_secret_value())


def _setting(name: str, suffix: str) -> Any:
    return getattr(settings.PROVIDERS, f"{entry(name).field}_{suffix}")


@receiver(setting_changed)
def _forget(*, setting: str, **_: Any) -> None:
    if setting in {"PROVIDERS", "WEBHOOK_BASE_URL", "DATA_DIR", "MEDIA_ROOT"}:
        _adapter.cache_clear()
        _client.cache_clear()
