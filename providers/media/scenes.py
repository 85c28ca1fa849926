"""The pictures of the local video model: each scene paints any moment from coordinates alone.

Because a scene is a function of coordinates and time, camera moves and treatments (melting, facets, ripples) are
changes of the coordinates and fit every scene.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from providers.media.canvas import Array, Stage, Texture, falloff, mix, rgb, smooth


class Scene(Protocol):
    """Paints one moment."""

    def paint(self, x: Array, y: Array, t: float) -> Array:
        """The picture at time ``t`` (seconds), shape (3, height, width), linear light."""


def night_sky(stage: Stage, x: Array, y: Array, t: float) -> Array:
    """A dark gradient with drifting haze; the ground of several scenes."""
    haze = stage.billows(x * 0.13, y * 0.13, t, speed=0.006)
    return stage.palette.ramp(0.04 + 0.16 * smooth(y, -stage.half_height, stage.half_height) + 0.14 * haze * haze)


class StarField:
    """Stars of different brightness which twinkle."""

    def __init__(self, stage: Stage) -> None:
        size, count = 1024, 420
        sky = np.zeros((size, size), dtype=np.float32)
        phase = np.zeros((size, size), dtype=np.float32)
        spread = np.arange(-3, 4)
        for column, row in stage.rng.integers(0, size, (count, 2)):
            radius, light = stage.random(0.6, 1.5), stage.random(0.15, 1.0) ** 3
            dot = np.exp(-(spread[:, None] ** 2 + spread[None, :] ** 2) / (2 * radius**2)) * light * 2.2
            window = np.ix_((row + spread) % size, (column + spread) % size)
            sky[window] = np.maximum(sky[window], dot)
            phase[window] = stage.random(0, 2 * math.pi)
        self._sky, self._phase = Texture(sky), Texture(phase)

    def at(self, x: Array, y: Array, t: float) -> Array:
        """Star light at these coordinates."""
        u, v = x * 0.24, y * 0.24
        result: Array = self._sky.at(u, v) * (0.75 + 0.25 * np.sin(self._phase.at(u, v) + 1.7 * t))
        return result


class Moon:
    """A cratered moon behind drifting cloud, its light slowly wandering."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.stars = stage, StarField(stage)
        self.ground = Texture(_cratered(stage))
        self.radius, self.centre_y = 0.60, -0.30 * stage.half_height + 0.05
        self.tilt = stage.random(-0.5, 0.5)

    def paint(self, x: Array, y: Array, t: float) -> Array:
        stage, palette = self.stage, self.stage.palette
        px, py = x * (1 / self.radius), (y - self.centre_y) * (1 / self.radius)
        distance = np.sqrt(px * px + py * py)
        disc = smooth(distance, 1.012, 0.985)
        depth = np.sqrt(np.clip(1 - distance * distance, 0.001, 1))
        u, v = px / (1 + depth) * 0.32 + 0.006 * t, py / (1 + depth) * 0.32
        right, down = self.ground.slopes
        angle = -0.85 + self.tilt + 0.10 * t
        normal_x, normal_y = px - 0.34 * right.at(u, v), py - 0.34 * down.at(u, v)
        light = np.clip(
            normal_x * math.sin(angle) * 0.8 - normal_y * 0.38 + depth * (0.35 + 0.4 * math.cos(angle)), 0, 1
        )
        albedo = 0.35 + 0.65 * self.ground.at(u, v)
        surface = palette.ramp(0.45 + 0.5 * albedo) * (light * albedo * 1.5 + 0.015)
        picture: Array = night_sky(stage, x, y, t) + self.stars.at(x, y, t) * (1 - disc)
        picture += palette.colour(0.72) * (falloff(np.maximum(distance - 0.9, 0), 0.42) * 0.34)
        picture = mix(picture, surface, disc)
        veil = smooth(stage.billows(x * 0.16, y * 0.34, t, speed=0.012), 0.42, 0.85) * smooth(y, -0.9, 1.3)
        return mix(picture, palette.ramp(0.25 + 0.5 * veil) * (0.25 + 1.1 * falloff(distance, 1.5)), veil * 0.8)


def _cratered(stage: Stage) -> Array:
    ground = 0.15 + 0.7 * stage.clouds.values
    size = ground.shape[0]
    for row, column in stage.rng.integers(0, size, (90, 2)):
        radius = int(4 + 44 * stage.random(0, 1) ** 4)
        span = np.arange(-2 * radius, 2 * radius + 1)
        distance = np.sqrt(span[:, None] ** 2 + span[None, :] ** 2) / radius
        bowl = np.exp(-((distance - 1) ** 2) * 20) * 0.13 - np.exp(-((distance / 0.85) ** 4)) * 0.20
        ground[np.ix_((row + span) % size, (column + span) % size)] += bowl.astype(np.float32)
    result: Array = np.clip(ground, 0, 1)
    return result


