"""Orders for our own renderer: Edits of small clips in the media store."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from django.conf import settings

from providers import registry
from providers.base import RenderOrder
from tests.providers.media.media_files import make_clip

JOB = "0b7e54a0-8a5c-4a5e-9c5e-6f1d2c3b4a59"


def stored(name: str = "red", duration_s: float = 1.0) -> str:
    """The URL of a clip of one colour."""
    media = Path(settings.MEDIA_ROOT)
    media.mkdir(parents=True, exist_ok=True)
    clip = make_clip(media / f"{name}.mp4", picture=f"color=c={name}", size="90x160", duration_s=duration_s)
    key = hashlib.sha256(clip.read_bytes()).hexdigest()
    (media / key[:2]).mkdir(exist_ok=True)
    clip.replace(media / key[:2] / f"{key}.mp4")
    return f"{settings.WEBHOOK_BASE_URL}/media/{key[:2]}/{key}.mp4"


def edit(src: str, *, length_s: float = 1.0, size: tuple[int, int] = (90, 160)) -> dict[str, Any]:
    clip = {"asset": {"type": "video", "src": src}, "start": 0, "length": length_s}
    output = {"format": "mp4", "size": {"width": size[0], "height": size[1]}, "fps": 30}
    return {"timeline": {"tracks": [{"clips": [clip]}]}, "output": output}


def order(wanted: dict[str, Any], reference: str = f"{JOB}.0") -> str:
    """Orders a film as the engine does; the render's id."""
    url = registry.callback_url("shotstack", reference)
    return str(registry.adapter("shotstack").submit(RenderOrder(wanted), key="k", callback_url=url).external_id)
