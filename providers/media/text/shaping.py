"""From characters to glyphs: fonts chosen letter by letter, directions resolved, runs shaped by HarfBuzz."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, pairwise
from typing import Literal, NamedTuple

import regex
import uharfbuzz as hb
from bidi import algorithm as bidi

from myloware.kernel.errors import UnprocessableInput
from providers.media.text.colours import CLEAR, Rgba
from providers.media.text.fonts import Cut

Decoration = Literal["none", "underline", "line-through"]

# What UAX 9 leaves out of the line, so that the library does too. It fails at isolates, which it does not know, and at
# letters younger than Python's tables: it is given a neutral sign for both.
_NEVER_ORDERED = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "BN"})
_UNKNOWN_TO_LIBRARY = frozenset({"", "LRI", "RLI", "FSI", "PDI"})
_NEUTRAL = "\N{BLACK STAR}"
_RIGHT_TO_LEFT = regex.compile(r"[\p{bc=R}\p{bc=AL}\p{bc=AN}]")
_INVISIBLE = regex.compile(r"[\p{Default_Ignorable_Code_Point}\p{Cf}]")
_EMOJI = regex.compile(r"\p{Emoji_Presentation}|\N{VARIATION SELECTOR-16}|\N{COMBINING ENCLOSING KEYCAP}")
# Scripts whose letters join: space between them would tear words apart.
_JOINING = frozenset({"Arab", "Deva", "Mong", "Nkoo", "Syrc"})


@dataclass(frozen=True, eq=False)
class Look:
    """How a stretch of text is set; ``chain`` are its fonts, the wanted one first."""

    chain: tuple[Cut, ...]
    size_px: float
    colour: Rgba
    letter_px: float = 0
    word_px: float = 0
    decoration: Decoration = "none"
    highlight: Rgba = CLEAR


class Glyph(NamedTuple):
    """A glyph and where it stands from its cluster's pen, in pixels, y downward."""

    id: int
    x: float
    y: float


@dataclass(frozen=True, eq=False, slots=True)
class Cluster:
    """What cannot be torn apart: a letter with its marks, a ligature, an emoji. ``start`` counts characters."""

    start: int
    text: str
    look: Look
    cut: Cut
    level: int
    glyphs: tuple[Glyph, ...]
    advance_px: float

    @property
    def blank(self) -> bool:
        """Whether it is a space."""
        return self.text.isspace()


class _Letter(NamedTuple):
    """A grapheme before shaping."""

    start: int
    text: str
    look: Look
    level: int
    cut: Cut
    script: str


Span = tuple[str, Look]


def cleaned(text: str) -> str:
    """The text with one kind of line break and without control characters."""
    lines = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\t", " ").splitlines()
    lines += [""] * text.endswith(("\n", "\r"))
    return "\n".join("".join(c for c in line if unicodedata.category(c) != "Cc") for line in lines)


def shape(spans: Sequence[Span], *, path: str) -> list[Cluster]:
    """Clusters of one paragraph, in reading order.

    Raises UnprocessableInput with ``path`` for a character that no font has.
    """
    text = "".join(part for part, _ in spans)
    looks = [look for part, look in spans for _ in part]
    clusters: list[Cluster] = []
    for _, run in groupby(_letters(text, looks, path), key=lambda one: (one.look, one.level, one.cut, one.script)):
        clusters += _shaped(list(run))
    return clusters


def _letters(text: str, looks: Sequence[Look], path: str) -> Iterator[_Letter]:
    levels = _levels(text)
    script = ""
    for match in regex.finditer(r"\X", text):
        start, letter = match.start(), match[0]
        look = looks[start]
        script = _script(letter[0]) or script
        yield _Letter(start, letter, look, levels[start], _chosen(letter, look.chain, path), script)


@lru_cache(maxsize=4096)
def _script(character: str) -> str:
    """Its ISO 15924 name; empty for what all scripts share."""
    buffer = hb.Buffer()
    buffer.add_codepoints([ord(character)])
    buffer.guess_segment_properties()
    return buffer.script or ""


def _chosen(letter: str, chain: tuple[Cut, ...], path: str) -> Cut:
    """Emoji come from the coloured font, everything else from the first that has all of it.

    The coloured font has digits, too, but without ink: they are parts of its keycaps.
    """
    wanted = chain[0]
    if letter.isascii() and wanted.has(letter[0]) and not wanted.coloured:
        return wanted
    needed = _INVISIBLE.sub("", letter)
    coloured_first = _EMOJI.search(letter) is not None or (wanted.coloured and not letter.isascii())
    for cut in sorted(chain, key=lambda one: one.coloured != coloured_first):
        if all(map(cut.has, needed)):
            return cut
    missing = next((c for c in needed if not any(cut.has(c) for cut in chain)), needed)
    name = unicodedata.name(missing, "unnamed") if len(missing) == 1 else "as one sign"
    raise UnprocessableInput(
        f"no font here has {missing!r} ({name}); leave it out, or add a font that has it to timeline.fonts", path=path
    )


def _levels(text: str) -> list[int]:
    """Embedding levels of UAX 9: even ones read from the left, odd ones from the right."""
    if _RIGHT_TO_LEFT.search(text) is None:
        return [0] * len(text)
    classes = [unicodedata.bidirectional(character) for character in text]
    known = "".join(_NEUTRAL if kind in _UNKNOWN_TO_LIBRARY else c for c, kind in zip(text, classes, strict=True))
    storage = bidi.get_empty_storage()
    base = storage["base_level"] = bidi.get_base_level(known)
    storage["base_dir"] = "LR"[base]
    bidi.get_embedding_levels(known, storage)
    bidi.explicit_embed_and_overrides(storage)
    bidi.resolve_weak_types(storage)
    bidi.resolve_neutral_types(storage, False)
    bidi.resolve_implicit_levels(storage, False)
    ordered = iter(storage["chars"])
    levels = [base]
    for kind in classes:
        levels.append(levels[-1] if kind in _NEVER_ORDERED else next(ordered)["level"])
    return levels[1:]


def _shaped(run: list[_Letter]) -> Iterator[Cluster]:
    look, cut, level = run[0].look, run[0].cut, run[0].level
    scale, origin = look.size_px / cut.upem, run[0].start
    text = "".join(letter.text for letter in run)
    buffer = _in_glyphs(text, cut, level, run[0].script, ligatures=look.letter_px == 0)
    glyphs: dict[int, list[Glyph]] = {}
    pens: dict[int, float] = {}
    for info, position in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True):
        pen = pens.get(info.cluster, 0.0)
        drawn = Glyph(info.codepoint, pen + position.x_offset * scale, -position.y_offset * scale)
        glyphs.setdefault(info.cluster, []).append(drawn)
        pens[info.cluster] = pen + position.x_advance * scale
    spacing = 0 if run[0].script in _JOINING else look.letter_px
    for start, end in pairwise([*sorted(glyphs), len(text)]):
        part = text[start:end]
        advance = pens[start] + spacing + (look.word_px if part == " " else 0)
        yield Cluster(origin + start, part, look, cut, level, tuple(glyphs[start]), advance)


def _in_glyphs(text: str, cut: Cut, level: int, script: str, *, ligatures: bool) -> hb.Buffer:
    buffer = hb.Buffer()
    buffer.add_codepoints([ord(character) for character in text])
    buffer.direction = "rtl" if level % 2 else "ltr"
    buffer.script = script or "Zyyy"
    # Otherwise HarfBuzz takes the machine's own language.
    buffer.language = "und"
    hb.shape(cut.font, buffer, {} if ligatures else {"liga": False, "clig": False})
    return buffer
