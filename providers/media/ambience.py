"""The sound of a clip: quiet ambience put together from filtered noise, small resonances and slow tones.

Signals are ``float32`` arrays of shape (2, samples) at 48 kHz, left first.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from providers.media.canvas import Array
from providers.media.direction import Direction

RATE_HZ = 48_000
FADE_S = 0.35
LEVEL_RMS = 0.075
PEAK = 0.5
# Where the whispered word of an ASMR clip begins.
WHISPER_S = 3.0


def compose(direction: Direction, duration_s: float) -> Array:
    """The mixed sounds of a direction: about -23 dBFS RMS, peaks at most -6 dBFS, faded at both ends."""
    studio = Studio(max(1, round(duration_s * RATE_HZ)), direction.seed)
    mixed = np.zeros((2, studio.count), dtype=np.float32)
    for index, name in enumerate(direction.sounds):
        layer = LAYERS[name](studio)
        weight = 1.0 / (1 + 0.5 * index)
        mixed += layer * (weight / (float(np.sqrt(np.mean(layer * layer))) + 1e-6))
    mixed *= LEVEL_RMS / (float(np.sqrt(np.mean(mixed * mixed))) + 1e-9)
    limited = PEAK * np.tanh(mixed / PEAK)
    result: Array = (limited * studio.ends()).astype(np.float32)
    return result


class Studio:
    """Noise, filters and envelopes over one clip's length."""

    def __init__(self, count: int, seed: int) -> None:
        self.count = count
        self.rng = np.random.Generator(np.random.PCG64(seed ^ 0x50A11D))
        self.t = (np.arange(count) / RATE_HZ).astype(np.float32)
        self.root_hz = 110.0 * 2 ** (int(self.rng.integers(0, 12)) / 12)

    def noise(self, low_hz: float, high_hz: float, *, tilt: float = 0.0) -> Array:
        """Stereo noise in a band; ``tilt`` 1 falls like pink noise's amplitude doubled, 0 is flat."""
        frequency = np.fft.rfftfreq(self.count, 1 / RATE_HZ) + 1e-3
        shape = 1 / (1 + (low_hz / frequency) ** 4) / (1 + (frequency / high_hz) ** 4)
        shape *= (frequency / low_hz + 1) ** -tilt
        spectrum = np.fft.rfft(self.rng.standard_normal((2, self.count)).astype(np.float32)) * shape
        # Left and right share a third of their noise: wide, but no hole in the middle.
        spectrum += 0.5 * spectrum[::-1]
        field = np.fft.irfft(spectrum, self.count)
        result: Array = (field / (field.std() + 1e-9)).astype(np.float32)
        return result

    def swell(self, period_s: float, low: float = 0.3) -> Array:
        """A slow envelope between ``low`` and 1, different on both sides."""
        sides = []
        for phase in self.rng.uniform(0, 2 * math.pi, 2):
            wave = 0.5 + 0.32 * np.sin(2 * math.pi * self.t / period_s + phase)
            wave += 0.18 * np.sin(2 * math.pi * self.t / (period_s * 0.37) + 2 * phase)
            sides.append(low + (1 - low) * wave)
        return np.stack(sides).astype(np.float32)

    def scatter(self, per_s: float, make: Callable[[], Array], *, level: float = 1.0) -> Array:
        """Many short mono sounds at random moments, places and levels."""
        track = np.zeros((2, self.count), dtype=np.float32)
        for _ in range(max(1, round(per_s * self.count / RATE_HZ))):
            sound = make()
            start = int(self.rng.integers(0, self.count))
            length = min(len(sound), self.count - start)
            place, strength = float(self.rng.uniform(0.15, 0.85)), level * float(self.rng.uniform(0.15, 1)) ** 2
            track[0, start : start + length] += sound[:length] * (strength * math.cos(place * math.pi / 2))
            track[1, start : start + length] += sound[:length] * (strength * math.sin(place * math.pi / 2))
        return track

    def ping(
        self, frequency_hz: float, decay_s: float, *, bend: float = 0.0, partials: tuple[float, ...] = (1,)
    ) -> Array:
        """A struck tone; ``bend`` raises its pitch over its length."""
        t = np.arange(int(decay_s * 5 * RATE_HZ)) / RATE_HZ
        tone = np.zeros_like(t)
        for order, ratio in enumerate(partials):
            sweep = frequency_hz * ratio * (t + bend * t * t / (2 * decay_s))
            tone += np.sin(2 * math.pi * sweep) * np.exp(-t * (1 + 0.7 * order) / decay_s) / (1 + order)
        return (tone * np.minimum(1, t / 0.002)).astype(np.float32)

    def click(self, frequency_hz: float, decay_s: float) -> Array:
        """A short burst of noise around a frequency."""
        t = np.arange(int(decay_s * 6 * RATE_HZ)) / RATE_HZ
        burst = self.rng.standard_normal(len(t)) * np.sin(2 * math.pi * frequency_hz * t)
        return (burst * np.exp(-t / decay_s) * np.minimum(1, t / 0.0005)).astype(np.float32)

    def between(self, low: float, high: float) -> float:
        """A random number, evenly spread over the logarithm."""
        return float(math.exp(self.rng.uniform(math.log(low), math.log(high))))

    def ends(self) -> Array:
        """Fade in and out over the clip."""
        fade_s = min(FADE_S, self.count / RATE_HZ / 4)
        edge = np.minimum(self.t, self.t[::-1]) / fade_s
        return (np.sin(np.clip(edge, 0, 1) * math.pi / 2) ** 2).astype(np.float32)