class Sun:
    """A boiling sphere of light with a breathing corona."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.radius, self.centre_y = 0.56, -0.16 * stage.half_height
        self.spin = stage.random(-0.02, 0.02)

    def paint(self, x: Array, y: Array, t: float) -> Array:
        stage, palette = self.stage, self.stage.palette
        px, py = x * (1 / self.radius), (y - self.centre_y) * (1 / self.radius)
        distance = np.sqrt(px * px + py * py)
        depth = np.sqrt(np.clip(1 - distance * distance, 0, 1))
        lens = 0.30 / (0.75 + depth)
        warp = stage.silk.at(px * 0.2 + 0.02 * t, py * 0.2) * 0.12
        cells = stage.clouds.at(px * lens + warp + self.spin * t, py * lens + warp + 0.012 * t)
        cells = 0.55 * cells + 0.45 * stage.rough.at(px * lens - warp + 0.3, py * lens + warp - 0.010 * t)
        surface = palette.ramp(0.42 + 0.60 * cells * (0.55 + 0.45 * depth)) * (0.55 + 1.5 * cells * depth + 0.4 * depth)
        angle = np.arctan2(py, px) * (1 / (2 * math.pi))
        streams = stage.clouds.at(angle + 0.5, distance * 0.10 - 0.025 * t) * stage.clouds.at(
            2 * angle + 0.2, distance * 0.05 - 0.018 * t
        )
        corona = np.exp(-2.1 * np.maximum(distance - 1, 0)) * (0.35 + 1.9 * streams)
        ground = palette.ramp(0.10 + 0.22 * stage.billows(x * 0.1, y * 0.1, t)) * (0.25 + 0.7 * falloff(distance, 2.2))
        picture = ground + palette.colour(0.62) * corona + palette.glow * corona * corona * 0.7
        return mix(picture, surface, smooth(distance, 1.01, 0.96))


class Candle:
    """A wax candle with a living flame; the wax glows from inside."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.half_width = stage.random(0.26, 0.34)
        self.wick_y = 0.22
        self.table_y = min(stage.half_height * 0.86, 1.45)

    def paint(self, x: Array, y: Array, t: float) -> Array:
        palette = self.stage.palette
        flicker = 1 + 0.05 * math.sin(7.3 * t) + 0.04 * math.sin(11.9 * t + 1) + 0.04 * math.sin(3.1 * t)
        mirrored = np.where(y > self.table_y, 2 * self.table_y - y, y)
        on_table = smooth(y, self.table_y - 0.01, self.table_y + 0.01)
        distance = np.hypot(x, y - self.wick_y + 0.35)
        room = palette.ramp(0.05 + 0.20 * self.stage.billows(x * 0.12, y * 0.12, t)) * (
            0.35 + 1.2 * falloff(distance, 0.9)
        )
        room += palette.colour(0.62) * (falloff(distance, 0.55) * 0.42 * flicker)
        picture = self._wax(room, x, mirrored, t, flicker)
        picture += self._flame(x, mirrored, t) * flicker
        dim = 1 - on_table * (0.45 + 0.5 * smooth(y, self.table_y, self.table_y + 0.8))
        result: Array = picture * dim
        return result

    def _wax(self, below: Array, x: Array, y: Array, t: float, flicker: float) -> Array:
        palette, half = self.stage.palette, self.half_width
        drips = self.stage.clouds.at(x * 0.55 + 0.2, np.full_like(x, 0.37))
        run = 0.10 + 0.025 * t
        edge = half * (
            1 + 0.10 * smooth(drips, 0.55, 0.9) * smooth(y, self.wick_y + 0.1 + 2.5 * run, self.wick_y + 0.1)
        )
        across = np.clip(x / edge, -1, 1)
        top = self.wick_y + 0.12 - 0.05 * across * across
        body = smooth(np.abs(x) - edge, 0.006, -0.012) * smooth(y - top, -0.012, 0.012)
        round_off = np.sqrt(1 - across * across * 0.98)
        inside = np.exp(-1.55 * np.maximum(y - top, 0)) * flicker
        beads = self.stage.clouds.slopes[0].at(x * 0.5 + 0.2, y * 0.05 - 0.004 * t)
        shine = falloff(across + 0.45 + 0.08 * beads, 0.13) * 0.16
        wax = palette.ramp(0.34 + 0.45 * inside) * (0.10 + round_off * (0.22 + 1.25 * inside) + 0.05 * beads) + shine
        pool = falloff(np.hypot(across, (y - top) * 9), 0.7) * 0.9
        return mix(below, wax + palette.colour(0.92) * pool * 0.6, body)

    def _flame(self, x: Array, y: Array, t: float) -> Array:
        palette = self.stage.palette
        height = (self.wick_y + 0.10 - y) * (1 / 0.80)
        sway = self.stage.silk.at(np.full_like(x, 0.11) + 0.09 * t, y * 0.16 + 0.14 * t) - 0.5
        px = x + sway * 0.22 * np.clip(height, 0, 1) ** 2
        body = np.clip(height, 0, 1)
        width = 0.20 * np.sqrt(body) * (1 - body) ** 0.8 * 1.55 + 0.001
        inside = np.abs(px) / width
        within = smooth(inside, 1.15, 0.35) * smooth(height, 0.0, 0.05) * smooth(height, 1.0, 0.85)
        core = smooth(inside, 0.75, 0.0) * smooth(height, 0.12, 0.3) * smooth(height, 0.95, 0.5)
        base = falloff(np.hypot(px, (height - 0.08) * 0.9), 0.09)
        wick = smooth(np.abs(px), 0.012, 0.006) * smooth(height, -0.02, 0.0) * smooth(height, 0.16, 0.12)
        light = palette.colour(0.78) * within * 1.3 + rgb("FFF1D0").reshape(3, 1, 1) * core * 2.4
        return (light + rgb("3B6BFF").reshape(3, 1, 1) * base * 0.35) * (1 - 0.85 * wick)


