"""When each clip starts and how long it lasts: ``auto``, ``end`` and ``alias://`` become seconds.

``auto`` as a start is the end of the clip before it on the track; as a length what the asset lasts. ``end`` lasts until
the latest end of all clips that do not say ``end`` themselves, at least 0.1 s (the vendor's studio).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from providers.media.edit import Clip, Timeline, refused
from providers.media.limits import LONGEST_S

STILL_S = 3.0
SHORTEST_END_S = 0.1
# Each of these asks for the next while it is asked itself, and Python bounds that.
MOST_IN_A_ROW = 100


@dataclass(frozen=True)
class Placed:
    """A clip with its JSON path, and its time in seconds."""

    path: str
    track: int
    clip: Clip
    start_s: float
    length_s: float

    @property
    def end_s(self) -> float:
        """When it is over."""
        return self.start_s + self.length_s


def place(timeline: Timeline, lasts: Callable[[Clip, str], float]) -> tuple[Placed, ...]:
    """Every clip, tracks from the top, clips in the order they are written.

    ``lasts`` tells the seconds of a clip's asset; it is asked for ``auto`` only. Raises UnprocessableInput for a time
    that depends on itself, for an unknown alias, and for a film that gets too long.
    """
    clock = _Clock(timeline, lasts)
    return tuple(
        _bounded(Placed(_path(where), where[0], clip, clock.start(where), clock.length(where)))
        for where, clip in _clips(timeline)
    )


def _bounded(placed: Placed) -> Placed:
    if placed.end_s > LONGEST_S:
        raise refused(f"{placed.path}.length", f"no film of more than {LONGEST_S} s is made here")
    return placed


Where = tuple[int, int]


def _clips(timeline: Timeline) -> Iterator[tuple[Where, Clip]]:
    for track_number, track in enumerate(timeline.tracks):
        for clip_number, clip in enumerate(track.clips):
            yield (track_number, clip_number), clip


def _path(where: Where) -> str:
    return f"timeline.tracks[{where[0]}].clips[{where[1]}]"


@dataclass
class _Clock:
    timeline: Timeline
    lasts: Callable[[Clip, str], float]
    known: dict[tuple[Where, str], float] = field(default_factory=dict)
    asked: list[tuple[Where, str]] = field(default_factory=list)

    def start(self, where: Where) -> float:
        return self._found(where, "start", self._start)

    def length(self, where: Where) -> float:
        return self._found(where, "length", self._length)

    def _found(self, where: Where, name: str, find: Callable[[Where], float]) -> float:
        key = (where, name)
        if key in self.asked:
            raise refused(f"{_path(where)}.{name}", "depends on itself")
        if len(self.asked) == MOST_IN_A_ROW:
            raise refused(f"{_path(where)}.{name}", "hangs on too many other clips")
        if key not in self.known:
            self.asked.append(key)
            self.known[key] = find(where)
            self.asked.pop()
        return self.known[key]

    def _clip(self, where: Where) -> Clip:
        return self.timeline.tracks[where[0]].clips[where[1]]

    def _start(self, where: Where) -> float:
        told = self._clip(where).start
        if not isinstance(told, str):
            return told
        if told != "auto":
            return self.start(self._alias(where, "start", told))
        before = (where[0], where[1] - 1)
        return self.start(before) + self.length(before) if where[1] else 0.0

    def _length(self, where: Where) -> float:
        clip = self._clip(where)
        if not isinstance(clip.length, str):
            return clip.length
        if clip.length == "auto":
            return self.lasts(clip, _path(where))
        if clip.length == "end":
            return max(SHORTEST_END_S, self._end() - self.start(where))
        return self.length(self._alias(where, "length", clip.length))

    def _end(self) -> float:
        fixed = [where for where, clip in _clips(self.timeline) if clip.length != "end"]
        return max((self.start(where) + self.length(where) for where in fixed), default=0.0)

    def _alias(self, where: Where, name: str, told: str) -> Where:
        wanted = told.removeprefix("alias://")
        found = [other for other, clip in _clips(self.timeline) if clip.alias == wanted]
        if not found:
            raise refused(f"{_path(where)}.{name}", f"there is no clip with the alias {wanted}")
        return found[0]
