"""What the procedural scenes draw with: coordinates, tileable noise, palettes and a few shapes.

Pictures are planar ``float32`` arrays of shape (3, height, width) in linear 0..1 and above; scalar fields have shape
(height, width). Coordinates: the short side of the frame spans -1..1, x grows to the right and y downward.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]

TILE_PX = 1024
RAMP_STEPS = 1024


@dataclass(frozen=True)
class Palette:
    """Five colours from dark to light, and one that stands out; ``RRGGBB``."""

    name: str
    colours: tuple[str, str, str, str, str]
    accent: str

    @cached_property
    def _table(self) -> Array:
        anchors = np.stack([rgb(colour) for colour in self.colours], axis=1)
        at = np.linspace(0, 4, RAMP_STEPS)
        return np.stack([np.interp(at, range(5), channel) for channel in anchors]).astype(np.float32)

    def ramp(self, value: Array) -> Array:
        """Colours for values 0 (darkest) to 1 (lightest); shape (3, ...)."""
        index = np.clip(value * (RAMP_STEPS - 1), 0, RAMP_STEPS - 1).astype(np.intp)
        return np.take(self._table, index, axis=1)

    def colour(self, value: float) -> Array:
        """One colour of the ramp, shape (3, 1, 1), to be multiplied with a field."""
        return self._table[:, round(value * (RAMP_STEPS - 1))].reshape(3, 1, 1)

    @cached_property
    def glow(self) -> Array:
        """The accent, shape (3, 1, 1)."""
        return rgb(self.accent).reshape(3, 1, 1)


class Texture:
    """A tileable field, looked up at any coordinate; one tile is one unit."""

    def __init__(self, values: Array) -> None:
        self.values = values
        self._size = values.shape[0]
        self._flat = np.ascontiguousarray(values).ravel()

    def at(self, u: Array, v: Array) -> Array:
        """Nearest value at ``u`` (right) and ``v`` (down)."""
        size = self._size
        column = np.floor(u * size).astype(np.int32) & (size - 1)
        row = np.floor(v * size).astype(np.int32) & (size - 1)
        result: Array = self._flat.take(row * size + column)
        return result

    def soft(self, u: Array, v: Array) -> Array:
        """Like :meth:`at`, interpolated: for shapes much larger than the tile's pixels, or whose slope matters."""
        size = self._size
        column, row = u * size, v * size
        left, top = np.floor(column), np.floor(row)
        across, down = column - left, row - top
        first, above = left.astype(np.int32) & (size - 1), (top.astype(np.int32) & (size - 1)) * size
        second, below = (first + 1) & (size - 1), (above + size) & (size * size - 1)
        upper = mix(self._flat.take(above + first), self._flat.take(above + second), across)
        lower = mix(self._flat.take(below + first), self._flat.take(below + second), across)
        return mix(upper, lower, down)

    @cached_property
    def slopes(self) -> tuple[Texture, Texture]:
        """Its derivatives to the right and downward, scaled to about -1..1."""
        right = np.roll(self.values, -1, 1) - np.roll(self.values, 1, 1)
        down = np.roll(self.values, -1, 0) - np.roll(self.values, 1, 0)
        scale = 1 / (3 * float(np.std(right)) + 1e-9)
        return Texture((right * scale).astype(np.float32)), Texture((down * scale).astype(np.float32))


def fractal(rng: np.random.Generator, *, roughness: float, size: int = TILE_PX) -> Texture:
    """Tileable cloud noise 0..1 with an equalised histogram; ``roughness`` 0.8 (grainy) to 2.5 (smooth)."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    frequency[0, 0] = 1
    spectrum = np.fft.rfft2(rng.standard_normal((size, size))) / frequency**roughness
    spectrum[0, 0] = 0
    field = np.fft.irfft2(spectrum, s=(size, size))
    field /= field.std()
    return Texture((1 / (1 + np.exp(-1.7 * field))).astype(np.float32))


class Stage:
    """A frame to draw on: its coordinates, palette, random numbers and shared textures."""

    def __init__(self, width_px: int, height_px: int, palette: Palette, seed: int) -> None:
        self.width_px, self.height_px, self.palette = width_px, height_px, palette
        self.rng = np.random.Generator(np.random.PCG64(seed))
        short = min(width_px, height_px)
        self.half_width, self.half_height = width_px / short, height_px / short
        columns = (np.arange(width_px, dtype=np.float32) + 0.5) * (2 / short) - self.half_width
        rows = (np.arange(height_px, dtype=np.float32) + 0.5) * (2 / short) - self.half_height
        self.x = np.broadcast_to(columns, (height_px, width_px)).copy()
        self.y = np.broadcast_to(rows[:, None], (height_px, width_px)).copy()

    def random(self, low: float, high: float) -> float:
        """One number between ``low`` and ``high``."""
        return float(self.rng.uniform(low, high))

    @cached_property
    def clouds(self) -> Texture:
        """Soft noise with large shapes."""
        return fractal(self.rng, roughness=1.75)

    @cached_property
    def silk(self) -> Texture:
        """Very soft noise for warping."""
        return fractal(self.rng, roughness=2.6)

    @cached_property
    def rough(self) -> Texture:
        """Noise with much fine detail."""
        return fractal(self.rng, roughness=1.2)

    def billows(self, u: Array, v: Array, t: float, *, speed: float = 0.01) -> Array:
        """Cloud noise that changes shape as time passes."""
        first = self.clouds.at(u + speed * t, v - 0.6 * speed * t)
        second = self.clouds.at(0.37 - 1.13 * u + 0.7 * speed * t, 0.61 + 1.13 * v + speed * t)
        return 0.5 * (first + second)


def rgb(colour: str) -> Array:
    """``RRGGBB`` as three linear-light numbers 0..1 (gamma 2: its inverse is a fast square root)."""
    channels = np.array([int(colour[i : i + 2], 16) for i in (0, 2, 4)], dtype=np.float32)
    return np.asarray((channels / 255) ** 2, dtype=np.float32)


def smooth(value: Array, low: float | Array, high: float | Array) -> Array:
    """0 below ``low``, 1 above ``high``, an S-curve between; ``low`` may be the greater one to invert it."""
    part = np.clip((value - low) * (1 / (high - low)), 0, 1)
    result: Array = part * part * (3 - 2 * part)
    return result


def falloff(distance: Array, radius: float) -> Array:
    """A bell of the given radius around distance 0."""
    scaled = distance * (1 / radius)
    result: Array = 1 / (1 + scaled * scaled * (1 + scaled * scaled))
    return result


def mix(below: Array, above: Array, share: Array) -> Array:
    """``above`` over ``below`` with opacity ``share``."""
    return below + (above - below) * share