class Fire:
    """Tall flames licking upward from glowing coals."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def paint(self, x: Array, y: Array, t: float) -> Array:
        stage, palette = self.stage, self.stage.palette
        height = (stage.half_height - y) * (1 / (2 * stage.half_height))
        bend = (stage.silk.at(x * 0.10 + 0.02 * t, y * 0.10 + 0.22 * t) - 0.5) * 0.30
        tongues = stage.clouds.at(x * 0.20 + bend, y * 0.10 + 0.30 * t)
        detail = stage.rough.at(x * 0.34 - bend, y * 0.16 + 0.44 * t)
        heat = 0.72 * tongues + 0.28 * detail + 0.34 - 0.95 * height - 0.18 * x * x
        heat = np.clip(heat * 1.7, 0, 1.05)
        smoke = palette.ramp(0.06 + 0.10 * stage.billows(x * 0.14, y * 0.14 + 0.1 * t, t)) * (1 - 0.6 * height)
        coals = smooth(stage.rough.at(x * 0.3, y * 0.3), 0.45, 0.9) * smooth(height, 0.16, 0.0)
        pulse = 0.8 + 0.2 * math.sin(1.7 * t)
        return smoke + palette.ramp(heat * 0.86) * heat * 0.95 + palette.glow * (heat**3 * 0.40 + coals * pulse * 0.8)


class Ocean:
    """Open water to the horizon under a low light."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.horizon = -0.16 * stage.half_height
        self.light_x = stage.random(-0.3, 0.3)

    def paint(self, x: Array, y: Array, t: float) -> Array:
        depth = np.maximum(y - self.horizon, 0.012)
        return np.where(y < self.horizon, self._sky(x, y, t), self._water(x, depth, t))

    def _sky(self, x: Array, y: Array, t: float) -> Array:
        stage, palette = self.stage, self.stage.palette
        rise = (self.horizon - y) * (1 / stage.half_height)
        distance = np.hypot(x - self.light_x, y - self.horizon + 0.24)
        cover = smooth(stage.billows(x * 0.12, y * 0.55, t, speed=0.006), 0.48, 0.8)
        sky = palette.ramp(0.62 - 0.42 * rise) + palette.colour(0.85) * falloff(distance, 0.42) * 0.55
        sky += palette.glow * smooth(distance, 0.155, 0.145) * 1.5
        return mix(sky, palette.ramp(0.40 + 0.4 * falloff(distance, 0.9)), cover * 0.55)

    def _water(self, x: Array, depth: Array, t: float) -> Array:
        palette, texture = self.stage.palette, self.stage.clouds
        far = 1 / (depth + 0.06)
        u, v = x * far * 0.055, far * 0.22
        right, down = texture.slopes
        swell = down.at(u + 0.010 * t, v + 0.035 * t) + 0.7 * down.at(1.9 * u - 0.02 * t, 1.7 * v + 0.05 * t)
        side = right.at(u + 0.010 * t, v + 0.035 * t)
        mirror = np.clip(0.50 + 0.17 * swell, 0, 1)
        base = palette.ramp(0.16 + 0.44 * mirror * (0.5 + 0.5 * np.exp(-1.1 * depth)) + 0.16 * np.exp(-5 * depth))
        path = falloff((x - self.light_x + 0.10 * side) / (0.14 + 0.42 * depth), 0.8)
        glitter = smooth(swell + 0.8 * side, 0.5, 2.4) * (0.10 + path * 3.2)
        result: Array = base + palette.colour(0.9) * glitter + palette.colour(0.7) * path * np.exp(-2.2 * depth) * 0.34
        return result


class Ripples:
    """Rings spreading over still water, seen from above."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        count = 9
        self.x = stage.rng.uniform(-0.8 * stage.half_width, 0.8 * stage.half_width, count).tolist()
        self.y = stage.rng.uniform(-0.85 * stage.half_height, 0.85 * stage.half_height, count).tolist()
        self.start = [index * 0.62 - 2.8 + stage.random(0, 0.3) for index in range(count)]
        self.x[3], self.y[3] = 0.0, -0.1

    def paint(self, x: Array, y: Array, t: float) -> Array:
        palette = self.stage.palette
        slope_x = 0.10 * self.stage.silk.slopes[0].at(x * 0.12 + 0.015 * t, y * 0.12)
        slope_y = 0.10 * self.stage.silk.slopes[1].at(x * 0.12, y * 0.12 - 0.015 * t)
        for centre_x, centre_y, start in zip(self.x, self.y, self.start, strict=True):
            age = (t - start) % 5.6
            px, py = x - centre_x, y - centre_y
            distance = np.sqrt(px * px + py * py) + 0.02
            front = (distance - 0.34 * age) * (1 / (0.13 + 0.045 * age))
            push = np.cos(front * 5.2) * np.exp(-front * front) * (1.9 * math.exp(-0.50 * age) / (0.45 + distance))
            slope_x += push * px
            slope_y += push * py
        bottom = self.stage.billows((x + 0.32 * slope_x) * 0.13, (y + 0.32 * slope_y) * 0.13, t, speed=0.008)
        light = np.clip(0.42 * slope_x - 0.75 * slope_y, -1, 1)
        depth = palette.ramp(0.16 + 0.50 * bottom + 0.30 * light)
        return depth + palette.colour(0.95) * (smooth(light, 0.10, 0.70) ** 2 * 1.5) + palette.glow * bottom**5 * 0.5


class Glass:
    """Solid glass orbs that bend the light behind them."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.orbs = [
            (stage.random(-0.16, 0.16), stage.random(-0.22, -0.05), 0.56, stage.random(0, 6)),
            (
                stage.random(-0.55, -0.4),
                stage.random(0.68, 0.85) * min(stage.half_height, 1.2),
                0.27,
                stage.random(0, 6),
            ),
            (
                stage.random(0.42, 0.56),
                stage.random(-0.95, -0.8) * min(stage.half_height, 1.2),
                0.20,
                stage.random(0, 6),
            ),
        ]

    def paint(self, x: Array, y: Array, t: float) -> Array:
        u, v, gleam, shade = x, y, np.zeros_like(x), np.ones_like(x)
        for centre_x, centre_y, radius, phase in self.orbs:
            px = (x - centre_x - 0.03 * math.sin(0.5 * t + phase)) * (1 / radius)
            py = (y - centre_y - 0.05 * math.sin(0.7 * t + phase)) * (1 / radius)
            squared = px * px + py * py
            within = smooth(squared, 1.02, 0.97)
            bend = 1 / (0.25 + np.sqrt(np.clip(1.06 - squared, 0.06, 1)))
            u = mix(u, centre_x - px * bend * radius * 1.6, within)
            v = mix(v, centre_y - py * bend * radius * 1.6, within)
            rim = np.clip(squared, 0, 1) ** 5
            gleam = gleam + within * (rim * 0.42 + 1.9 * falloff(np.hypot(px + 0.42, py + 0.5), 0.085))
            gleam = gleam + within * falloff(np.hypot(px - 0.36, py - 0.62), 0.22) * 0.5
            shade = shade * (1 - 0.5 * within * smooth(squared, 0.45, 0.98) * (1 - rim))
            shade = shade * (1 - 0.45 * falloff(np.hypot(px, (py - 1.14) * 2.6), 0.62) * (1 - within))
        picture = self._light(u, v, t) * shade
        return picture + self.stage.palette.colour(0.95) * gleam

    def _light(self, x: Array, y: Array, t: float) -> Array:
        palette = self.stage.palette
        bend = self.stage.silk.soft(x * 0.11 + 0.01 * t, y * 0.11) * 9
        bands = 0.5 + 0.5 * np.sin(bend + 2.6 * y + 1.1 * x + 0.35 * t)
        spots = smooth(self.stage.billows(x * 0.07, y * 0.07, t, speed=0.01), 0.40, 0.75)
        sheet = palette.ramp(0.10 + 0.66 * bands * bands * (0.5 + 0.5 * spots))
        result: Array = sheet * (0.55 + 0.6 * bands) + palette.glow * spots * bands**4 * 0.55
        return result


