"""What moves: tweens, effects and transitions as numbers, one for every frame of a clip.

Curves are computed here and handed to FFmpeg as tables, so that a frame is where this module says it is. Times and
distances of effects and transitions are those of the vendor's studio; where it names none (wipes' edges, the eight
shuffles, ``Slow`` slides) the choice is ours and stands in docs/cutting-room.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from providers.media.edit import Clip, Motion, Tween

Array = npt.NDArray[np.float64]

ZOOM = {"": 1.3, "Slow": 1.1, "Fast": 1.7}
SLIDE = {"": 0.12, "Slow": 0.03, "Fast": 0.2}
FADE_S = {"": 1.0, "Slow": 2.0, "Fast": 0.5}
MOVE_S = {"": 0.5, "Slow": 1.0, "Fast": 0.25}
ZOOM_S = 0.4
NUDGE = 0.025
ZOOMED = 10.0
# Where a clip goes, in frames: x to the right, y upward.
WAY: Mapping[str, tuple[float, float]] = {"Left": (-1, 0), "Right": (1, 0), "Up": (0, 1), "Down": (0, -1)}
SIDE: Mapping[str, tuple[float, float]] = {"Top": (0, 1), "Bottom": (0, -1), "Left": (-1, 0), "Right": (1, 0)}


@dataclass(frozen=True)
class Moves:
    """A clip's motion, frame by frame; every field has one number per frame.

    ``scale`` is that of the clip, which its position counts; ``zoom`` grows about the centre. ``x`` and ``y`` are
    fractions of the frame, y upward. ``shown`` is the part of the picture that a wipe shows, from 0 to 1, counted from
    the left, or from the right where ``from_right`` is 1.
    """

    scale: Array
    zoom: Array
    x: Array
    y: Array
    angle: Array
    skew_x: Array
    skew_y: Array
    opacity: Array
    shown: Array
    from_right: Array


def moves(clip: Clip, *, frames: int, fps: float) -> Moves:
    """The motion of a clip of so many frames."""
    t = np.arange(frames) / fps
    length_s = frames / fps
    turn = clip.transform
    still = Moves(
        scale=values(clip.scale, t, length_s),
        zoom=np.ones(frames),
        x=values(clip.offset.x, t, length_s),
        y=values(clip.offset.y, t, length_s),
        angle=values(turn.rotate.angle, t, length_s),
        skew_x=values(turn.skew.x, t, length_s),
        skew_y=values(turn.skew.y, t, length_s),
        opacity=np.clip(values(clip.opacity, t, length_s), 0, 1),
        shown=np.ones(frames),
        from_right=np.zeros(frames),
    )
    moved = _effect(still, clip.effect, t / length_s) if clip.effect else still
    return _transitions(moved, clip, t, length_s)


def values(motion: Motion, t: Array, length_s: float) -> Array:
    """A number, or tweens, at the times ``t`` of a clip that lasts ``length_s``.

    Before its first tween a value is what that starts from; after each it stays what that ended at.
    """
    if not isinstance(motion, tuple):
        return np.full(len(t), float(motion))
    ordered = sorted(motion, key=lambda tween: tween.start)
    found = np.full(len(t), _from(ordered[0]))
    for tween in ordered:
        long_s = (length_s - tween.start) if tween.length is None else tween.length
        part = np.clip((t - tween.start) / max(long_s, 1e-9), 0, 1)
        begun = t >= tween.start
        found[begun] = (_from(tween) + (_to(tween) - _from(tween)) * _eased(tween, part))[begun]
    return found


def _from(tween: Tween) -> float:
    return _to(tween) if tween.start_value is None else tween.start_value


def _to(tween: Tween) -> float:
    told = tween.start_value if tween.end_value is None else tween.end_value
    return 0.0 if told is None else told


def _eased(tween: Tween, part: Array) -> Array:
    if tween.interpolation == "constant":
        return np.floor(part)
    name = tween.easing or ("ease" if tween.interpolation == "bezier" else None)
    return ease(name, part) if name else part


# --- Effects


def _effect(still: Moves, effect: str, part: Array) -> Moves:
    name, speed = _named(effect)
    if name.startswith("zoom"):
        far = ZOOM[speed]
        grown = 1 + (far - 1) * (part if name == "zoomIn" else 1 - part)
        return replace(still, zoom=still.zoom * grown)
    way, far = WAY[name.removeprefix("slide")], SLIDE[speed]
    # Enlarged by the whole way, so that no edge comes into sight.
    return replace(
        still,
        zoom=still.zoom * (1 + far),
        x=still.x + way[0] * far * (part - 0.5),
        y=still.y + way[1] * far * (part - 0.5),
    )


def _named(word: str) -> tuple[str, str]:
    """``slideLeftFast`` as ``("slideLeft", "Fast")``."""
    for speed in ("Slow", "Fast"):
        if word.endswith(speed):
            return word.removesuffix(speed), speed
    return word, ""


# --- Transitions


def transition_s(word: str) -> float:
    """How many seconds a transition takes."""
    name, speed = _named(word)
    if name == "none":
        return 0.0
    if name == "zoom":
        return ZOOM_S
    return (FADE_S if name.startswith(("fade", "reveal", "wipe")) else MOVE_S)[speed]


def _transitions(moved: Moves, clip: Clip, t: Array, length_s: float) -> Moves:
    words = (clip.transition.start, clip.transition.end)
    share = length_s / 2 if "none" not in words else length_s
    in_s, out_s = (min(transition_s(word), share) for word in words)
    if in_s:
        # 1 before it appears, 0 when it is there.
        away = 1 - np.clip(t / in_s, 0, 1)
        moved = _gone(moved, words[0], away, entering=True)
    if out_s:
        away = np.clip((t - (length_s - out_s)) / out_s, 0, 1)
        moved = _gone(moved, words[1], away, entering=False)
    return moved


def _gone(moved: Moves, word: str, away: Array, *, entering: bool) -> Moves:
    """The clip as far away as ``away`` says: 0 is in its place, 1 is out of sight."""
    name, _ = _named(word)
    if name == "fade":
        return replace(moved, opacity=moved.opacity * (1 - ease("easeInOut", away)))
    if name == "zoom":
        grown = 1 + (ZOOMED - 1) * away
        return replace(moved, zoom=moved.zoom * grown, opacity=moved.opacity * (1 - away))
    if name in {"reveal", "wipeLeft", "wipeRight"}:
        return _wiped(moved, name, away, entering=entering)
    x, y = _way_out(name)
    # It comes from where it would go to if it went backwards.
    sign = -1 if entering else 1
    far = ease("easeInOut", away)
    faded = 1 - away if name.startswith("slide") else np.ones(len(away))
    return replace(moved, x=moved.x + sign * x * far, y=moved.y + sign * y * far, opacity=moved.opacity * faded)


def _wiped(moved: Moves, name: str, away: Array, *, entering: bool) -> Moves:
    """An edge that sweeps to the right (or left): entering it uncovers behind itself, leaving it covers."""
    to_left = name == "wipeLeft"
    from_right = to_left if entering else not to_left
    active = away > 0
    return replace(
        moved,
        shown=np.where(active, 1 - away, moved.shown),
        from_right=np.where(active, float(from_right), moved.from_right),
    )


def _way_out(name: str) -> tuple[float, float]:
    if name.startswith("slide"):
        x, y = WAY[name.removeprefix("slide")]
        return x * NUDGE, y * NUDGE
    if name.startswith("carousel"):
        return WAY[name.removeprefix("carousel")]
    corner = name.removeprefix("shuffle")
    first = next(side for side in SIDE if corner.startswith(side))
    ahead, aside = SIDE[first], SIDE[corner.removeprefix(first)]
    # A frame towards the side named first, and half a frame towards the other.
    return ahead[0] + aside[0] / 2, ahead[1] + aside[1] / 2


# --- Easings (https://easings.net; the four short names are CSS's cubic Bézier curves)

_BEZIER = {
    "ease": (0.25, 0.1, 0.25, 1.0),
    "easeIn": (0.42, 0.0, 1.0, 1.0),
    "easeOut": (0.0, 0.0, 0.58, 1.0),
    "easeInOut": (0.42, 0.0, 0.58, 1.0),
}
_OVERSHOOT = 1.70158
_POWERS = {"Quad": 2, "Cubic": 3, "Quart": 4, "Quint": 5}
_RISES: Mapping[str, Callable[[Array], Array]] = {
    "Sine": lambda p: 1 - np.cos(p * np.pi / 2),
    "Expo": lambda p: np.where(p <= 0, 0.0, 2 ** (10 * p - 10)),
    "Circ": lambda p: 1 - np.sqrt(1 - np.clip(p, 0, 1) ** 2),
}


def ease(name: str, part: Array) -> Array:
    """The eased progress for a linear one of 0 to 1."""
    if name in _BEZIER:
        return _bezier(_BEZIER[name], part)
    for end in ("InOut", "In", "Out"):
        if name.startswith(f"ease{end}"):
            return _ended(end, _rise(name.removeprefix(f"ease{end}"), end), part)
    raise KeyError(name)


def _rise(curve: str, end: str) -> Callable[[Array], Array]:
    if curve in _POWERS:
        return lambda p: p ** _POWERS[curve]
    if curve == "Back":
        over = _OVERSHOOT * (1.525 if end == "InOut" else 1)
        return lambda p: (over + 1) * p**3 - over * p**2
    return _RISES[curve]


def _ended(end: str, rise: Callable[[Array], Array], part: Array) -> Array:
    if end == "In":
        return rise(part)
    if end == "Out":
        return 1 - rise(1 - part)
    return np.where(part < 0.5, rise(2 * part) / 2, 1 - rise(2 - 2 * part) / 2)


def _bezier(control: tuple[float, float, float, float], part: Array) -> Array:
    x1, y1, x2, y2 = control
    low, high = np.zeros(len(part)), np.ones(len(part))
    # Halving 40 times finds the parameter to 12 digits.
    for _ in range(40):
        middle = (low + high) / 2
        before = _cubic(x1, x2, middle) < part
        low, high = np.where(before, middle, low), np.where(before, high, middle)
    return _cubic(y1, y2, (low + high) / 2)


def _cubic(first: float, second: float, s: Array) -> Array:
    return 3 * (1 - s) ** 2 * s * first + 3 * (1 - s) * s**2 * second + s**3