def _wind(studio: Studio) -> Array:
    low = studio.noise(90, 420, tilt=1.0) * studio.swell(5.5)
    return low + 0.35 * studio.noise(500, 1300) * studio.swell(3.1, 0.05) ** 2


def _waves(studio: Studio) -> Array:
    wash = np.clip(studio.swell(6.2, 0.0), 0, 1) ** 2
    return studio.noise(120, 900, tilt=0.6) * (0.25 + wash) + 0.35 * studio.noise(1800, 6000) * wash**2


def _rain(studio: Studio) -> Array:
    drops = studio.scatter(42, lambda: studio.click(studio.between(1800, 6500), 0.004), level=2.2)
    return 0.5 * studio.noise(900, 9000, tilt=0.7) * studio.swell(7, 0.7) + drops


def _drips(studio: Studio) -> Array:
    drops = studio.scatter(2.6, lambda: studio.ping(studio.between(500, 1500), 0.045, bend=0.7), level=3.0)
    return drops + _echo(drops) + 0.05 * studio.noise(200, 900)


def _stream(studio: Studio) -> Array:
    blips = studio.scatter(34, lambda: studio.ping(studio.between(380, 1600), 0.018, bend=0.9), level=0.9)
    return blips + 0.22 * studio.noise(300, 2600, tilt=0.5) * studio.swell(4, 0.7)


def _bubbles(studio: Studio) -> Array:
    return studio.scatter(15, lambda: studio.ping(studio.between(260, 1300), 0.028, bend=1.2)) + 0.03 * studio.noise(
        150, 700
    )


def _crackle(studio: Studio) -> Array:
    snaps = studio.scatter(
        16, lambda: studio.click(studio.between(900, 5200), studio.between(0.0012, 0.009)), level=2.4
    )
    return snaps + 0.20 * studio.noise(60, 320, tilt=1) * studio.swell(2.7, 0.4)


def _chimes(studio: Studio) -> Array:
    scale = (1, 9 / 8, 5 / 4, 3 / 2, 5 / 3, 2)
    bells = studio.scatter(
        1.4,
        lambda: studio.ping(
            studio.root_hz * 4 * scale[int(studio.rng.integers(0, 6))], 0.7, partials=(1, 2.76, 5.4, 8.9)
        ),
    )
    result: Array = bells + 0.6 * _echo(bells) + 0.01 * studio.noise(3000, 9000)
    return result


def _ice(studio: Studio) -> Array:
    cracks = studio.scatter(
        2.2, lambda: studio.ping(studio.between(700, 2600), 0.05, bend=-0.35, partials=(1, 1.9, 3.1))
    )
    return (
        cracks + _echo(cracks) + studio.scatter(7, lambda: studio.click(studio.between(3000, 8000), 0.002), level=1.2)
    )