class Crystal:
    """A wall of facets that catch a moving light."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.tone, self.edge, self.lean_x, self.lean_y = facets(stage, count=46)

    def paint(self, x: Array, y: Array, t: float) -> Array:
        palette = self.stage.palette
        u, v = x * 0.21 + 0.5, y * 0.21 + 0.5
        lean_x, lean_y, tone = self.lean_x.at(u, v), self.lean_y.at(u, v), self.tone.at(u, v)
        angle = 0.5 * t
        facing = lean_x * math.cos(angle) + lean_y * math.sin(angle)
        glint = np.clip(facing * 0.72 + 0.1, 0, 1) ** 4
        inner = self.stage.billows((x + 0.9 * lean_x) * 0.16, (y + 0.9 * lean_y) * 0.16, t, speed=0.010)
        edge = self.edge.at(u, v)
        spot = falloff(np.hypot(x - 0.4 * math.sin(0.4 * t), y + 0.25 - 0.3 * math.cos(0.33 * t)), 0.95)
        picture = palette.ramp(0.06 + 0.30 * inner + 0.22 * tone * spot + 0.26 * np.clip(facing, 0, 1))
        picture = picture * (0.45 + 0.9 * spot) + palette.colour(0.93) * glint * (0.25 + 1.2 * spot)
        return picture + palette.glow * smooth(edge, 0.018, 0.0) * (0.10 + 0.75 * spot)


def facets(stage: Stage, *, count: int) -> tuple[Texture, Texture, Texture, Texture]:
    """A tileable Voronoi pattern: per cell a tone and a lean (x, y), and the distance to the cell's edge."""
    size = 512
    seeds = stage.rng.uniform(0, 1, (count, 2)).astype(np.float32)
    axis = np.arange(size, dtype=np.float32) / size
    nearest = np.full((size, size), 9, dtype=np.float32)
    second, owner = nearest.copy(), np.zeros((size, size), dtype=np.intp)
    for index, (seed_x, seed_y) in enumerate(seeds):
        dx, dy = np.abs(axis - seed_x), np.abs(axis - seed_y)
        dx, dy = np.minimum(dx, 1 - dx), np.minimum(dy, 1 - dy)
        distance = np.sqrt(dx[None, :] ** 2 + 1.0 * dy[:, None] ** 2).astype(np.float32)
        second = np.minimum(second, np.maximum(nearest, distance))
        owner = np.where(distance < nearest, index, owner)
        nearest = np.minimum(nearest, distance)
    cells = stage.rng.uniform(0, 1, (3, count)).astype(np.float32)
    turn = 2 * math.pi * cells[1]
    return (
        Texture(cells[0][owner]),
        Texture(second - nearest),
        Texture((np.cos(turn) * (0.4 + cells[2]))[owner]),
        Texture((np.sin(turn) * (0.4 + cells[2]))[owner]),
    )


class Flower:
    """Layered petals opening around a glowing heart."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.petals = int(stage.rng.integers(5, 8))
        self.twist = [stage.random(0, 2 * math.pi) for _ in range(7)]
        self.centre_y = -0.08 * stage.half_height

    def paint(self, x: Array, y: Array, t: float) -> Array:
        stage, palette = self.stage, self.stage.palette
        py = y - self.centre_y
        distance, angle = np.hypot(x, py), np.arctan2(py, x)
        picture = palette.ramp(0.05 + 0.20 * stage.billows(x * 0.1, y * 0.1, t)) * (0.5 + 0.9 * falloff(distance, 1.1))
        opening = 0.80 + 0.20 * math.sin(min(t, 10) * 0.16)
        for layer, twist in enumerate(self.twist):
            part = layer / (len(self.twist) - 1)
            radius = (0.98 - 0.80 * part) * opening * (1 + 0.015 * math.sin(0.8 * t + layer))
            lobe = np.abs(np.cos(0.5 * self.petals * (angle + twist + 0.03 * t * (1 - part))))
            rim = radius * (0.60 + 0.40 * lobe**0.65)
            along = distance / rim
            shadow = smooth(along, 1.35, 0.95)
            picture = picture * (1 - 0.55 * shadow)
            vein = stage.rough.at(angle * 0.9 + twist, distance * 0.05) - 0.5
            fold = 0.25 + 0.75 * lobe**0.5
            tone = 0.24 + 0.50 * along * fold + 0.16 * part + 0.10 * vein
            petal = palette.ramp(tone) * (0.30 + 0.75 * along * fold + 0.25 * part)
            picture = mix(picture, petal, smooth(along, 1.0, 0.975))
        heart = falloff(distance, 0.11 * opening)
        dots = smooth(stage.rough.at(x * 0.6, y * 0.6), 0.4, 0.8)
        return picture + palette.glow * heart * (0.7 + 0.9 * dots) + palette.colour(0.9) * falloff(distance, 0.5) * 0.06


class Forest:
    """Fir ridges fading into lit mist."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.layers = [_firs(stage, index) for index in range(5)]
        self.light_x = stage.random(-0.35, 0.35)

    def paint(self, x: Array, y: Array, t: float) -> Array:
        stage, palette = self.stage, self.stage.palette
        scaled = y * (1 / stage.half_height)
        distance = np.hypot(x - self.light_x, y + 0.42 * stage.half_height)
        picture = palette.ramp(0.86 - 0.34 * smooth(distance, 0.0, 1.8)) * 0.85
        picture += palette.glow * (smooth(distance, 0.20, 0.17) * 0.9 + falloff(distance, 0.5) * 0.35)
        for index, silhouette in enumerate(self.layers):
            near = (index + 1) / len(self.layers)
            column = ((x * (0.20 - 0.11 * near) + 0.5 + 0.1 * index + 0.004 * near * t) % 1 * 2048).astype(np.intp)
            top = silhouette.take(column % 2048)
            inside = smooth(scaled - top, -0.004, 0.008 + 0.012 * near * near)
            mist = smooth(stage.billows(x * 0.15, y * 0.32 + index, t, speed=0.014), 0.35, 0.9)
            low = smooth(scaled - top, 0.0, 0.75)
            tone = 0.60 - 0.52 * near + 0.34 * low * mist * (1.1 - near * 0.6)
            picture = mix(picture, palette.ramp(tone) * (0.85 - 0.25 * near), inside)
        rays = stage.clouds.at(
            (x - self.light_x) / (0.55 + y * 0.28 + 0.5 * stage.half_height) * 0.16 + 0.006 * t, y * 0.01
        )
        beam = smooth(rays, 0.5, 0.9) * falloff(distance, 1.3)
        return picture + palette.colour(0.85) * beam * 0.30


