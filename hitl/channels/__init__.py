"""Ways to reach people. A new one is a class with ``send`` and its dotted path in HITL_CHANNELS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.module_loading import import_string

from myloware.kernel.errors import Misconfigured

if TYPE_CHECKING:
    from .base import Channel


def channel(path: str) -> Channel:
    """The channel at a dotted path. Raises ``Misconfigured`` when there is none."""
    try:
        made: Channel = import_string(path)()
    except ImportError as error:
        raise Misconfigured(f"HITL_CHANNELS names {path}, which cannot be imported: {error}") from error
    return made
