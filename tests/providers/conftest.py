"""The simulators on a real socket, and adapters that reach them as they reach the services."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import uvicorn

from providers.dial import Dial
from providers.http import Client, Service
from providers.kieai.fake import KieaiSimulator
from providers.registry import PROVIDERS
from providers.server import SimulatorServer
from providers.shared import Shared
from providers.shotstack.fake import ShotstackSimulator
from providers.simulator import NextDoorTransport, World
from providers.uploadpost.fake import UploadPostSimulator

from .live import live  # noqa: F401

if TYPE_CHECKING:
    from collections.abc import Iterator

    from providers.simulator import Simulator

SECRETS = {"kieai": "kieai-secret-123", "shotstack": "shotstack-secret-123", "upload-post": "upload-secret-123"}
SIMULATORS: dict[str, type[Simulator]] = {
    "kieai": KieaiSimulator,
    "shotstack": ShotstackSimulator,
    "upload-post": UploadPostSimulator,
}


class Town:
    """A running simulator server, and the way to its services."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clips: dict[str, Path] = {}
        self.clients: list[Client] = []
        known = {name: kind.faults for name, kind in SIMULATORS.items()}
        # A day of the services takes 86 s here.
        self.dial = Dial(folder / "dial.json", known, time_scale=0.001)
        world = World(
            state_dir=folder,
            public_url="http://127.0.0.1:1",
            secrets=SECRETS,
            webhooks=dict.fromkeys(SIMULATORS, "http://127.0.0.1:9/hook"),
            fetch=self.fetch,
            dial=self.dial,
            tiny=True,
        )
        self.simulators = {name: kind(world) for name, kind in SIMULATORS.items()}
        config = uvicorn.Config(SimulatorServer(self.simulators), port=0, log_level="warning", access_log=False)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)

    def fetch(self, url: str, target: Path) -> Path:
        return Path(shutil.copy(self.clips[url], target))

    def start(self) -> None:
        self.thread.start()
        while not self.server.started:
            self.thread.join(0.01)
        port = self.server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"

    def stop(self) -> None:
        for client in self.clients:
            client.close()
        self.server.should_exit = True
        self.thread.join(5)

    def turn(self, simulator: str, fault: str, times: int = 1) -> None:
        """Lets it go wrong so often."""
        self.dial.turn({simulator: {fault: times}})

    def listen(self, simulator: str, url: str) -> None:
        """Sets the account's webhook."""
        client = self.client(simulator, "https://api.upload-post.com/api", {"Authorization": "Apikey k"})
        client.post("/uploadposts/users/notifications", json={"webhook_url": url})

    def client(self, name: str, base_url: str, headers: dict[str, str]) -> Client:
        hosts = frozenset({httpx.URL(base_url).host, *SIMULATORS[name].hosts})
        service = Service(name, base_url, headers, hosts, PROVIDERS[name].status_of)
        self.clients.append(Client(service, NextDoorTransport(self.url), Shared()))
        return self.clients[-1]


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    running = Town(tmp_path)
    running.start()
    yield running
    running.stop()