def _firs(stage: Stage, index: int) -> Array:
    """Height of the tree line over 2,048 columns, in half frame heights from the centre (negative is up)."""
    size, near = 2048, (index + 1) / 5
    axis = np.arange(size)
    ground = 0.05 + 0.62 * near - 0.16 * np.sin(2 * math.pi * (axis / size * (1 + index % 2) + stage.random(0, 1)))
    top = ground.copy()
    for _ in range(round(110 - 70 * near)):
        height = (0.10 + 0.34 * near) * stage.random(0.55, 1.25)
        reach = 20 + 52 * near
        offset = np.abs((axis - stage.random(0, size) + size / 2) % size - size / 2)
        branches = 0.014 * near * np.abs(np.sin(offset * (0.55 - 0.28 * near)))
        tree = ground - height * np.clip(1 - offset / reach, 0, 1) ** 1.25 + branches
        top = np.where(offset < reach, np.minimum(top, tree), top)
    return top.astype(np.float32)


class Clouds:
    """A slow sea of clouds around a veiled light."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.light_x, self.light_y = stage.random(-0.4, 0.4), stage.random(-0.75, -0.45) * stage.half_height

    def paint(self, x: Array, y: Array, t: float) -> Array:
        stage, palette = self.stage, self.stage.palette
        distance = np.hypot(x - self.light_x, y - self.light_y)
        picture: Array = palette.ramp(0.30 + 0.42 * falloff(distance, 1.6)) + palette.glow * (
            falloff(distance, 0.34) * 0.8 + smooth(distance, 0.16, 0.14)
        )
        for layer in range(3):
            scale, speed = 0.25 - 0.06 * layer, 0.006 + 0.006 * layer
            u, v = x * scale * 0.55 + 0.3 * layer + speed * t, y * scale + 0.41 * layer
            warp = 0.10 * stage.silk.at(u * 0.5, v * 0.5 + 0.01 * t)
            density = stage.clouds.soft(u + warp, v + warp)
            toward = stage.clouds.soft(u + warp + 0.012 * self.light_x, v + warp - 0.026)
            level = 0.72 - 0.34 * layer - 0.26 * y * (1 / stage.half_height)
            cover = smooth(density, level, level + 0.34)
            lit = np.clip(0.50 + 2.8 * (density - toward), 0, 1)
            tone = 0.24 + 0.05 * layer + 0.52 * lit * (0.45 + 0.65 * falloff(distance, 1.5))
            picture = mix(picture, palette.ramp(tone) * (0.75 + 0.45 * lit), cover * 0.9)
        return picture


class Liquid:
    """A thick glossy liquid folding over itself."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.eddies = _Eddies(stage, count=4)

    def paint(self, x: Array, y: Array, t: float) -> Array:
        stage, palette = self.stage, self.stage.palette
        u, v = self.eddies.stir(1.35 * x, 1.35 * y - 0.06 * t, t)
        height = np.sin(u + v) + 0.42 * np.sin(2.1 * u - v)
        slope_x, slope_y = _slopes(height, 0.055 * min(stage.width_px, stage.height_px))
        steep = 1 / np.sqrt(1 + slope_x * slope_x + slope_y * slope_y)
        light = np.clip((0.52 - 0.45 * slope_x - 0.68 * slope_y) * steep, 0, 1)
        gloss = light**14 * 1.5 + np.clip((0.3 + 0.7 * slope_x + 0.3 * slope_y) * steep, 0, 1) ** 7 * 0.35
        body = palette.ramp(0.20 + 0.15 * (height + 1.4) + 0.30 * light)
        return body * (0.42 + 0.75 * light) + palette.colour(0.97) * gloss + palette.glow * (1 - steep) * 0.10


class _Eddies:
    """Stirs coordinates with smaller and smaller waves, which fold them like a slow fluid."""

    def __init__(self, stage: Stage, *, count: int) -> None:
        self._phases = stage.rng.uniform(0, 2 * math.pi, (count, 2)).tolist()

    def stir(self, u: Array, v: Array, t: float) -> tuple[Array, Array]:
        for order, (first, second) in enumerate(self._phases, start=1):
            u = u + (0.80 / order) * np.sin(1.25 * order * v + 0.30 * t + first)
            v = v + (0.80 / order) * np.sin(1.25 * order * u - 0.24 * t + second)
        return u, v


def _slopes(height: Array, scale: float) -> tuple[Array, Array]:
    slope_x, slope_y = np.empty_like(height), np.empty_like(height)
    slope_x[:, 1:-1], slope_y[1:-1] = height[:, 2:] - height[:, :-2], height[2:] - height[:-2]
    slope_x[:, 0], slope_x[:, -1] = slope_x[:, 1], slope_x[:, -2]
    slope_y[0], slope_y[-1] = slope_y[1], slope_y[-2]
    return slope_x * scale, slope_y * scale


