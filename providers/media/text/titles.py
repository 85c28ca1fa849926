"""The title asset: ten ready-made styles across the whole frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image

from providers.media.text.assets import TitleAsset, Transform
from providers.media.text.blocks import CASES, Block, line_box, sides
from providers.media.text.colours import rgba
from providers.media.text.fonts import FontBook, Wish
from providers.media.text.lines import widest_unit_px
from providers.media.text.paint import Finish, Placed, Rect, Shadow, draw_box, draw_lines
from providers.media.text.shaping import Look
from providers.media.text.stills import Still, single

# Shares of the frame's shorter side; the service does not publish its own.
SIZES: Mapping[str, float] = {
    "xx-small": 0.045,
    "x-small": 0.065,
    "small": 0.09,
    "medium": 0.12,
    "large": 0.16,
    "x-large": 0.21,
    "xx-large": 0.28,
}
# Titles keep away from the frame's edges, and shrink to this share of their size before they do not.
MARGIN_SHARE, SMALLEST_SHARE, SHRINKING = 0.05, 0.15, 0.94
# The background's room around the lines, in font sizes.
BAND_ASIDE, BAND_ABOVE = 0.45, 0.15
SOFT = Shadow(0, 0.03, 0.12, (0, 0, 0, 110))


@dataclass(frozen=True)
class Style:
    """``scale`` evens out how large the fonts look; spacing and shadow are shares of the size."""

    family: str
    weight: int = 400
    case: Transform = "none"
    scale: float = 1.0
    spacing: float = 0.0
    line_height: float = 1.15
    shadow: Shadow | None = None


STYLES: Mapping[str, Style] = {
    "minimal": Style("Work Sans", 400),
    "blockbuster": Style("MovLette", case="uppercase", scale=1.35, spacing=0.04, line_height=1.0),
    "vogue": Style("Arapey", case="uppercase", scale=1.1, spacing=0.16),
    "sketchy": Style("Sue Ellen Francisco", scale=1.3),
    "skinny": Style("Work Sans", 200, spacing=0.04, scale=1.05),
    "chunk": Style("Montserrat", 900, case="uppercase", spacing=-0.01, line_height=1.05),
    "chunkLight": Style("Montserrat", 500, case="uppercase", spacing=0.02, line_height=1.1),
    "marker": Style("Permanent Marker"),
    "future": Style("Uni Neue", 300, case="uppercase", spacing=0.3),
    "subtitle": Style("Open Sans", 700, scale=0.8, line_height=1.3, shadow=SOFT),
}


def title_stills(asset: TitleAsset, frame_px: tuple[int, int], length_s: float, fonts: FontBook) -> tuple[Still, ...]:
    """Raises UnprocessableInput for a character without a glyph."""
    placed, block, finish = _fitted(asset, frame_px, fonts)
    background = rgba(asset.background)

    def draw() -> Image.Image:
        picture = Image.new("RGBA", frame_px)
        aside, above = BAND_ASIDE * block.look.size_px, BAND_ABOVE * block.look.size_px
        draw_box(picture, line_box(placed, block.pitch_px).spread(aside, above, aside, above), background)
        draw_lines(picture, placed, finish)
        return picture

    return single(length_s, draw)


def _fitted(asset: TitleAsset, frame_px: tuple[int, int], fonts: FontBook) -> tuple[list[Placed], Block, Finish]:
    """Set smaller until no word is broken and all lines are inside."""
    style, share = STYLES[asset.style], 1.0
    text = CASES[style.case](asset.text)
    while True:
        size_px = SIZES[asset.size] * style.scale * min(frame_px) * share
        block = _block(asset, style, size_px, frame_px, fonts)
        placed = block.placed(text, path="text")
        if share < SMALLEST_SHARE or _fits(text, placed, block):
            shadow = style.shadow and Shadow(
                style.shadow.x_px * size_px,
                style.shadow.y_px * size_px,
                style.shadow.blur_px * size_px,
                style.shadow.colour,
            )
            return placed, block, Finish(shadow=shadow)
        share *= SHRINKING


def _fits(text: str, placed: list[Placed], block: Block) -> bool:
    unbroken = widest_unit_px([(text, block.look)], path="text") <= block.room.width
    return unbroken and len(placed) * block.pitch_px <= block.room.height


def _block(asset: TitleAsset, style: Style, size_px: float, frame_px: tuple[int, int], fonts: FontBook) -> Block:
    width, height = frame_px
    room = Rect(0, 0, width, height).grown(-MARGIN_SHARE * min(frame_px))
    room = room.moved(asset.offset.x * width, -asset.offset.y * height)
    chain = fonts.chain(style.family, Wish(style.weight), path="style")
    look = Look(chain, size_px, rgba(asset.color), letter_px=style.spacing * size_px)
    return Block(look, size_px * style.line_height, room, *sides(asset.position))
