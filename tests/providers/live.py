"""Live mode on this machine: the services' names all lead to simulators behind TLS."""

from __future__ import annotations

import socket
import ssl
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest
import trustme
import uvicorn
from django.core.cache import cache
from pydantic import SecretStr

from providers import registry
from providers.server import SimulatorServer
from providers.transports import PublicTransport

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import httpx
    from pytest_django.fixtures import Settings

    from providers.simulator import Simulator

HOSTS = sorted(host for each in registry.PROVIDERS.values() for host in each.hosts)


class Recorder(SimulatorServer):
    """Keeps every request that came in."""

    def __init__(self, simulators: Mapping[str, Simulator]) -> None:
        super().__init__(simulators)
        self.requests: list[httpx.Request] = []

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return super().handle(request)


@pytest.fixture
def live(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """Live mode, whose names all lead to simulators behind TLS on this machine."""
    cache.clear()
    settings.DATA_DIR = tmp_path
    settings.MEDIA_ROOT = tmp_path
    recorder = Recorder(registry.simulators(tiny=True))
    key, chain, trust = tmp_path / "key.pem", tmp_path / "chain.pem", ssl.create_default_context()
    authority = trustme.CA()
    authority.configure_trust(trust)
    authority.issue_cert(*HOSTS).private_key_and_cert_chain_pem.write_to_path(str(key))
    key.replace(chain)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(recorder, log_level="warning", access_log=False, ssl_certfile=str(chain))
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        place = [(None, None, None, "", listening.getsockname())]
        way = partial(PublicTransport, resolve=lambda *_, **__: place, allowed=lambda _: True, verify=trust)
        monkeypatch.setattr(registry, "PublicTransport", way)
        changed = {
            "providers_mode": "live",
            "kieai_api_key": SecretStr("key-of-kieai"),
            "shotstack_api_key": SecretStr("key-of-shotstack"),
            "upload_post_api_key": SecretStr("key-of-upload-post"),
        }
        settings.PROVIDERS = settings.PROVIDERS.model_copy(update=changed)
        yield recorder
        for name in registry.PROVIDERS:
            registry._client(name).close()
        server.should_exit = True
        thread.join(5)
