"""What is done to every scene: camera moves, treatments of the coordinates, particles in front, and the finish."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
from PIL import Image

from providers.media.canvas import Array, Stage, Texture, falloff, smooth
from providers.media.scenes import facets

Warp = Callable[[Array, Array, float], tuple[Array, Array]]
Overlay = Callable[[Array, float], Array]


def camera(stage: Stage, name: str, duration_s: float) -> Warp:
    """A slow move over the whole clip."""
    side = 1 if stage.random(0, 1) > 0.5 else -1

    def move(x: Array, y: Array, t: float) -> tuple[Array, Array]:
        part = t / max(duration_s, 0.001)
        eased = part * part * (3 - 2 * part)
        zoom, shift, rise, turn = _MOVES[name](eased, side)
        cos, sin = math.cos(turn) / zoom, math.sin(turn) / zoom
        return x * cos - y * sin + shift, x * sin + y * cos + rise

    return move


_MOVES: dict[str, Callable[[float, int], tuple[float, float, float, float]]] = {
    "push": lambda part, side: (1.0 + 0.22 * part, 0.02 * side * part, -0.02 * part, 0.0),
    "pull": lambda part, side: (1.24 - 0.22 * part, 0.02 * side * (1 - part), 0.0, 0.0),
    "pan": lambda part, side: (1.06, side * 0.22 * (part - 0.5), 0.0, 0.0),
    "orbit": lambda part, side: (1.10 + 0.05 * part, side * 0.05 * (part - 0.5), 0.0, side * 0.16 * (part - 0.5)),
    "rise": lambda part, side: (1.06, 0.0, 0.20 * (0.5 - part), 0.01 * side * part),
}


def treatment(stage: Stage, name: str) -> Warp:
    """A change of the coordinates that makes a scene melt, float, break into facets, and so on."""
    if name == "facets":
        return _faceted(stage)
    warps: dict[str, Warp] = {
        "melt": lambda x, y, t: _melt(stage, x, y, t),
        "wobble": lambda x, y, t: _wobble(stage, x, y, t),
        "frost": lambda x, y, t: _frost(stage, x, y, t),
        "float": lambda x, y, t: (x + 0.03 * math.sin(0.6 * t), y + 0.07 * math.sin(0.85 * t) + 0.02),
        "swirl": _swirl,
        "mirror": lambda x, y, t: (np.abs(x) - 0.10 - 0.04 * math.sin(0.4 * t), y),
        "glass": _reeded,
    }
    return warps[name]


def _melt(stage: Stage, x: Array, y: Array, t: float) -> tuple[Array, Array]:
    columns = stage.silk.soft(x * 0.75 + 0.3, y * 0.03 + 0.2 - 0.006 * t)
    sag = smooth(columns, 0.30, 0.80) * (0.10 + 0.055 * t) * smooth(y, -0.9, 0.6)
    return x + 0.04 * (stage.silk.at(x * 0.3, y * 0.3 - 0.03 * t) - 0.5), y - sag


def _wobble(stage: Stage, x: Array, y: Array, t: float) -> tuple[Array, Array]:
    push_x = stage.silk.at(x * 0.16 + 0.02 * t, y * 0.16 + 0.03 * t) - 0.5
    push_y = stage.silk.at(x * 0.16 + 0.4, y * 0.16 - 0.04 * t) - 0.5
    return x + 0.30 * push_x + 0.02 * np.sin(4 * y + 1.5 * t), y + 0.30 * push_y + 0.02 * np.sin(4 * x - 1.2 * t)


def _frost(stage: Stage, x: Array, y: Array, t: float) -> tuple[Array, Array]:
    edge = smooth(np.hypot(x, y * (1 / stage.half_height)), 0.45 - 0.01 * t, 1.15)
    right, down = stage.rough.slopes
    return x + 0.085 * edge * right.at(x * 0.2, y * 0.2), y + 0.085 * edge * down.at(x * 0.2, y * 0.2)


def _swirl(x: Array, y: Array, t: float) -> tuple[Array, Array]:
    turn = (0.7 + 0.07 * t) * np.exp(-1.2 * (x * x + y * y))
    cos, sin = np.cos(turn), np.sin(turn)
    return x * cos - y * sin, x * sin + y * cos


def _reeded(x: Array, y: Array, t: float) -> tuple[Array, Array]:
    """Panes of fluted glass: each strip shows a squeezed part of what lies behind."""
    strip = (x + 0.03 * math.sin(0.4 * t)) * 5.0
    inside = strip - np.floor(strip) - 0.5
    return x + inside * np.abs(inside) * 0.30, y + 0.02 * inside


def _faceted(stage: Stage) -> Warp:
    _, edge, lean_x, lean_y = facets(stage, count=34)

    def split(x: Array, y: Array, t: float) -> tuple[Array, Array]:
        u, v = x * 0.22 + 0.5, y * 0.22 + 0.5
        amount = 0.13 + 0.02 * math.sin(0.5 * t)
        rim = smooth(edge.at(u, v), 0.016, 0.0) * 0.12
        return x + amount * lean_x.at(u, v) + rim, y + amount * lean_y.at(u, v) - rim

    return split


def particles(stage: Stage, name: str) -> Overlay:
    """Small things in front of the scene, adding their light."""
    makers: dict[str, Callable[[Stage], Overlay]] = {
        "rain": _rain,
        "petals": _petals,
        "snow": lambda stage: _specks(stage, count=90, speed=(0.02, 0.26), size=(0.008, 0.035), light=0.9),
        "sparks": lambda stage: _specks(
            stage, count=60, speed=(-0.05, -0.5), size=(0.006, 0.018), light=2.6, warm=True
        ),
        "dust": lambda stage: _specks(stage, count=70, speed=(-0.05, 0.03), size=(0.005, 0.030), light=1.3, warm=True),
        "bubbles": lambda stage: _specks(
            stage, count=44, speed=(-0.45, -0.12), size=(0.012, 0.05), light=1.0, ring=True
        ),
    }
    return makers[name](stage)


def _specks(
    stage: Stage,
    *,
    count: int,
    speed: tuple[float, float],
    size: tuple[float, float],
    light: float,
    warm: bool = False,
    ring: bool = False,
) -> Overlay:
    start_x = stage.rng.uniform(-1, 1, count) * stage.half_width
    start_y = stage.rng.uniform(0, 1, count)
    near = stage.rng.uniform(0, 1, count) ** 2
    radius = size[0] + (size[1] - size[0]) * near
    fall = speed[0] + (speed[1] - speed[0]) * (0.3 + 0.7 * near)
    phase = stage.rng.uniform(0, 2 * math.pi, count)
    colour = stage.palette.glow if warm else stage.palette.colour(0.95)
    height = 2 * stage.half_height + 0.2

    def draw(picture: Array, t: float) -> Array:
        xs = start_x + 0.06 * np.sin(0.8 * t + phase)
        ys = (start_y * height + fall * t) % height - stage.half_height - 0.1
        shine = light * (0.65 + 0.35 * np.sin(2.1 * t + phase)) * (0.35 + 0.65 * (1 - near) if not warm else 1)
        for x, y, r, strength in zip(xs.tolist(), ys.tolist(), radius.tolist(), shine.tolist(), strict=True):
            _dab(stage, picture, (x, y, r), colour * strength, ring=ring)
        return picture

    return draw


def _dab(stage: Stage, picture: Array, spot: tuple[float, float, float], colour: Array, *, ring: bool) -> None:
    x, y, radius = spot
    unit = min(stage.width_px, stage.height_px) / 2
    column, row, reach = (x + stage.half_width) * unit, (y + stage.half_height) * unit, max(radius * unit * 2.2, 1.5)
    left, right = max(0, int(column - reach)), min(stage.width_px, int(column + reach) + 2)
    top, bottom = max(0, int(row - reach)), min(stage.height_px, int(row + reach) + 2)
    if left >= right or top >= bottom:
        return
    across = (np.arange(left, right, dtype=np.float32) + 0.5 - column) ** 2
    down = (np.arange(top, bottom, dtype=np.float32) + 0.5 - row) ** 2
    distance = np.sqrt(across[None, :] + down[:, None]) * (1 / (radius * unit))
    shape = (
        np.exp(-((distance - 1) ** 2) * 16) * 0.5 + 0.10 * smooth(distance, 1, 0.8) if ring else falloff(distance, 0.75)
    )
    picture[:, top:bottom, left:right] += colour * shape.astype(np.float32)


def _rain(stage: Stage) -> Overlay:
    size = 512
    streaks = np.zeros((size, size), dtype=np.float32)
    for column, row in stage.rng.integers(0, size, (190, 2)):
        length = int(stage.random(16, 46))
        fade = np.linspace(0, 1, length) ** 1.5 * stage.random(0.2, 0.9)
        streaks[(row + np.arange(length)) % size, column] += fade.astype(np.float32)
    texture = Texture(streaks)

    def draw(picture: Array, t: float) -> Array:
        slanted = stage.x + 0.05 * stage.y
        near = texture.at(slanted * 0.40, stage.y * 0.14 - 0.62 * t)
        far = texture.at(slanted * 0.75 + 0.3, stage.y * 0.26 - 0.55 * t)
        return picture + stage.palette.colour(0.88) * (0.55 * near + 0.28 * far)

    return draw


def _petals(stage: Stage) -> Overlay:
    count = 20
    start_x, start_y = stage.rng.uniform(-1, 1, count) * stage.half_width, stage.rng.uniform(0, 1, count)
    near, phase = stage.rng.uniform(0.25, 1, count) ** 1.5, stage.rng.uniform(0, 2 * math.pi, count)
    tone = stage.rng.uniform(0.45, 0.8, count)
    height = 2 * stage.half_height + 0.5

    def draw(picture: Array, t: float) -> Array:
        for index in range(count):
            size = 0.045 + 0.115 * float(near[index])
            turn = float(phase[index])
            x = float(start_x[index]) + 0.16 * math.sin(0.5 * t + turn)
            y = (float(start_y[index]) * height + 0.16 * float(near[index]) * t) % height - stage.half_height - 0.25
            colour = stage.palette.colour(float(tone[index]))
            _petal(stage, picture, (x, y, size), colour, turn + 0.5 * t)
        return picture

    return draw


def _petal(stage: Stage, picture: Array, spot: tuple[float, float, float], colour: Array, turn: float) -> None:
    x, y, size = spot
    rows, columns = np.abs(stage.y[:, 0] - y) < size * 1.1, np.abs(stage.x[0] - x) < size * 1.1
    if not (rows.any() and columns.any()):
        return
    window = np.ix_(rows, columns)
    px, py = (stage.x[window] - x) * (1 / size), (stage.y[window] - y) * (1 / size)
    u, v = px * math.cos(turn) + py * math.sin(turn), py * math.cos(turn) - px * math.sin(turn)
    open_ = 0.45 + 0.35 * math.sin(1.3 * turn)
    width = open_ * np.sqrt(np.clip(1 - u * u, 0, 1)) * (0.75 + 0.30 * u) + 0.001
    across = v / width
    within = smooth(np.abs(across), 1.0, 0.82) * smooth(np.abs(u), 0.99, 0.93)
    shade = 0.55 + 0.35 * u + 0.25 * across
    area = (slice(None), window[0], window[1])
    picture[area] = picture[area] * (1 - 0.92 * within) + (colour * (0.35 + 0.9 * shade)) * within


class Finish:
    """Bloom, vignette, tone curve and dither: from linear light to bytes FFmpeg reads as ``gbrp``."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        radius = np.hypot(stage.x / stage.half_width, stage.y / stage.half_height)
        self._vignette = 1 - 0.42 * smooth(radius, 0.55, 1.55)
        dither = stage.rng.uniform(0, 1, (8, stage.height_px, stage.width_px))
        self._dither = dither.astype(np.float32)

    def bytes_of(self, picture: Array, number: int) -> bytes:
        """The encoded frame; ``number`` picks the dither pattern."""
        light = (picture + 0.30 * self._bloom(picture)) * self._vignette
        np.clip(light, 0, 8, out=light)
        squared = light * light
        # A soft shoulder: nearly linear up to 0.7, never above 1; then gamma 2.
        shaped = np.sqrt(light / np.sqrt(np.sqrt(1 + squared * squared)))
        shaped *= 254.5
        shaped += self._dither[number % len(self._dither)]
        planes = shaped.astype(np.uint8)
        green_blue_red = np.ascontiguousarray(planes[[1, 2, 0]])
        return bytes(green_blue_red)

    def _bloom(self, picture: Array) -> Array:
        """The bright parts, blurred."""
        step = 6
        rows, columns = self._stage.height_px // step, self._stage.width_px // step
        bright = np.maximum(picture[:, : rows * step, : columns * step] - 0.45, 0)
        small = bright.reshape(3, rows, step, columns, step).mean(axis=(2, 4))
        planes = [self._spread(plane) for plane in small]
        return np.stack(planes)

    def _spread(self, plane: Array) -> Array:
        size = (self._stage.width_px, self._stage.height_px)
        image = Image.fromarray(_blurred(_blurred(plane)))
        return np.asarray(image.resize(size, Image.Resampling.BILINEAR), dtype=np.float32)


def _blurred(plane: Array) -> Array:
    for axis in (0, 1):
        padded = np.pad(plane, [(2, 2) if axis == side else (0, 0) for side in (0, 1)], mode="edge")
        size = plane.shape[axis]
        parts = (np.take(padded, np.arange(size) + offset, axis=axis) for offset in range(5))
        plane = _weighted(parts)
    return plane


def _weighted(parts: Iterable[Array]) -> Array:
    weights = (0.1, 0.24, 0.32, 0.24, 0.1)
    weighted = [part * weight for part, weight in zip(parts, weights, strict=True)]
    result: Array = np.stack(weighted).sum(axis=0)
    return result
