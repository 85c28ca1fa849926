"""Text as a transparent picture: wrapped into its box, outlined, with a soft shadow, in the shipped font."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from PIL import Image, ImageDraw, ImageFilter, ImageFont

FONTS = Path(__file__).resolve().parents[2] / "fixtures" / "media" / "fonts"
# Weight 500 has no cut of its own; over moving pictures the heavier neighbour reads better than the lighter.
WEIGHTS = ((450, "OpenSans-Regular.ttf"), (650, "OpenSans-Semibold.ttf"), (1000, "OpenSans-Bold.ttf"))
SMALLEST_PX = 12
# No font has a glyph here, so it draws what a missing glyph looks like.
UNASSIGNED = "\U0010ffff"


@dataclass(frozen=True)
class TextStyle:
    """How a text looks; colours are ``#RRGGBB``, opacities 0..1."""

    size_px: int
    weight: int = 400
    colour: str = "#000000"
    opacity: float = 1
    line_height: float = 1.2
    stroke_px: float = 0
    stroke_colour: str = "#000000"
    stroke_opacity: float = 1
    shadow_x_px: float = 0
    shadow_y_px: float = 0
    shadow_blur_px: float = 0
    shadow_colour: str = "#000000"
    shadow_opacity: float = 0
    horizontal: Literal["left", "center", "right"] = "center"
    vertical: Literal["top", "middle", "bottom"] = "middle"
    padding_px: float = 0


def draw_text(text: str, style: TextStyle, *, width_px: int, height_px: int) -> Image.Image:
    """An RGBA picture of the box. A text too large for it is set smaller; characters without a glyph are left out."""
    font, lines = _fitted(printable(text, style.weight), style, width_px, height_px)
    ink = Image.new("L", (width_px, height_px))
    halo = Image.new("L", (width_px, height_px))
    for (x, y), line in _placed(lines, font, style, width_px, height_px):
        ImageDraw.Draw(ink).text((x, y), line, fill=255, font=font, anchor="ls")
        if style.stroke_px:
            ImageDraw.Draw(halo).text((x, y), line, 255, font, "ls", stroke_width=style.stroke_px)
    picture = Image.new("RGBA", (width_px, height_px))
    shape = halo if style.stroke_px else ink
    picture.alpha_composite(_layer(_shadow(shape, style), style.shadow_colour, style.shadow_opacity))
    picture.alpha_composite(_layer(halo, style.stroke_colour, style.stroke_opacity))
    picture.alpha_composite(_layer(ink, style.colour, style.opacity))
    return picture


@cache
def printable(text: str, weight: int) -> str:
    """The text without characters the font cannot draw (emoji, mostly), blanks tidied, line breaks kept."""
    font = _font(weight, 32)
    kept = (character for character in unicodedata.normalize("NFC", text) if _has_glyph(font, character))
    return "\n".join(" ".join(line.split()) for line in "".join(kept).splitlines())


def _has_glyph(font: ImageFont.FreeTypeFont, character: str) -> bool:
    if character.isspace():
        return True
    if unicodedata.category(character) in {"Cc", "Cf", "Cn", "Co", "Cs"}:
        return False
    mask, missing = font.getmask(character), font.getmask(UNASSIGNED)
    return mask.size != missing.size or bytes(mask) != bytes(missing)


@cache
def _font(weight: int, size_px: int) -> ImageFont.FreeTypeFont:
    name = next(name for up_to, name in WEIGHTS if weight <= up_to)
    return ImageFont.truetype(FONTS / name, size_px)


def _fitted(text: str, style: TextStyle, width_px: int, height_px: int) -> tuple[ImageFont.FreeTypeFont, list[str]]:
    room_x = width_px - 2 * (style.padding_px + style.stroke_px)
    room_y = height_px - 2 * (style.padding_px + style.stroke_px)
    size_px = style.size_px
    while True:
        font = _font(style.weight, size_px)
        lines = _wrapped(text, font, room_x)
        fits = (
            max(map(font.getlength, lines), default=0) <= room_x and len(lines) * size_px * style.line_height <= room_y
        )
        if fits or size_px <= SMALLEST_PX:
            return font, lines
        size_px = max(SMALLEST_PX, int(size_px * 0.94))


def _wrapped(text: str, font: ImageFont.FreeTypeFont, room_px: float) -> list[str]:
    lines: list[str] = []
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}".strip()
            if line and font.getlength(longer) > room_px:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return lines


def _placed(
    lines: list[str], font: ImageFont.FreeTypeFont, style: TextStyle, width_px: int, height_px: int
) -> list[tuple[tuple[float, float], str]]:
    """Baseline start of each line."""
    pitch = font.size * style.line_height
    edge = style.padding_px + style.stroke_px
    spare = height_px - 2 * edge - pitch * len(lines)
    top = edge + {"top": 0.0, "middle": spare / 2, "bottom": spare}[style.vertical]
    ascent, descent = font.getmetrics()
    placed = []
    for index, line in enumerate(lines):
        free = width_px - 2 * edge - font.getlength(line)
        x = edge + {"left": 0.0, "center": free / 2, "right": free}[style.horizontal]
        placed.append(((x, top + pitch * index + (pitch + ascent - descent) / 2), line))
    return placed


def _shadow(shape: Image.Image, style: TextStyle) -> Image.Image:
    moved = Image.new("L", shape.size)
    moved.paste(shape, (round(style.shadow_x_px), round(style.shadow_y_px)))
    # A browser's blur radius is twice the deviation of the Gaussian it stands for.
    return moved.filter(ImageFilter.GaussianBlur(style.shadow_blur_px / 2))


def _layer(mask: Image.Image, colour: str, opacity: float) -> Image.Image:
    layer = Image.new("RGBA", mask.size, colour)
    layer.putalpha(mask.point([round(level * opacity) for level in range(256)]))
    return layer
