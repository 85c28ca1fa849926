"""Every outside service on one real socket."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn
from django.core.cache import cache
from django.core.management import call_command

from myloware.simulators import simulators
from providers import registry
from providers.server import SimulatorServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_django.fixtures import Settings

    from providers.simulator import Simulator

TOKEN = "123456789:a-token-of-twenty-characters"


class Served:
    """All simulators at one URL."""

    def __init__(self, simulators: dict[str, Simulator]) -> None:
        self.simulators = simulators
        self.server = uvicorn.Server(
            uvicorn.Config(SimulatorServer(simulators), port=0, log_level="warning", access_log=False)
        )
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        while not self.server.started:
            self.thread.join(0.01)
        self.url = f"http://127.0.0.1:{self.server.servers[0].sockets[0].getsockname()[1]}"

    def turn(self, simulator: str, fault: str, times: int = 1) -> None:
        httpx.put(f"{self.url}/dial", json={"faults": {simulator: {fault: times}}}).raise_for_status()

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(5)


@pytest.fixture
def served(tmp_path: Path, settings: Any) -> Iterator[Served]:
    settings.DATA_DIR = tmp_path
    running = Served(simulators(tiny=True))
    yield running
    running.stop()


@pytest.fixture
def next_door(served: Served, settings: Settings) -> Iterator[Served]:
    """The providers in local mode."""
    cache.clear()
    changed = {"providers_mode": "local", "simulators_url": served.url}
    settings.PROVIDERS = settings.PROVIDERS.model_copy(update=changed)
    yield served
    for name in registry.PROVIDERS:
        registry._client(name).close()


@pytest.fixture
def projects(db: None) -> None:
    call_command("load_projects", verbosity=0)
