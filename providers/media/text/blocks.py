"""A text of one look in a box: set, aligned, and given what surrounds it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from providers.media.text.assets import Horizontal, Place, Transform
from providers.media.text.lines import Line, set_lines
from providers.media.text.paint import Placed, Rect
from providers.media.text.shaping import Look

Vertical = Literal["top", "middle", "bottom"]
# Half the height of capitals: a line's middle is theirs.
BASELINE_BELOW_MIDDLE = 0.35

CASES: Mapping[Transform, Callable[[str], str]] = {
    "none": str,
    "uppercase": str.upper,
    "lowercase": str.lower,
    "capitalize": lambda text: re.sub(r"(?<![\w'’])\w", lambda match: match[0].title(), text),
}


@dataclass(frozen=True)
class Block:
    """Lines in a box; ``pitch_px`` from one baseline to the next."""

    look: Look
    pitch_px: float
    room: Rect
    horizontal: Horizontal = "center"
    vertical: Vertical = "middle"

    def placed(self, text: str, *, path: str) -> list[Placed]:
        """The text broken into the box. Raises UnprocessableInput with ``path`` for a character that no font has."""
        return self.arranged(set_lines([(text, self.look)], self.room.width, path=path))

    def arranged(self, lines: Sequence[Line]) -> list[Placed]:
        """Lines on their places; more than fit stick out of the box."""
        spare = self.room.height - self.pitch_px * len(lines)
        top = self.room.top + {"top": 0.0, "middle": spare / 2, "bottom": spare}[self.vertical]
        return [
            Placed(
                line,
                self.room.left + aligned(self.horizontal, self.room.width - line.width_px),
                top + self.pitch_px * (number + 0.5) + BASELINE_BELOW_MIDDLE * self.look.size_px,
            )
            for number, line in enumerate(lines)
        ]


def sides(place: Place) -> tuple[Horizontal, Vertical]:
    """A position as two alignments."""
    name = place.casefold()
    across: Horizontal = "left" if "left" in name else "right" if "right" in name else "center"
    down: Vertical = "top" if "top" in name else "bottom" if "bottom" in name else "middle"
    return across, down


def aligned(horizontal: Horizontal, spare_px: float) -> float:
    """How much of the spare room lies to the left."""
    return {"left": 0.0, "center": spare_px / 2, "right": spare_px}[horizontal]


def line_box(placed: Sequence[Placed], pitch_px: float) -> Rect:
    """The box of the lines themselves: their widest, and their pitch times their number."""
    size = max((one.line.look.size_px for one in placed if one.line.look), default=0)
    middle_above = BASELINE_BELOW_MIDDLE * size
    return Rect(
        min(one.x for one in placed),
        placed[0].y - middle_above - pitch_px / 2,
        max(one.x + one.line.width_px for one in placed),
        placed[-1].y - middle_above + pitch_px / 2,
    )
