"""The text and rich-text assets: one look in one box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from myloware.kernel.errors import UnprocessableInput
from providers.media.text.assets import (
    RichTextAnimation,
    RichTextAsset,
    RichTextGradient,
    RichTextShadow,
    TextAsset,
)
from providers.media.text.blocks import CASES, Block, Vertical
from providers.media.text.colours import CLEAR, Gradient, Rgba, rgba
from providers.media.text.fonts import FontBook, Wish
from providers.media.text.lines import Line, set_lines
from providers.media.text.paint import (
    HIGHLIGHT_ASIDE,
    Finish,
    Placed,
    Rect,
    Shadow,
    checked,
    draw_box,
    draw_framed_box,
    draw_highlights,
    draw_lines,
    ink_box,
)
from providers.media.text.shaping import Look
from providers.media.text.stills import Still, faded, single, typed

Size = tuple[int, int]

VERTICALS: dict[str, Vertical] = {"top": "top", "center": "middle", "bottom": "bottom"}
PILL_PADDING_SHARE = 0.12


@dataclass(frozen=True)
class _Box:
    """What lies behind a text: a fill and a border that lies within its edge."""

    rect: Rect
    fill: Rgba
    radius_px: float
    border: Rgba = CLEAR
    border_px: float = 0

    def draw(self, picture: Image.Image) -> None:
        border = self.border_px
        if border == 0:
            draw_box(picture, self.rect, self.fill, self.radius_px)
        else:
            inner = self.rect.grown(-border)
            draw_framed_box(picture, inner, max(0.0, self.radius_px - border), self.fill, self.border, border)


@dataclass(frozen=True)
class Card:
    """What is drawn: the box behind, the lines, and what lies around their letters."""

    size: Size
    box: _Box | None
    placed: Sequence[Placed]
    finish: Finish

    def picture(self, shown: int | None = None) -> Image.Image:
        """RGBA of its size; ``shown`` clusters of it when it is being typed."""
        picture = Image.new("RGBA", self.size)
        if self.box is not None:
            self.box.draw(picture)
        if shown is None:
            draw_highlights(picture, self.placed, aside=HIGHLIGHT_ASIDE)
        draw_lines(picture, self.placed, self.finish, shown=shown)
        return picture


def text_stills(asset: TextAsset, frame_px: Size, length_s: float, fonts: FontBook) -> tuple[Still, ...]:
    """Raises UnprocessableInput for an unknown family, a character without a glyph, and ``background.wrap``."""
    card = _text_card(asset, (asset.width or frame_px[0], asset.height or frame_px[1]), fonts)
    if asset.animation is None:
        return single(length_s, card.picture)
    return typed(card.placed, asset.animation, length_s, card.picture, words=False)


def _text_card(asset: TextAsset, size: Size, fonts: FontBook) -> Card:
    font, background = asset.font, asset.background
    if background.wrap:
        raise UnprocessableInput(
            "the service does not wrap the background of a text; use a rich-text asset", path="background.wrap"
        )
    chain = fonts.chain(font.family, Wish(font.weight), path="font.family")
    look = Look(chain, font.size, rgba(font.color, font.opacity))
    whole = Rect(0, 0, *size)
    room = whole.grown(-background.padding)
    vertical = VERTICALS[asset.alignment.vertical]
    block = Block(look, font.size * font.lineHeight, room, asset.alignment.horizontal, vertical)
    placed = block.placed(asset.text, path="text")
    if asset.ellipsis is not None:
        placed = _shortened(asset.ellipsis, block, placed)
    box = _Box(whole, rgba(background.color, background.opacity), background.borderRadius) if background.color else None
    outline = Finish(outline_px=asset.stroke.width, outline=rgba(asset.stroke.color))
    return Card(size, box, placed, outline)


def _shortened(ellipsis: str, block: Block, placed: list[Placed]) -> list[Placed]:
    """The lines that fit, the last one cut so that the ellipsis stands at its end."""
    fitting = max(1, int(block.room.height / max(block.pitch_px, 1) + 0.01))
    if len(placed) <= fitting:
        return placed
    lines = [one.line for one in placed[:fitting]]
    words = "".join(one.text for one in sorted(lines[-1].clusters, key=lambda one: one.start))
    while True:
        last = _set(words.rstrip() + ellipsis, block)
        if len(last) == 1 or not words:
            return block.arranged([*lines[:-1], last[0]])
        words = words[:-1]


def _set(text: str, block: Block) -> list[Line]:
    return set_lines([(text, block.look)], block.room.width, path="ellipsis")


def rich_text_stills(asset: RichTextAsset, size: Size, length_s: float, fonts: FontBook) -> tuple[Still, ...]:
    """Raises UnprocessableInput for an unknown family, a character without a glyph, and most animations."""
    animation = asset.animation
    if animation is None:
        return single(length_s, rich_card(asset, size, fonts).picture)
    _refuse_animation(animation)
    card = rich_card(asset, size, fonts)
    if animation.preset == "fadeIn":
        return faded(animation, len(asset.text), length_s, card.picture)
    return typed(card.placed, animation, length_s, card.picture, words=animation.style == "word")


def _refuse_animation(animation: RichTextAnimation) -> None:
    if animation.preset not in {"typewriter", "fadeIn"}:
        raise UnprocessableInput(
            f"{animation.preset} is not drawn here; use typewriter or fadeIn, or move the clip", path="animation.preset"
        )
    if animation.preset == "fadeIn" and animation.style is not None:
        raise UnprocessableInput("fadeIn is drawn here for the text as a whole; leave it out", path="animation.style")
    if animation.direction is not None:
        raise UnprocessableInput(f"{animation.preset} has no direction; leave it out", path="animation.direction")


def rich_card(asset: RichTextAsset, size: Size, fonts: FontBook, *, path: str = "text") -> Card:
    """Everything but the animation. Raises UnprocessableInput with ``path`` for a character without a glyph."""
    font, padding, border = asset.font, asset.padding, asset.border.width
    whole = Rect(0, 0, *size)
    room = whole.grown(-border).spread(-padding.left, -padding.top, -padding.right, -padding.bottom)
    look = _rich_look(asset, fonts)
    block = Block(look, font.size * asset.style.lineHeight, room, asset.align.horizontal, asset.align.vertical)
    placed = block.placed(CASES[asset.style.textTransform](asset.text), path=path)
    return Card(size, _rich_box(asset, whole, placed), placed, _rich_finish(asset))


def _rich_look(asset: RichTextAsset, fonts: FontBook) -> Look:
    font, style = asset.font, asset.style
    chain = fonts.chain(font.family, Wish(font.weight, font.style == "italic"), path="font.family")
    return Look(
        chain,
        font.size,
        rgba(font.color, font.opacity),
        letter_px=style.letterSpacing,
        word_px=style.wordSpacing,
        decoration=style.textDecoration,
        highlight=rgba(font.background) if font.background else CLEAR,
    )


def _rich_finish(asset: RichTextAsset) -> Finish:
    stroke = asset.stroke or asset.font.stroke
    finish = Finish(
        gradient=_gradient(asset.style.gradient, asset.font.opacity) if asset.style.gradient else None,
        outline_px=stroke.width / 2 if stroke else 0,
        outline=rgba(stroke.color, stroke.opacity) if stroke else CLEAR,
        shadow=_shadow(asset.shadow) if asset.shadow else None,
    )
    return checked(finish, outline="stroke.width", shadow="shadow")


def _gradient(gradient: RichTextGradient, opacity: float) -> Gradient:
    stops = sorted(gradient.stops, key=lambda stop: stop.offset)
    return Gradient(
        tuple((stop.offset, rgba(stop.color, opacity)) for stop in stops),
        gradient.angle if gradient.type == "linear" else None,
    )


def _shadow(shadow: RichTextShadow) -> Shadow:
    return Shadow(shadow.offsetX, shadow.offsetY, shadow.blur, rgba(shadow.color, shadow.opacity))


def _rich_box(asset: RichTextAsset, whole: Rect, placed: Sequence[Placed]) -> _Box | None:
    background, border = asset.background, asset.border
    rect = _pill(asset, placed) if background.wrap else whole
    if rect is None:
        return None
    return _Box(
        rect,
        rgba(background.color, background.opacity) if background.color else CLEAR,
        border.radius or background.borderRadius,
        rgba(border.color, border.opacity),
        border.width,
    )


def _pill(asset: RichTextAsset, placed: Sequence[Placed]) -> Rect | None:
    """Around the letters: the pill's own padding, the asset's, the stroke, and room for the border."""
    ink, stroke = ink_box(placed), asset.stroke or asset.font.stroke
    own = asset.background.padding
    around = asset.font.size * PILL_PADDING_SHARE if own is None else own
    around += asset.border.width + (stroke.width / 2 if stroke else 0)
    padding = asset.padding
    return ink and ink.grown(around).spread(padding.left, padding.top, padding.right, padding.bottom)
