"""From an asset to the pictures that show it, one after the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

from PIL import Image

from providers.media.text.paint import Placed

# Nobody sees a picture that stands for less than this.
SHORTEST_S = 1 / 60
# The service's engine types this many letters a second, and is done before the clip ends.
LETTERS_A_SECOND, SHORTEST_TYPING_S, LONGEST_TYPING_SHARE = 30, 0.3, 0.9
FADE_STEPS_A_SECOND = 30


@dataclass(frozen=True)
class Still:
    """A picture and when it is shown, in seconds from the clip's start, the end excluded."""

    start_s: float
    end_s: float
    draw: Callable[[], Image.Image] = field(repr=False)

    @property
    def picture(self) -> Image.Image:
        """RGBA with straight alpha, as large as the asset's box; drawn anew each time, as a clip may have hundreds."""
        return self.draw()


class Animation(Protocol):
    """What the animations of text and rich-text have in common."""

    @property
    def duration(self) -> float | None:
        """Seconds; None leaves it to the number of letters."""


def single(length_s: float, draw: Callable[[], Image.Image]) -> tuple[Still, ...]:
    """One picture for the whole clip."""
    return (Still(0.0, length_s, draw),)


def typed(
    placed: Sequence[Placed],
    animation: Animation,
    length_s: float,
    draw: Callable[[int | None], Image.Image],
    *,
    words: bool,
) -> tuple[Still, ...]:
    """Letters or words that appear one after the other; ``draw`` gets how many clusters are there."""
    steps = list(_word_ends(placed)) if words else list(range(1, _count(placed) + 1))
    duration_s = _duration_s(animation, _count(placed), length_s)
    every = max(1, math.ceil(len(steps) * SHORTEST_S / duration_s))
    counts = [0, *steps][::every]
    starts = [min(number * every * duration_s / max(1, len(steps)), duration_s) for number in range(len(counts))]
    stills = [
        _typing(count, start, end, draw)
        for count, (start, end) in zip(counts, pairwise([*starts, duration_s]), strict=True)
    ]
    return _cut([*stills, Still(duration_s, length_s, lambda: draw(None))], length_s)


def faded(animation: Animation, letters: int, length_s: float, draw: Callable[[], Image.Image]) -> tuple[Still, ...]:
    """A picture whose opacity rises, fast at first."""
    duration_s = _duration_s(animation, letters, length_s)
    count = max(1, round(duration_s * FADE_STEPS_A_SECOND))
    edges = [number * duration_s / count for number in range(count + 1)]
    stills = [_fading(start, end, (start + end) / 2 / duration_s, draw) for start, end in pairwise(edges)]
    return _cut([*stills, Still(duration_s, length_s, draw)], length_s)


def _typing(count: int, start_s: float, end_s: float, draw: Callable[[int | None], Image.Image]) -> Still:
    return Still(start_s, end_s, lambda: draw(count))


def _fading(start_s: float, end_s: float, progress: float, draw: Callable[[], Image.Image]) -> Still:
    opacity = progress * (2 - progress)

    def picture() -> Image.Image:
        whole = draw()
        whole.putalpha(whole.getchannel("A").point([round(level * opacity) for level in range(256)]))
        return whole

    return Still(start_s, end_s, picture)


def _cut(stills: Sequence[Still], length_s: float) -> tuple[Still, ...]:
    """The stills until the clip ends."""
    return tuple(
        Still(still.start_s, min(still.end_s, length_s), still.draw)
        for still in stills
        if still.start_s < min(still.end_s, length_s)
    )


def _duration_s(animation: Animation, letters: int, length_s: float) -> float:
    if animation.duration is not None:
        return animation.duration
    return min(max(SHORTEST_TYPING_S, letters / LETTERS_A_SECOND), LONGEST_TYPING_SHARE * length_s)


def _count(placed: Sequence[Placed]) -> int:
    return sum(len(one.line.clusters) for one in placed)


def _word_ends(placed: Sequence[Placed]) -> Iterator[int]:
    """How many clusters there are when each word is complete."""
    count = 0
    for one in placed:
        order = sorted(one.line.clusters, key=lambda cluster: cluster.start)
        for number, cluster in enumerate(order, 1):
            if number == len(order) or (not cluster.blank and order[number].blank):
                yield count + number
        count += len(order)
