"""Fonts: the built-in families, those of an edit's ``timeline.fonts``, and what stands in for a missing glyph."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import uharfbuzz as hb

from myloware.kernel.errors import UnprocessableInput

FONTS = Path(__file__).resolve().parents[3] / "fixtures" / "media" / "fonts"

# The service's families. MovLette and Uni Neue are not free and NotoEmoji is large: they have stand-ins.
BUILT_IN: Mapping[str, tuple[str, ...]] = {
    "Arapey": ("arapey/Arapey.otf",),
    "Clear Sans": ("clear-sans/ClearSans-Regular.ttf", "clear-sans/ClearSans-Bold.ttf"),
    "Didact Gothic": ("didact-gothic/DidactGothic.ttf",),
    "Montserrat": ("montserrat/Montserrat.ttf", "montserrat/Montserrat-Italic.ttf"),
    "MovLette": ("bebas-neue/BebasNeue.ttf",),
    "NotoEmoji": ("twemoji/Twemoji.ttf",),
    "Open Sans": ("open-sans/OpenSans.ttf", "open-sans/OpenSans-Italic.ttf"),
    "Permanent Marker": ("permanent-marker/PermanentMarker.ttf",),
    "Roboto": ("roboto/Roboto.ttf", "roboto/Roboto-Italic.ttf"),
    "Sue Ellen Francisco": ("sue-ellen-francisco/SueEllenFrancisco.ttf",),
    "Uni Neue": ("outfit/Outfit.ttf",),
    "Work Sans": ("work-sans/WorkSans.ttf", "work-sans/WorkSans-Italic.ttf"),
}
# What a family cannot draw is looked for here, in this order.
FALLBACK: tuple[tuple[str, ...], ...] = (
    BUILT_IN["Open Sans"],
    ("noto-sans-arabic/NotoSansArabic.ttf",),
    ("noto-sans-devanagari/NotoSansDevanagari.ttf",),
    ("noto-sans-thai/NotoSansThai.ttf",),
    ("dejavu-sans/DejaVuSans.ttf",),
    ("droid-sans-fallback/DroidSansFallback.ttf",),
    BUILT_IN["NotoEmoji"],
)

WEIGHTS: Mapping[str, int] = {
    "thin": 100, "hairline": 100, "extralight": 200, "ultralight": 200, "light": 300, "normal": 400, "regular": 400,
    "book": 400, "medium": 500, "semibold": 600, "demibold": 600, "bold": 700, "extrabold": 800, "ultrabold": 800,
    "black": 900, "heavy": 900,
}  # fmt: skip
_CUT = re.compile(f"(?P<weight>{'|'.join(sorted(WEIGHTS, key=len, reverse=True))})?(?P<slope>italic|oblique)?$")
_NAMES = (
    hb.OTNameIdPredefined.TYPOGRAPHIC_FAMILY,
    hb.OTNameIdPredefined.FONT_FAMILY,
    hb.OTNameIdPredefined.FULL_NAME,
    hb.OTNameIdPredefined.POSTSCRIPT_NAME,
)

# A family without an italic is slanted, one without a bold is thickened; shares of the font's size.
SLANT, THICKENING = 0.2, 0.025


@dataclass(frozen=True, eq=False)
class Cut:
    """A font at one weight and slope, ready to shape and draw. ``upem`` font units are the font's size."""

    font: hb.Font
    upem: int
    coloured: bool

    def has(self, character: str) -> bool:
        """Whether there is a glyph."""
        return self.font.get_nominal_glyph(ord(character)) is not None


@dataclass(frozen=True, eq=False)
class Typeface:
    """A font file: the weights it reaches, upright or italic."""

    face: hb.Face
    lightest: float
    heaviest: float
    italic: bool

    def distance(self, weight: int) -> float:
        """How far the nearest weight is."""
        return max(self.lightest - weight, weight - self.heaviest, 0)


@dataclass(frozen=True)
class Wish:
    """Which cut of a family is asked for."""

    weight: int = 400
    italic: bool = False