def _drone(studio: Studio) -> Array:
    track = np.zeros((2, studio.count), dtype=np.float32)
    for ratio, level in ((0.5, 1.0), (1, 0.7), (1.5, 0.35), (2, 0.25), (3, 0.10)):
        for side in (0, 1):
            hertz = studio.root_hz * ratio * (1 + (side - 0.5) * 0.0022)
            breath = 0.7 + 0.3 * np.sin(2 * math.pi * studio.t / (5 + 2 * ratio) + side + ratio)
            track[side] += level * breath * np.sin(2 * math.pi * hertz * studio.t)
    return track + 0.10 * studio.noise(200, 1200, tilt=0.8) * studio.swell(6)


def _night(studio: Studio) -> Array:
    chirp = np.sin(2 * math.pi * 4200 * studio.t) * np.clip(np.sin(2 * math.pi * 17 * studio.t), 0, 1)
    gate = np.clip(np.sin(2 * math.pi * studio.t / 1.9), 0, 1) ** 2
    result: Array = (
        0.10 * (chirp * gate).astype(np.float32) * np.array([[0.8], [0.35]], np.float32) + _wind(studio) * 0.5
    )
    return result


def _breeze(studio: Studio) -> Array:
    return studio.noise(700, 3800, tilt=0.6) * studio.swell(4.3, 0.05) ** 2 + 0.3 * studio.noise(
        120, 400
    ) * studio.swell(6)


def _birds(studio: Studio) -> Array:
    calls = studio.scatter(1.5, lambda: studio.ping(studio.between(2300, 4300), 0.05, bend=studio.between(0.2, 0.7)))
    result: Array = calls + 0.5 * _echo(calls) + 0.01 * studio.noise(500, 3000)
    return result


def _grains(studio: Studio) -> Array:
    hiss = studio.noise(2600, 9000) * np.clip(studio.swell(1.7, -0.1), 0, 1) ** 2
    return hiss + studio.scatter(60, lambda: studio.click(studio.between(2500, 7000), 0.0016), level=1.6)


def _taps(studio: Studio) -> Array:
    taps = studio.scatter(2.4, lambda: studio.ping(studio.between(320, 900), 0.018, partials=(1, 2.3, 4.1)), level=2.4)
    result: Array = taps + 0.5 * _echo(taps) + 0.02 * studio.noise(200, 1000)
    return result


def _rumble(studio: Studio) -> Array:
    return studio.noise(28, 90, tilt=0.5) * studio.swell(3.4, 0.4) + 0.25 * studio.noise(
        90, 400, tilt=1
    ) * studio.swell(5)


def _room(studio: Studio) -> Array:
    return studio.noise(70, 600, tilt=1.0) * studio.swell(8, 0.7)


def _whisper(studio: Studio) -> Array:
    """A breathed, wordless syllable pair: noise through vowel formants, as the local model cannot speak."""
    breath = 0.8 * studio.noise(620, 900) + studio.noise(1500, 2100) + 0.6 * studio.noise(3200, 5200)
    first = np.exp(-(((studio.t - WHISPER_S - 0.14) / 0.085) ** 2))
    second = np.exp(-(((studio.t - WHISPER_S - 0.42) / 0.13) ** 2))
    result: Array = breath * (first + 0.8 * second).astype(np.float32)
    return result


def _echo(track: Array) -> Array:
    """Three soft repeats that change sides."""
    out = np.zeros_like(track)
    for repeat, delay_s in enumerate((0.17, 0.31, 0.53)):
        shift = min(int(delay_s * RATE_HZ), track.shape[1] - 1)
        out[:, shift:] += track[::-1, : track.shape[1] - shift] * (0.34 / (1 + repeat))
    return out


LAYERS: dict[str, Callable[[Studio], Array]] = {
    "bubbles": _bubbles,
    "birds": _birds,
    "breeze": _breeze,
    "chimes": _chimes,
    "crackle": _crackle,
    "drips": _drips,
    "drone": _drone,
    "grains": _grains,
    "ice": _ice,
    "night": _night,
    "rain": _rain,
    "room": _room,
    "rumble": _rumble,
    "stream": _stream,
    "taps": _taps,
    "waves": _waves,
    "whisper": _whisper,
    "wind": _wind,
}
