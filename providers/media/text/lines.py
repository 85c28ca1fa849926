"""From paragraphs to lines: broken where the writing allows it, ordered for the eye."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import regex

from myloware.kernel.errors import UnprocessableInput
from providers.media.text.shaping import Cluster, Look, Span, cleaned, shape

# Far more than a frame holds: setting takes about 20 ms per thousand.
MOST_CHARACTERS = 20_000

# The breaks of UAX 14 that words need: after blanks, after a hyphen or slash between letters, around a dash, and
# between ideographs and emoji, but neither before closing nor after opening punctuation.
_WIDE = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Emoji_Presentation}"
_NO_START = (
    r"[\p{lb=CL}\p{lb=CP}\p{lb=EX}\p{lb=IS}\p{lb=SY}\p{lb=NS}\p{lb=CJ}\p{lb=PO}\p{lb=GL}\p{lb=WJ}\p{lb=QU}\p{lb=BA}\s]"
)
_NO_END = r"[\p{lb=OP}\p{lb=PR}\p{lb=GL}\p{lb=WJ}\p{lb=QU}\s]"
_BREAK = regex.compile(
    rf"""(?<=[\ \u1680\u2000-\u2006\u2008-\u200B\u3000])(?=\S)
    | (?<=\p{{L}}\p{{M}}*[-\u2010/])(?=\p{{L}})
    | (?<=\S)(?=\u2014) | (?<=\u2014)(?=\S)
    | (?:(?<=[{_WIDE}\uFE0F\u3001-\u303F\uFF00-\uFFEF]) | (?=[{_WIDE}])) (?<!{_NO_END}) (?!{_NO_START})""",
    regex.VERBOSE,
)


@dataclass(frozen=True, eq=False)
class Line:
    """A line as it is seen, from left to right, without the blanks at its ends."""

    clusters: tuple[Cluster, ...]

    @property
    def width_px(self) -> float:
        """From the first pen to the end of the last letter, without the letter spacing after it."""
        if not self.clusters:
            return 0.0
        return sum(one.advance_px for one in self.clusters) - self.clusters[-1].look.letter_px

    @property
    def look(self) -> Look | None:
        """The largest."""
        return max((one.look for one in self.clusters), key=lambda look: look.size_px, default=None)


def set_lines(spans: Sequence[Span], room_px: float, *, path: str) -> list[Line]:
    """The spans broken at their line breaks and where the room ends; a word that is wider is broken anywhere.

    Raises UnprocessableInput with ``path`` for a character that no font has, and for a text without measure.
    """
    if sum(len(text) for text, _ in spans) > MOST_CHARACTERS:
        raise UnprocessableInput(f"more than {MOST_CHARACTERS} characters are not drawn here; shorten it", path=path)
    lines: list[Line] = []
    for paragraph in _paragraphs(spans):
        clusters = shape(paragraph, path=path)
        broken = [Line(_seen(_trimmed(line))) for line in _broken(clusters, room_px)]
        lines += broken or [Line(())]
    return lines


def widest_unit_px(spans: Sequence[Span], *, path: str) -> float:
    """The room that the spans need for no word to be broken."""
    units = (unit for paragraph in _paragraphs(spans) for unit in _units(shape(paragraph, path=path)))
    return max(map(_width, map(_trimmed, units)), default=0.0)


def _paragraphs(spans: Sequence[Span]) -> Iterator[list[Span]]:
    paragraph: list[Span] = []
    for text, look in spans:
        first, *rest = cleaned(text).split("\n")
        paragraph.append((first, look))
        for part in rest:
            yield paragraph
            paragraph = [(part, look)]
    yield paragraph


def _units(clusters: Sequence[Cluster]) -> Iterator[list[Cluster]]:
    """What stays together on a line, with the blanks after it."""
    text = "".join(one.text for one in clusters)
    allowed = {match.start() for match in _BREAK.finditer(text)}
    starts = [i for i, one in enumerate(clusters) if i == 0 or one.start in allowed]
    for start, end in pairwise([*starts, len(clusters)]):
        yield list(clusters[start:end])


def _broken(clusters: Sequence[Cluster], room_px: float) -> Iterator[list[Cluster]]:
    line: list[Cluster] = []
    filled = 0.0
    for part in _parts(clusters, room_px):
        if line and filled + _width(_trimmed(part)) > room_px + 0.01:
            yield line
            line, filled = [], 0.0
        line += part
        filled += _width(part)
    if line:
        yield line


def _parts(clusters: Sequence[Cluster], room_px: float) -> Iterator[list[Cluster]]:
    """Units, those wider than the room taken to pieces."""
    for unit in _units(clusters):
        if _width(_trimmed(unit)) <= room_px:
            yield unit
        else:
            yield from ([one] for one in unit)


def _width(clusters: Iterable[Cluster]) -> float:
    return sum(one.advance_px for one in clusters)


def _trimmed(clusters: Sequence[Cluster]) -> list[Cluster]:
    inked = [i for i, one in enumerate(clusters) if not one.blank]
    return list(clusters[inked[0] : inked[-1] + 1]) if inked else []


def _seen(clusters: list[Cluster]) -> tuple[Cluster, ...]:
    """Rule L2 of UAX 9: what reads from the right is turned round, from the innermost level outward."""
    highest = max((one.level for one in clusters), default=0)
    for level in range(highest, 0, -1):
        position = 0
        while position < len(clusters):
            end = position
            while end < len(clusters) and clusters[end].level >= level:
                end += 1
            clusters[position:end] = reversed(clusters[position:end])
            position = max(end, position + 1)
    return tuple(clusters)