class FontBook:
    """The built-in families and the files of ``timeline.fonts``, given as local paths by their URL.

    A family of a file is called by the name inside it or by the base name of its URL, with or without the cut
    ("Montserrat ExtraBold", "Roboto-BoldItalic"), whatever the case and the blanks. Raises UnprocessableInput for a
    file that is no TrueType or OpenType font.
    """

    def __init__(self, files: Mapping[str, Path] | None = None) -> None:
        self._own: dict[str, list[Typeface]] = {}
        self._titles: set[str] = set()
        for url, path in (files or {}).items():
            typeface = _opened(path, url)
            base = PurePosixPath(unquote(urlsplit(url).path)).stem
            self._titles.add(typeface.face.get_name(_NAMES[0]) or typeface.face.get_name(_NAMES[1]) or base)
            for name in _names(typeface.face, base):
                self._own.setdefault(name, []).append(typeface)

    def chain(self, family: str, wish: Wish, *, path: str) -> tuple[Cut, ...]:
        """The cuts to draw with, the wanted one first. A weight or slope in the name goes before the wish.

        Raises UnprocessableInput with ``path`` when there is no such family.
        """
        typefaces, wish = self._found(family, wish, path)
        return tuple(_cut(_nearest(some, wish), wish) for some in (typefaces, *map(_shipped, FALLBACK)))

    def __contains__(self, family: str) -> bool:
        """Whether there is such a family."""
        return self._lookup(family, Wish()) is not None

    def _found(self, family: str, wish: Wish, path: str) -> tuple[list[Typeface], Wish]:
        found = self._lookup(family, wish)
        if found is None:
            known = ", ".join(sorted({*BUILT_IN, *self._titles}))
            raise UnprocessableInput(
                f"no font is called {family!r}; there are {known}; others go into timeline.fonts", path=path
            )
        return found

    def _lookup(self, family: str, wish: Wish) -> tuple[list[Typeface], Wish] | None:
        key = _key(family)
        for name, asked in ((key, wish), _without_cut(key, wish)):
            if name in self._own:
                return self._own[name], asked
            if name in _KEYS:
                return _shipped(BUILT_IN[_KEYS[name]]), asked
        return None


def _key(name: str) -> str:
    return re.sub(r"[^\w]|_", "", name.casefold())


_KEYS = {_key(family): family for family in BUILT_IN}


def _without_cut(key: str, wish: Wish) -> tuple[str, Wish]:
    match = _CUT.search(key)
    if match is None:
        return key, wish
    weight = WEIGHTS[match["weight"]] if match["weight"] else wish.weight
    return key[: match.start()], Wish(weight, wish.italic or match["slope"] is not None)


def _names(face: hb.Face, base: str) -> Iterator[str]:
    """Every key that the file answers to, once."""
    given = [_key(name) for name in (*map(face.get_name, _NAMES), base) if name]
    yield from dict.fromkeys(filter(None, [*given, *(_without_cut(key, Wish())[0] for key in given)]))


def _opened(path: Path, url: str) -> Typeface:
    typeface = _read(path)
    if typeface.face.glyph_count == 0 or not typeface.face.unicodes:
        raise UnprocessableInput(f"{url}: not a TrueType or OpenType font", path="timeline.fonts")
    return typeface


def _read(path: Path) -> Typeface:
    face = hb.Face(hb.Blob.from_file_path(str(path)))
    font = hb.Font(face)
    weight = font.get_style_value(hb.StyleTag.WEIGHT)
    axis = next((axis for axis in face.axis_infos if axis.tag == "wght"), None)
    return Typeface(
        face,
        lightest=axis.min_value if axis else weight,
        heaviest=axis.max_value if axis else weight,
        italic=font.get_style_value(hb.StyleTag.ITALIC) > 0,
    )


@lru_cache(maxsize=64)
def _shipped_file(name: str) -> Typeface:
    return _read(FONTS / name)


def _shipped(names: Iterable[str]) -> list[Typeface]:
    return [_shipped_file(name) for name in names]


def _nearest(typefaces: list[Typeface], wish: Wish) -> Typeface:
    """The slope first, then the weight; over moving pictures the heavier of two reads better."""
    return min(typefaces, key=lambda one: (one.italic != wish.italic, one.distance(wish.weight), -one.heaviest))


@lru_cache(maxsize=128)
def _cut(typeface: Typeface, wish: Wish) -> Cut:
    face, font = typeface.face, hb.Font(typeface.face)
    font.set_variations({"wght": min(max(wish.weight, typeface.lightest), typeface.heaviest)})
    coloured = bool(face.has_color_layers or face.has_color_paint)
    if wish.italic and not typeface.italic and not coloured:
        font.synthetic_slant = SLANT
    if wish.weight >= 600 and typeface.heaviest < 600 and not coloured:
        font.synthetic_bold = (THICKENING, THICKENING, False)
    return Cut(font, face.upem, coloured)
