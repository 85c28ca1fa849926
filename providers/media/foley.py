"""Short sounds of things that are touched, put together from noise and small resonances as ``ambience`` does it.

Each recipe fills a :class:`Studio` of its own length; signals are ``float32`` of shape (2, samples) at 48 kHz.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from providers.media.ambience import RATE_HZ, Studio
from providers.media.canvas import Array

EDGE_S = 0.004


def sound(kind: str, seed: int) -> Array:
    """The sound of ``kind``, not levelled; the same seed gives the same samples. Raises KeyError."""
    length_s, recipe = RECIPES[kind]
    studio = Studio(round(length_s * RATE_HZ), seed)
    edge = np.clip(np.minimum(studio.t, studio.t[::-1]) / EDGE_S, 0, 1)
    result: Array = (recipe(studio) * edge).astype(np.float32)
    return result


def _at(studio: Studio, sound: Array, start_s: float) -> Array:
    """A mono sound in the middle, ``start_s`` seconds in."""
    track = np.zeros((2, studio.count), dtype=np.float32)
    start = round(start_s * RATE_HZ)
    length = min(len(sound), studio.count - start)
    track[:, start : start + length] = sound[:length]
    return track


def _stroke(studio: Studio, centre_s: float, width_s: float) -> Array:
    """A bell-shaped envelope."""
    result: Array = np.exp(-(((studio.t - centre_s) / width_s) ** 2)).astype(np.float32)
    return result


def _decay(studio: Studio, decay_s: float) -> Array:
    result: Array = np.exp(-studio.t / decay_s).astype(np.float32)
    return result


def _brush(studio: Studio) -> Array:
    """Bristles, there and back."""
    bristles = studio.noise(1800, 7500) + studio.scatter(120, lambda: studio.click(studio.between(3000, 8000), 0.001))
    result: Array = bristles * (_stroke(studio, 0.3, 0.16) + 0.7 * _stroke(studio, 0.85, 0.18))
    return result


def _chime(studio: Studio) -> Array:
    """One small bell, struck once: the partials of a bar that hangs free (1, 2.76, 5.40)."""
    return _at(studio, studio.ping(studio.between(900, 1400), 0.35, partials=(1, 2.76, 5.4)), 0)


def _crackle(studio: Studio) -> Array:
    snaps = studio.scatter(70, lambda: studio.click(studio.between(900, 5200), studio.between(0.001, 0.006)), level=2)
    result: Array = snaps * _stroke(studio, 0.35, 0.3)
    return result


def _crunch(studio: Studio) -> Array:
    grit = studio.scatter(260, lambda: studio.click(studio.between(500, 3400), studio.between(0.002, 0.008)), level=2)
    result: Array = grit * (_stroke(studio, 0.12, 0.08) + 0.8 * _stroke(studio, 0.34, 0.1))
    return result


def _drip(studio: Studio) -> Array:
    """A drop whose pitch rises as its bubble closes, and a smaller one."""
    drop = studio.ping(studio.between(600, 900), 0.04, bend=0.8)
    return _at(studio, drop, 0) + 0.4 * _at(studio, studio.ping(1250, 0.03, bend=0.8), 0.21)


def _fizz(studio: Studio) -> Array:
    bursts = studio.scatter(400, lambda: studio.click(studio.between(4500, 9500), 0.001), level=2)
    result: Array = (bursts + 0.3 * studio.noise(5000, 11000)) * _decay(studio, 0.45)
    return result


def _pour(studio: Studio) -> Array:
    """Liquid falling into itself: many small bubbles over a rush."""
    bubbles = studio.scatter(60, lambda: studio.ping(studio.between(350, 1500), 0.02, bend=0.9), level=2)
    result: Array = (bubbles + 0.25 * studio.noise(400, 3200, tilt=0.5)) * _stroke(studio, 0.7, 0.45)
    return result


def _slice(studio: Studio) -> Array:
    """A blade through something firm, and the board below."""
    blade = studio.noise(2600, 9000) * _stroke(studio, 0.22, 0.1)
    result: Array = blade + 0.8 * _at(studio, studio.click(420, 0.012), 0.42)
    return result


def _tap(studio: Studio) -> Array:
    """A fingernail on something hollow."""
    body, nail = studio.ping(studio.between(420, 620), 0.022, partials=(1, 2.3, 4.1)), studio.click(2600, 0.003)
    return _at(studio, body, 0) + 0.5 * _at(studio, nail, 0)


# kind -> (seconds, recipe)
RECIPES: dict[str, tuple[float, Callable[[Studio], Array]]] = {
    "brush": (1.3, _brush),
    "chime": (1.6, _chime),
    "crackle": (0.9, _crackle),
    "crunch": (0.6, _crunch),
    "drip": (0.5, _drip),
    "fizz": (1.2, _fizz),
    "pour": (1.5, _pour),
    "slice": (0.6, _slice),
    "tap": (0.2, _tap),
}
