"""Colours as the service writes them, and what fills a shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

Rgba = tuple[int, int, int, int]
CLEAR: Rgba = (0, 0, 0, 0)
RAMP_STEPS = 1024


def rgba(colour: str, opacity: float = 1) -> Rgba:
    """``#RRGGBB``, ``#AARRGGBB`` (the alpha first) or ``transparent``, its alpha multiplied with ``opacity``."""
    digits = colour.removeprefix("#")
    if digits == "transparent":
        return CLEAR
    alpha, digits = (digits[:2], digits[2:]) if len(digits) == 8 else ("FF", digits)
    red, green, blue = (int(digits[i : i + 2], 16) for i in (0, 2, 4))
    return red, green, blue, round(int(alpha, 16) * opacity)


@dataclass(frozen=True)
class Gradient:
    """Colours across a box, ``stops`` by rising offset 0..1. ``angle_deg`` is None for a radial one."""

    stops: tuple[tuple[float, Rgba], ...]
    angle_deg: float | None

    def picture(self, size: tuple[int, int], box: Sequence[float]) -> Image.Image:
        """An RGBA picture in which the gradient spans ``box`` (left, top, right, bottom).

        As the service's own engine draws it: along the angle (0 to the right, 90 downward), or from the centre out,
        and half the box's longer side far from its centre.
        """
        left, top, right, bottom = box
        reach = max(right - left, bottom - top, 1) / 2
        x = (np.arange(size[0], dtype=np.float32) + 0.5 - (left + right) / 2) / reach
        y = (np.arange(size[1], dtype=np.float32)[:, None] + 0.5 - (top + bottom) / 2) / reach
        if self.angle_deg is None:
            part = np.hypot(x, y)
        else:
            angle = math.radians(self.angle_deg)
            part = (x * math.cos(angle) + y * math.sin(angle) + 1) / 2
        steps = np.clip(part * (RAMP_STEPS - 1) + 0.5, 0, RAMP_STEPS - 1).astype(np.intp)
        return Image.fromarray(self._ramp()[steps])

    def _ramp(self) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        at = np.linspace(0, 1, RAMP_STEPS)
        offsets = [offset for offset, _ in self.stops]
        channels = zip(*(colour for _, colour in self.stops), strict=True)
        return np.stack([np.interp(at, offsets, channel) for channel in channels], axis=1).round().astype(np.uint8)


Fill = Rgba | Gradient


def filled(fill: Fill, size: tuple[int, int], box: Sequence[float]) -> Image.Image:
    """An RGBA picture of the colour, or of the gradient across ``box``."""
    return fill.picture(size, box) if isinstance(fill, Gradient) else Image.new("RGBA", size, fill)
