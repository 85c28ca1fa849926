"""Serves the stand-ins for every outside service."""

from __future__ import annotations

from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from myloware.simulators import simulators
from providers.server import SimulatorServer


class Command(BaseCommand):
    help = (
        "Serves local stand-ins for kie.ai, Shotstack, upload-post, Telegram and OpenAI, and the gallery of what was "
        "published. What they get wrong is set at /dial."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
        parser.add_argument("--port", type=int, default=8091, help="port to listen on (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        # Nobody has said where they are found from outside, so it is where they listen.
        set_by_hand = "simulators_url" in settings.PROVIDERS.model_fields_set
        found = simulators(public_url=None if set_by_hand else f"http://127.0.0.1:{options['port']}")
        for simulator in found.values():
            simulator.resume()
        uvicorn.run(
            SimulatorServer(found),
            host=options["host"],
            port=options["port"],
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=2,
        )