class Lava:
    """Dark crust drifting over molten rock."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        _, self.edge, self.lean_x, self.lean_y = facets(stage, count=70)

    def paint(self, x: Array, y: Array, t: float) -> Array:
        stage, palette = self.stage, self.stage.palette
        warp_x = 0.30 * (stage.silk.at(x * 0.13, y * 0.13 + 0.012 * t) - 0.5) + 0.07 * stage.clouds.at(x * 0.3, y * 0.3)
        warp_y = 0.30 * (stage.silk.at(x * 0.13 + 0.5, y * 0.13 + 0.012 * t) - 0.5)
        u, v = x * 0.19 + warp_x, y * 0.19 + warp_y - 0.012 * t
        crack = self.edge.at(u, v)
        heat = stage.billows(x * 0.1, y * 0.1, t, speed=0.02)
        glow = np.exp(-crack * (62 - 34 * heat)) * (0.25 + 1.0 * heat)
        relief = stage.rough.slopes[1].at(u * 1.5, v * 1.5) + 0.6 * self.lean_y.at(u, v) + 0.3 * self.lean_x.at(u, v)
        crust = palette.ramp(0.05 + 0.10 * np.clip(0.5 + 0.35 * relief, 0, 1)) * (0.5 + 0.5 * np.clip(relief, 0, 1))
        result: Array = (
            crust + palette.ramp(0.30 + 0.68 * np.clip(glow, 0, 1)) * glow * 1.25 + palette.glow * glow**3 * 0.5
        )
        return result


class Bubbles:
    """Soap bubbles with rainbow skins, rising."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        count = 11
        size = np.sort(stage.rng.uniform(0.10, 0.24, count))
        size[-3:] = (0.28, 0.33, 0.42)
        self.size = size.tolist()
        self.x = stage.rng.uniform(-0.85 * stage.half_width, 0.85 * stage.half_width, count).tolist()
        self.y = stage.rng.permutation(np.linspace(0, 1, count, endpoint=False)).tolist()
        self.x[-1], self.y[-1] = stage.random(-0.2, 0.2), 0.62

    def paint(self, x: Array, y: Array, t: float) -> Array:
        stage, palette = self.stage, self.stage.palette
        distance = np.hypot(x + 0.4, y + 0.6 * stage.half_height)
        picture = palette.ramp(0.10 + 0.30 * stage.billows(x * 0.09, y * 0.09, t) + 0.34 * falloff(distance, 1.2))
        for size, centre_x, offset in zip(self.size, self.x, self.y, strict=True):
            travel = 2 * stage.half_height + 2 * size
            rise = (offset * travel + t * (0.05 + 0.16 * (0.5 - size))) % travel
            px = (x - centre_x - 0.05 * math.sin(0.9 * t + 9 * offset)) * (1 / size)
            py = (y - stage.half_height - size + rise) * (1 / size)
            self._skin(picture, px, py, t + 7 * offset)
        return picture

    def _skin(self, picture: Array, px: Array, py: Array, t: float) -> None:
        rows, columns = np.abs(py[:, 0]) < 1.05, np.abs(px[0]) < 1.05
        if not (rows.any() and columns.any()):
            return
        window = np.ix_(rows, columns)
        px, py = px[window], py[window]
        squared = px * px + py * py
        within = smooth(squared, 1.0, 0.95)
        rim = np.clip(squared, 0, 1) ** 2.2
        swirl = self.stage.silk.at(px * 0.16 + 0.03 * t, py * 0.16 + 0.02 * t)
        thickness = 5.0 + 2.2 * py + 6.5 * swirl + 2.5 * rim
        film = np.stack([0.5 + 0.5 * np.cos(thickness * k) for k in (1.0, 1.22, 1.48)])
        shine = 2.2 * falloff(np.hypot(px + 0.42, py + 0.48), 0.09) + 0.8 * falloff(
            np.hypot(px - 0.40, py - 0.55), 0.12
        )
        colour = film * (0.10 + 0.95 * rim) + self.stage.palette.colour(0.95) * (rim**3 * 0.35)
        area = (slice(None), window[0], window[1])
        picture[area] = picture[area] * (1 - within * 0.45 * rim) + (colour * 0.8 + shine) * within


class Dunes:
    """Desert ridges with combed sand and blown dust."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.phase = stage.rng.uniform(0, 2 * math.pi, (5, 2)).tolist()
        self.light_x = stage.random(-0.5, 0.5)

    def paint(self, x: Array, y: Array, t: float) -> Array:
        stage, palette = self.stage, self.stage.palette
        scaled = y * (1 / stage.half_height)
        distance = np.hypot(x - self.light_x, y + 0.52 * stage.half_height)
        picture: Array = palette.ramp(0.80 - 0.30 * smooth(distance, 0, 2.0)) + palette.glow * (
            smooth(distance, 0.17, 0.155) * 0.9 + falloff(distance, 0.5) * 0.25
        )
        for index, (first, second) in enumerate(self.phase):
            near = (index + 1) / len(self.phase)
            along = x * (1.5 - 0.8 * near) + 0.02 * t * near
            ridge = -0.22 + 0.98 * near * near + 0.10 * np.sin(along + first) + 0.05 * np.sin(2.3 * along + second)
            face = np.cos(along + first) + 0.5 * np.cos(2.3 * along + second)
            below = scaled - ridge
            comb = np.sin((below * 46 / near + 3.0 * stage.silk.at(x * 0.2, y * 0.2 + near) * 6 - 0.5 * t) * 1.0)
            tone = 0.28 + 0.10 * near + 0.26 * np.clip(0.5 + 0.5 * face, 0, 1) + 0.035 * comb * near
            sand = palette.ramp(tone + 0.24 * np.exp(-9 * np.maximum(below, 0))) * (
                1.0 - 0.35 * near + 0.2 * face * near
            )
            picture = mix(picture, sand, smooth(below, -0.003, 0.006))
            dust = np.exp(-26 * np.abs(below)) * smooth(stage.clouds.at(x * 0.25 - 0.09 * t, y * 0.9), 0.5, 0.9)
            picture = picture + palette.colour(0.9) * dust * 0.35
        return picture


class Stones:
    """Smooth stones in raked sand, in raking light."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        tall = min(stage.half_height, 1.5)
        self.stones = [
            (stage.random(-0.2, 0.1), 0.10 * tall, 0.42, 0.36),
            (stage.random(0.34, 0.5), -0.52 * tall, 0.24, 0.20),
            (stage.random(-0.6, -0.45), 0.66 * tall, 0.17, 0.14),
        ]

    def paint(self, x: Array, y: Array, t: float) -> Array:
        stage, palette = self.stage, self.stage.palette
        sway = 0.25 * t
        light_x, light_y = -0.75 * math.cos(0.08 * sway) - 0.1, -0.55 - 0.15 * math.sin(sway)
        gap, shadow = np.full_like(x, 9), np.ones_like(x)
        for cx, cy, rx, ry in self.stones:
            reach = np.hypot((x - cx) * (1 / rx), (y - cy) * (1 / ry))
            gap = np.minimum(gap, (reach - 1) * rx)
            cast = np.hypot((x - cx + light_x * 0.20) * (1 / rx), (y - cy + light_y * 0.20) * (1 / ry))
            shadow = shadow * (1 - 0.72 * smooth(cast, 1.12, 0.80))
        far = smooth(gap, 0.16, 0.42)
        rake = mix(gap * 44, (y + 0.16 * np.sin(1.7 * x + 0.05 * t)) * 44, far)
        groove = np.sin(rake) * 0.5 + 0.22 * stage.rough.slopes[1].at(x * 0.5, y * 0.5)
        warm = falloff(np.hypot(x + 0.7, y + 0.9), 1.9)
        picture: Array = (
            palette.ramp(0.40 + 0.15 * groove + 0.24 * warm) * (0.45 + 0.60 * warm + 0.22 * groove) * shadow
        )
        for cx, cy, rx, ry in self.stones:
            picture = self._stone(picture, (x - cx) * (1 / rx), (y - cy) * (1 / ry), (light_x, light_y))
        return picture

    def _stone(self, below: Array, px: Array, py: Array, light: tuple[float, float]) -> Array:
        squared = px * px + py * py
        depth = np.sqrt(np.clip(1 - squared, 0, 1))
        grain = 0.45 * (self.stage.rough.at(px * 0.22, py * 0.22) - 0.5)
        veins = smooth(np.abs(self.stage.silk.soft(px * 0.10 + 0.3, py * 0.10) - 0.5), 0.012, 0.0)
        lit = np.clip(px * light[0] + py * light[1] + 0.48 * depth + 0.12 * grain, 0, 1)
        tone = 0.12 + 0.34 * lit + 0.10 * grain + 0.22 * veins
        stone = self.stage.palette.ramp(tone) * (0.25 + 1.1 * lit) + self.stage.palette.colour(0.95) * lit**9 * 0.35
        return mix(below, stone, smooth(squared, 1.0, 0.965))


