"""Every provider: its adapter, its simulator, and the transport that its mode asks for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver

from myloware.kernel.errors import NotFound

from . import callbacks
from .http import Client, Service
from .kieai import adapter as kieai
from .kieai.adapter import KieaiAdapter
from .kieai.fake import KieaiSimulator
from .shotstack.adapter import ShotstackAdapter
from .shotstack.fake import ShotstackSimulator
from .simulator import NextDoorTransport, Simulator, SimulatorTransport, World
from .uploadpost.adapter import UploadPostAdapter
from .uploadpost.fake import UploadPostSimulator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .base import Adapter
    from .config import Mode, ProviderSettings


@dataclass(frozen=True)
class Entry:
    """``field`` starts the names of the provider's settings; ``hosts`` are those of its API and its files."""

    field: str
    simulator: type[Simulator]
    build: Callable[[Client, ProviderSettings], Adapter]
    headers: Callable[[str], dict[str, str]]
    hosts: frozenset[str]
    status_of: Callable[[httpx.Response], int] = lambda response: response.status_code


PROVIDERS: dict[str, Entry] = {
    "kieai": Entry(
        field="kieai",
        simulator=KieaiSimulator,
        build=lambda client, s: KieaiAdapter(client, signing_secret=s.kieai_signing_secret.get_secret_value()),
        headers=lambda key: {"Authorization": f"Bearer {key}"},
        hosts=frozenset({"api.kie.ai", "tempfile.aiquickdraw.com", "file.aiquickdraw.com"}),
        status_of=kieai.status_of,
    ),
    "shotstack": Entry(
        field="shotstack",
        simulator=ShotstackSimulator,
        build=lambda client, s: ShotstackAdapter(client, webhook_secret=s.shotstack_webhook_secret.get_secret_value()),
        headers=lambda key: {"x-api-key": key},
        hosts=frozenset(
            {
                "api.shotstack.io",
                "cdn.shotstack.io",
                "shotstack-api-v1-output.s3-ap-southeast-2.amazonaws.com",
                "shotstack-api-stage-output.s3-ap-southeast-2.amazonaws.com",
            }
        ),
    ),
    "upload-post": Entry(
        field="upload_post",
        simulator=UploadPostSimulator,
        build=lambda client, s: UploadPostAdapter(
            client, signing_secret=s.upload_post_signing_secret.get_secret_value()
        ),
        headers=lambda key: {"Authorization": f"Apikey {key}"},
        hosts=frozenset({"api.upload-post.com"}),
    ),
}


def entry(name: str) -> Entry:
    """Raises ``NotFound`` for a provider we do not know."""
    if name not in PROVIDERS:
        raise NotFound(f"There is no provider '{name}'. Known: {', '.join(PROVIDERS)}.")
    return PROVIDERS[name]


def mode(name: str) -> Mode:
    """The provider's own mode, else the common one."""
    return cast("Mode", _setting(name, "mode") or settings.PROVIDERS.providers_mode)


def adapter(name: str) -> Adapter:
    """The adapter of a provider, talking to whatever its mode says."""
    return _adapter(name)


def download(name: str, url: str, target: Path) -> Path:
    """Fetches a provider's result file."""
    return _client(name).download(url, target)


def callback_url(name: str, job: str) -> str:
    """The URL that a provider calls about our job, ``<id>.<try>``."""
    return callbacks.callback_url(settings.WEBHOOK_BASE_URL, name, job, secret=_callback_secret(name))


def simulators(*, tiny: bool = False) -> dict[str, Simulator]:
    """Every stand-in, in the world that the settings describe."""
    return {name: each.simulator(_world(tiny=tiny)) for name, each in PROVIDERS.items()}


@cache
def _adapter(name: str) -> Adapter:
    return entry(name).build(_client(name), settings.PROVIDERS)


@cache
def _client(name: str) -> Client:
    found = entry(name)
    # The stand-ins ask for a key as the services do, and take any.
    key = _setting(name, "api_key").get_secret_value() or ("" if mode(name) == "live" else "local-key")
    service = Service(name, _setting(name, "base_url").rstrip("/"), found.headers(key), found.hosts, found.status_of)
    return Client(service, _transport(name))


def _transport(name: str) -> httpx.BaseTransport:
    if mode(name) == "live":
        return httpx.HTTPTransport()
    if mode(name) == "local":
        return NextDoorTransport(settings.PROVIDERS.simulators_url)
    return SimulatorTransport(entry(name).simulator(_world(tiny=True)))


def _world(*, tiny: bool) -> World:
    return World(
        state_dir=settings.DATA_DIR / "simulators",
        public_url=settings.PROVIDERS.simulators_url,
        secrets={name: _callback_secret(name) for name in PROVIDERS},
        webhooks={name: f"{settings.WEBHOOK_BASE_URL}/v1/webhooks/{name}" for name in PROVIDERS},
        fetch=_from_media_root if tiny else _fetch,
        tiny=tiny,
    )


def _fetch(url: str, target: Path) -> Path:
    with httpx.stream("GET", url, timeout=60) as response, target.open("wb") as file:
        response.raise_for_status()
        for block in response.iter_bytes():
            file.write(block)
    return target


def _from_media_root(url: str, target: Path) -> Path:
    """The mock has no web process to fetch our media from; it lies in this folder."""
    target.write_bytes((settings.MEDIA_ROOT / urlsplit(url).path.removeprefix("/media/")).read_bytes())
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
