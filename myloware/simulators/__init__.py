"""Every outside service in one place: the providers' stand-ins, and those that only the whole system needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from providers import registry

from .openai import OpenAiSimulator
from .telegram import TelegramSimulator

if TYPE_CHECKING:
    from providers.simulator import Simulator

BESIDE: dict[str, type[Simulator]] = {"telegram": TelegramSimulator, "openai": OpenAiSimulator}


def simulators(*, tiny: bool = False, public_url: str | None = None) -> dict[str, Simulator]:
    """All of them, by name. ``public_url``: where they are found; the settings' when absent."""
    return registry.simulators(tiny=tiny, beside=BESIDE, public_url=public_url)
