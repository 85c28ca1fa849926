"""Where a clip's corners are in every frame, and how FFmpeg gets the picture there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from providers.media.edit import Fit, Position
from providers.media.motion import Array, Moves

Flags = npt.NDArray[np.bool_]
# Corners stand in FFmpeg's order: top left, top right, bottom left, bottom right.
UNIT = np.array([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)])
# What is nearer than this to a whole pixel, or to standing still, is.
NEAR_PX = 0.02
# Below this speed whole pixels are seen as jumps.
SLOW_PX = 2.5


@dataclass(frozen=True)
class Size:
    """Pixels."""

    width: int
    height: int


def even(length: float) -> int:
    """The nearest even number of pixels, 2 at least: 4:2:0 pictures have no odd sides."""
    return max(2, round(length / 2) * 2)


def fitted(natural: Size, box: Size, fit: Fit) -> Size:
    """The size of a picture in its box, before it is scaled. ``crop`` and ``cover`` fill it, cut or stretched."""
    if fit == "none":
        return natural
    if fit in {"crop", "cover"}:
        return box
    shrink = min(box.width / natural.width, box.height / natural.height)
    return Size(even(natural.width * shrink), even(natural.height * shrink))


def shape_of(natural: Size, size: Size) -> tuple[int, int, int, int]:
    """The middle of a picture that has the shape of ``size``: width, height, left, top."""
    # A crop of less than two pixels is none to FFmpeg.
    width = min(natural.width, max(2, round(natural.height * size.width / size.height)))
    height = min(natural.height, max(2, round(natural.width * size.height / size.width)))
    return width, height, (natural.width - width) // 2, (natural.height - height) // 2


def quads(moves: Moves, size: Size, position: Position, frame: Size) -> Array:
    """The corners in pixels of the frame, shape (frames, 4, 2); y downward."""
    centre = _centres(moves, size, position, frame)
    scale = moves.scale * moves.zoom
    corners = (UNIT - 0.5) * (size.width, size.height)
    x, y = (scale[:, None] * corners[None, :, axis] for axis in (0, 1))
    skewed_x, skewed_y = x + moves.skew_x[:, None] * y, y + moves.skew_y[:, None] * x
    angle = np.radians(moves.angle)[:, None]
    turned_x = skewed_x * np.cos(angle) - skewed_y * np.sin(angle)
    turned_y = skewed_x * np.sin(angle) + skewed_y * np.cos(angle)
    found: Array = np.stack([turned_x, turned_y], axis=-1) + centre[:, None, :]
    return found


def _centres(moves: Moves, size: Size, position: Position, frame: Size) -> Array:
    name = position.lower()
    width, height = size.width * moves.scale, size.height * moves.scale
    x = width / 2 if "left" in name else frame.width - width / 2 if "right" in name else frame.width / 2
    y = height / 2 if "top" in name else frame.height - height / 2 if "bottom" in name else frame.height / 2
    found: Array = np.stack([x + moves.x * frame.width, y - moves.y * frame.height], axis=-1)
    return found


def part_of(quad: Array, left: float, top: float, right: float, bottom: float) -> Array:
    """The corners of a part of the picture, given in shares of it."""
    origin, across, down = quad[:, 0:1], quad[:, 1:2] - quad[:, 0:1], quad[:, 2:3] - quad[:, 0:1]
    shares = np.array([(left, top), (right, top), (left, bottom), (right, bottom)])
    found: Array = origin + across * shares[None, :, 0:1] + down * shares[None, :, 1:2]
    return found


def shares_at(quad: Array, points: Array) -> Array:
    """Where points of the frame lie in the picture, in shares of it; shape (frames, points, 2)."""
    origin, across, down = quad[:, 0:1], quad[:, 1] - quad[:, 0], quad[:, 2] - quad[:, 0]
    away = points[None] - origin
    size = across[:, 0] * down[:, 1] - across[:, 1] * down[:, 0]
    # A picture of no size is nowhere.
    size = np.where(np.abs(size) < 1e-9, 1e-9, size)[:, None]
    u = (away[..., 0] * down[:, None, 1] - away[..., 1] * down[:, None, 0]) / size
    v = (away[..., 1] * across[:, None, 0] - away[..., 0] * across[:, None, 1]) / size
    found: Array = np.stack([u, v], axis=-1)
    return found


def covers(quad: Array, frame: Size) -> Flags:
    """For every frame whether the picture leaves nothing of it free; shape (frames,)."""
    inside = shares_at(quad, UNIT * (frame.width, frame.height))
    slack = NEAR_PX / max(frame.width, frame.height)
    return np.asarray(((inside >= -slack) & (inside <= 1 + slack)).all(axis=(1, 2)), dtype=np.bool_)


def is_upright(quad: Array) -> bool:
    """Whether it is neither turned nor skewed and keeps one size."""
    level = (
        np.abs(quad[:, 0, 1] - quad[:, 1, 1]).max() < NEAR_PX and np.abs(quad[:, 0, 0] - quad[:, 2, 0]).max() < NEAR_PX
    )
    width, height = quad[:, 1, 0] - quad[:, 0, 0], quad[:, 2, 1] - quad[:, 0, 1]
    return bool(level and np.ptp(width) < NEAR_PX and np.ptp(height) < NEAR_PX)


def is_still(quad: Array) -> bool:
    """Whether it keeps its place."""
    return bool(np.ptp(quad, axis=0).max() < NEAR_PX)


def is_slow(quad: Array) -> bool:
    """Whether it moves so little from frame to frame that whole pixels would be seen as jumps."""
    steps = np.abs(np.diff(quad[:, 0], axis=0))
    return bool(len(steps) and steps.max() < SLOW_PX)


@dataclass(frozen=True)
class Region:
    """A part of the frame in pixels."""

    left: int
    top: int
    width: int
    height: int


def region_of(quad: Array, frame: Size) -> Region | None:
    """The part of the frame that the picture touches at any time, with a pixel around it; None when it never does."""
    low, high = np.floor(quad.min(axis=(0, 1))) - 2, np.ceil(quad.max(axis=(0, 1))) + 2
    left, top = (int(max(0, each) // 2 * 2) for each in low)
    right, bottom = int(min(frame.width, high[0])), int(min(frame.height, high[1]))
    if right - left < 2 or bottom - top < 2:
        return None
    return Region(
        left, top, min(even(right - left + 1), frame.width - left), min(even(bottom - top + 1), frame.height - top)
    )


def source_corners(quad: Array, picture: Region, canvas: Size, origin: tuple[int, int]) -> Array:
    """Where FFmpeg's ``perspective`` finds the canvas's corners in its input; shape (frames, 4, 2).

    Input and output have the size of ``canvas``; the picture lies in the input at ``picture``, and the output is what
    the frame shows from ``origin`` on. The filter counts pixels from their corner, pictures from their middle.
    """
    corners = UNIT * (canvas.width, canvas.height) + 0.5 + np.array(origin)
    found: Array = shares_at(quad, corners) * (picture.width, picture.height) + (picture.left, picture.top) - 0.5
    return found


# --- Tables as FFmpeg expressions


def expression(values: Array, variable: str, tolerance: float) -> str:
    """A number per frame as an expression of the frame's number, by straight lines that miss none by ``tolerance``."""
    return _tree(_knots(values, tolerance), values, variable)


def _knots(values: Array, tolerance: float) -> list[int]:
    """The frames between which a straight line is near enough (Ramer, Douglas and Peucker)."""
    found, todo = {0, len(values) - 1}, [(0, len(values) - 1)]
    while todo:
        first, last = todo.pop()
        line = np.interp(np.arange(first, last + 1), (first, last), (values[first], values[last]))
        off = np.abs(values[first : last + 1] - line)
        if off.max(initial=0) > tolerance:
            middle = first + int(off.argmax())
            found.add(middle)
            todo += [(first, middle), (middle, last)]
    return sorted(found)


def _tree(knots: Sequence[int], values: Array, variable: str) -> str:
    if len(knots) == 1:
        return f"{values[knots[0]]:.4f}"
    if len(knots) == 2:
        first, last = knots
        slope = (values[last] - values[first]) / (last - first)
        if abs(slope) < 1e-7:
            return f"{values[first]:.4f}"
        return f"{values[first]:.4f}+({slope:.6f})*({variable}-{first})"
    middle = len(knots) // 2
    before, after = _tree(knots[: middle + 1], values, variable), _tree(knots[middle:], values, variable)
    return f"if(lt({variable},{knots[middle]}),{before},{after})"