class Galaxy:
    """A turning spiral of dust and stars."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.stars = stage, StarField(stage)
        self.arms = int(stage.rng.integers(2, 4))
        self.tilt = stage.random(0.35, 0.8)

    def paint(self, x: Array, y: Array, t: float) -> Array:
        stage, palette = self.stage, self.stage.palette
        cos, sin = math.cos(self.tilt), math.sin(self.tilt)
        px, py = x * cos + y * sin, (y * cos - x * sin) * 1.75
        distance = np.hypot(px, py) + 0.02
        angle = np.arctan2(py, px)
        wind = angle + 2.6 * np.log(distance + 0.06) - 0.16 * t
        turn = -0.16 * t - 0.9 * np.log(distance + 0.15)
        u, v = px * np.cos(turn) + py * np.sin(turn), py * np.cos(turn) - px * np.sin(turn)
        dust = stage.clouds.at(u * 0.22, v * 0.22)
        fine = stage.rough.at(u * 0.35, v * 0.35)
        arm = np.clip(0.5 + 0.5 * np.cos(self.arms * wind) + 0.9 * (dust - 0.5), 0, 1.3)
        disc = np.exp(-1.55 * distance)
        light = disc * (0.15 + 1.25 * arm * arm) * (0.45 + 0.8 * fine)
        picture = night_sky(stage, x, y, t) * 0.55 + palette.ramp(0.22 + 0.62 * light) * light * 1.6
        picture += palette.glow * smooth(fine * arm, 0.72, 1.0) * disc * 1.3
        picture += palette.colour(0.95) * (falloff(distance, 0.15) * 1.5 + falloff(distance, 0.45) * 0.28)
        result: Array = picture + self.stars.at(x + 0.004 * t, y, t) * 0.9
        return result


class Silk:
    """Folds of cloth moving as if under water."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.turn = stage.random(0.5, 1.1) * (1 if stage.random(0, 1) > 0.5 else -1)

    def paint(self, x: Array, y: Array, t: float) -> Array:
        palette = self.stage.palette
        cos, sin = math.cos(self.turn), math.sin(self.turn)
        u, v = x * cos + y * sin, y * cos - x * sin
        sway = 2.2 * self.stage.silk.soft(x * 0.09 + 0.006 * t, y * 0.09 - 0.004 * t)
        first = 4.6 * u + 1.9 * np.sin(0.9 * v + 0.35 * t) + 4 * sway
        second = 9.7 * u - 1.5 * np.sin(1.6 * v - 0.28 * t) - 6 * sway + 0.22 * t
        slope = 0.60 * np.cos(first) + 0.40 * np.cos(second)
        depth = 0.5 + 0.30 * np.sin(first) + 0.20 * np.sin(second)
        sheen = np.clip(0.5 + 0.55 * slope, 0, 1)
        gloss = falloff(slope - 0.50, 0.16) * depth
        body = palette.ramp(0.26 + 0.34 * depth + 0.30 * sheen * depth) * (0.42 + 0.75 * sheen)
        return body + palette.colour(0.95) * gloss * 0.42 + palette.glow * (1 - depth) * sheen * 0.14


class Aurora:
    """Curtains of light over dark hills."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.stars = stage, StarField(stage)
        self.hills = _firs(stage, 3)

    def paint(self, x: Array, y: Array, t: float) -> Array:
        stage, palette = self.stage, self.stage.palette
        scaled = y * (1 / stage.half_height)
        picture = palette.ramp(0.03 + 0.16 * smooth(scaled, -1, 0.6)) + self.stars.at(x, y, t) * 0.8
        for band in range(3):
            flow = stage.silk.at(x * 0.13 + 0.009 * t + 0.3 * band, np.full_like(x, 0.2 + 0.3 * band) + 0.012 * t)
            foot = 0.28 - 0.30 * band + 0.75 * (flow - 0.5)
            above = foot - scaled
            strands = stage.clouds.at(x * 0.55 + 0.7 * flow + 0.01 * t, np.full_like(x, 0.1 * band) + 0.008 * t)
            light = smooth(above, -0.015, 0.07) * np.exp(-2.3 * np.maximum(above, 0)) * (0.22 + 1.5 * strands * strands)
            hue = np.clip(0.55 + 0.1 * band + 0.25 * strands - 0.35 * above, 0, 1)
            picture = picture + palette.ramp(hue) * light * 0.9 + palette.glow * light * np.clip(above, 0, 1) * 0.7
        column = ((x * 0.10 + 0.5) % 1 * 2048).astype(np.intp) % 2048
        result: Array = picture * (1 - 0.965 * smooth(scaled - self.hills.take(column) - 0.18, -0.004, 0.012))
        return result


class Bokeh:
    """A city at night through a soft lens."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        count = 46
        self.x = stage.rng.uniform(-1.1, 1.1, count) * stage.half_width
        self.y = stage.rng.normal(0.05, 0.42, count) * stage.half_height
        self.size = stage.rng.uniform(0.05, 0.21, count) ** 1.0
        self.light = stage.rng.uniform(0.12, 0.6, count)
        self.tone = stage.rng.uniform(0.45, 1.0, count)
        self.accent = stage.rng.uniform(0, 1, count) > 0.62

    def paint(self, x: Array, y: Array, t: float) -> Array:
        stage, palette = self.stage, self.stage.palette
        scaled = y * (1 / stage.half_height)
        picture = palette.ramp(0.05 + 0.20 * np.exp(-4 * scaled * scaled) + 0.06 * stage.billows(x * 0.1, y * 0.1, t))
        for index in range(len(self.x)):
            size = float(self.size[index])
            centre_x = float(self.x[index]) + 0.05 * math.sin(0.3 * t + index) + 0.03 * (size - 0.1) * t
            px, py = (x - centre_x) * (1 / size), (y - float(self.y[index])) * (1 / size)
            rows, columns = np.abs(py[:, 0]) < 1.1, np.abs(px[0]) < 1.1
            if not (rows.any() and columns.any()):
                continue
            window = np.ix_(rows, columns)
            squared = px[window] ** 2 + py[window] ** 2
            disc = smooth(squared, 1.05, 0.74) * (0.60 + 0.40 * np.clip(squared, 0, 1) ** 3)
            glow = palette.glow if self.accent[index] else palette.colour(float(self.tone[index]))
            pulse = float(self.light[index]) * (0.8 + 0.2 * math.sin(0.9 * t + 2.3 * index))
            picture[:, window[0], window[1]] += glow * disc * pulse
        return picture


class Ink:
    """Pigment unfolding in clear water."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.centre_x = stage.random(-0.2, 0.2)
        self.eddies = _Eddies(stage, count=5)

    def paint(self, x: Array, y: Array, t: float) -> Array:
        stage, palette = self.stage, self.stage.palette
        u, v = self.eddies.stir(1.3 * (x - self.centre_x), 1.1 * y - 0.16 * t, 0.7 * t)
        reach = 0.75 + 0.02 * t - 0.22 * y * (1 / stage.half_height)
        plume = np.exp(-((u * (1 / (1.6 * reach))) ** 2)) * np.exp(-(((x - self.centre_x) * 0.8) ** 2))
        threads = 0.5 + 0.5 * np.sin(2.6 * u + 1.1 * v)
        wisps = stage.clouds.soft(u * 0.07, v * 0.07)
        density = np.clip(plume * (0.18 + 0.78 * threads * threads + 0.5 * (wisps - 0.4)), 0, 1)
        water = palette.ramp(0.97 - 0.16 * smooth(np.hypot(x, y), 0.2, 1.9))
        pigment = palette.ramp(0.66 - 0.56 * density)
        edge = smooth(density, 0.06, 0.32) * smooth(density, 0.75, 0.32)
        tinted = mix(water, pigment, smooth(density, 0.03, 0.55))
        return tinted * (1 - 0.25 * edge) + palette.glow * edge * 0.22


class Mountains:
    """Snowy ridges in cold air."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.ridges = [_ridge(stage, index) for index in range(3)]
        self.light_x = stage.random(-0.5, 0.5)

    def paint(self, x: Array, y: Array, t: float) -> Array:
        stage, palette = self.stage, self.stage.palette
        scaled = y * (1 / stage.half_height)
        distance = np.hypot(x - self.light_x, y + 0.55 * stage.half_height)
        picture: Array = (
            palette.ramp(0.78 - 0.40 * smooth(distance, 0, 2.2)) + palette.glow * falloff(distance, 0.30) * 0.6
        )
        for index, ridge in enumerate(self.ridges):
            near = (index + 1) / len(self.ridges)
            column = ((x * (0.17 - 0.06 * near) + 0.5 + 0.21 * index + 0.003 * near * t) % 1 * 2048).astype(
                np.intp
            ) % 2048
            below = scaled - ridge.take(column)
            u, v = x * 0.24 + 0.3 * index, below * 0.30
            face = stage.clouds.slopes[0].at(0.6 * u + 0.3 * v, 0.6 * v) * 0.50
            snow = smooth(stage.clouds.at(u, v * 0.8) - 1.1 * below, 0.10, 0.34)
            lit = np.clip(0.52 + 0.38 * face, 0, 1)
            rock = palette.ramp(0.36 - 0.24 * near + 0.18 * lit)
            white = palette.ramp(0.55 + 0.42 * lit - 0.10 * near)
            haze = smooth(below, 0.0, 0.42) * (0.95 - 0.45 * near)
            slope = mix(mix(rock, white, snow), palette.colour(0.62) + 0 * x, haze)
            picture = mix(picture, slope, smooth(below, -0.003, 0.005))
        return picture


def _ridge(stage: Stage, index: int) -> Array:
    """Height of a mountain ridge over 2,048 columns, in half frame heights from the centre (negative is up)."""
    axis = np.arange(2048) / 2048
    line = np.zeros(2048)
    for octave in range(8):
        cycles = (2 + index % 2) * 2**octave
        wave = 1 - 2 * np.abs((axis * cycles + stage.random(0, 1)) % 1 - 0.5) * 2
        line += wave * 0.24 / 2.15**octave * stage.random(0.6, 1.2)
    return (-0.06 + 0.34 * index - 0.60 * line * (1 - 0.2 * index)).astype(np.float32)
