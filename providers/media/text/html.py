"""The html asset: text in blocks below each other, as far as docs/text.md goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image

from myloware.kernel.errors import UnprocessableInput
from providers.media.text import css
from providers.media.text.assets import HtmlAsset
from providers.media.text.blocks import BASELINE_BELOW_MIDDLE, CASES, aligned, sides
from providers.media.text.colours import CLEAR, Rgba, rgba
from providers.media.text.css import Sheet, Style
from providers.media.text.fonts import Cut, FontBook, Wish
from providers.media.text.lines import set_lines
from providers.media.text.markup import BLOCK, INLINE, Node, tree
from providers.media.text.paint import Finish, Placed, Rect, draw_box, draw_highlights, draw_lines
from providers.media.text.shaping import Look, Span
from providers.media.text.stills import Still, single

GENERIC = {"sans-serif": "Open Sans", "serif": "Arapey", "cursive": "Permanent Marker", "fantasy": "MovLette"}


@dataclass(frozen=True)
class _Fill:
    """A block's background."""

    box: Rect
    colour: Rgba


@dataclass(frozen=True)
class _Page:
    """Blocks set below each other: lines and fills from their own top, and the margins outside of them."""

    placed: tuple[Placed, ...] = ()
    fills: tuple[_Fill, ...] = ()
    height: float = 0
    above: float = 0
    below: float = 0

    def moved(self, x: float, y: float) -> _Page:
        """The same further to the right and down."""
        return replace(
            self,
            placed=tuple(Placed(one.line, one.x + x, one.y + y) for one in self.placed),
            fills=tuple(_Fill(fill.box.moved(x, y), fill.colour) for fill in self.fills),
        )


def html_stills(asset: HtmlAsset, frame_px: tuple[int, int], length_s: float, fonts: FontBook) -> tuple[Still, ...]:
    """Raises UnprocessableInput, with ``html`` or ``css`` as path, for everything that is not part of the subset."""
    size = (asset.width or frame_px[0], asset.height or frame_px[1])
    across, down = sides(asset.position)
    page = _Setter(css.sheet(asset.css), fonts).block(tree(asset.html), Style(align=across), size[0])
    spare = size[1] - page.height - page.above - page.below
    page = page.moved(0, page.above + {"top": 0.0, "middle": spare / 2, "bottom": spare}[down])

    def draw() -> Image.Image:
        picture = Image.new("RGBA", size, rgba(asset.background))
        for fill in page.fills:
            draw_box(picture, fill.box, fill.colour)
        draw_highlights(picture, page.placed)
        draw_lines(picture, page.placed, Finish())
        return picture

    return single(length_s, draw)


@dataclass(frozen=True)
class _Setter:
    """Sets a tree under a style sheet."""

    sheet: Sheet
    fonts: FontBook

    def block(self, node: Node, outer: Style, width: float) -> _Page:
        """One block and all that is in it. A margin at its edge lies outside of it, unless padding keeps it in."""
        style = self._styled(node, outer)
        top, right, bottom, left = style.padding
        inner = _stacked(self._parts(node, style, width - left - right))
        kept_above, kept_below = (inner.above if top else 0), (inner.below if bottom else 0)
        height = top + kept_above + inner.height + kept_below + bottom
        fill = (_Fill(Rect(0, 0, width, height), style.background),) if style.background[3] else ()
        inside = inner.moved(left, top + kept_above)
        return _Page(
            inside.placed,
            fill + inside.fills,
            height,
            max(style.margin[0], inner.above - kept_above),
            max(style.margin[2], inner.below - kept_below),
        )

    def _parts(self, node: Node, style: Style, width: float) -> Iterator[_Page]:
        """The blocks in a block; text between them is a block of its own."""
        spans: list[Span] = []
        for child in node.children:
            if isinstance(child, Node) and child.is_block:
                yield from self._paragraph(spans, style, width)
                spans = []
                _, right, _, left = self._styled(child, style).margin
                yield self.block(child, style, width - left - right).moved(left, 0)
            else:
                spans += self._inline(child, replace(style, background=CLEAR))
        yield from self._paragraph(spans, style, width)

    def _styled(self, node: Node, outer: Style) -> Style:
        changes: dict[str, Any] = {**INLINE.get(node.element.tag, {}), **BLOCK.get(node.element.tag, {})}
        style = outer.child()
        if "size" in changes:
            changes["size_px"] = style.size_px * changes.pop("size")
        style = self.sheet.applied(replace(style, **changes), node.element)
        return css.declared(style, css.declarations_of(node.style, path="html"), path="html")

    def _inline(self, child: Node | str, outer: Style) -> Iterator[Span]:
        if isinstance(child, str):
            yield CASES[outer.transform](child), self._look(outer)
            return
        style = self._styled(child, outer)
        if style.padding != Style.padding or style.margin != Style.margin:
            raise UnprocessableInput(
                f"<{child.element.tag}> takes no margin or padding here; give a block it", path="css"
            )
        if not style.background[3]:
            style = replace(style, background=outer.background)
        for inner in child.children:
            if isinstance(inner, Node) and inner.is_block:
                message = f"<{inner.element.tag}> cannot stand in <{child.element.tag}>; turn them round"
                raise UnprocessableInput(message, path="html")
            yield from self._inline(inner, style)

    def _look(self, style: Style) -> Look:
        chain = self._chain(style.family, Wish(style.weight, style.italic))
        spacings = (style.letter_px, style.word_px)
        return Look(chain, style.size_px, style.colour, *spacings, style.decoration, style.background)

    def _chain(self, families: Sequence[str], wish: Wish) -> tuple[Cut, ...]:
        """The first family that is there."""
        named = [GENERIC.get(family.casefold(), family) for family in families]
        family = next((family for family in named if family in self.fonts), named[0])
        return self.fonts.chain(family, wish, path="css")

    def _paragraph(self, spans: Sequence[Span], style: Style, width: float) -> Iterator[_Page]:
        """Nothing for blanks alone."""
        collapsed = list(_collapsed(spans))
        if not collapsed:
            return
        placed, top = [], 0.0
        for line in set_lines(collapsed, width, path="html"):
            size_px = line.look.size_px if line.look else style.size_px
            pitch = size_px * style.line_height
            x = aligned(style.align, width - line.width_px)
            placed.append(Placed(line, x, top + pitch / 2 + BASELINE_BELOW_MIDDLE * size_px))
            top += pitch
        yield _Page(tuple(placed), (), top)


def _collapsed(spans: Iterable[Span]) -> Iterator[Span]:
    """Without blanks at the beginning, and without a second one where two spans meet."""
    after_blank = True
    for text, look in spans:
        kept = text.removeprefix(" ") if after_blank else text
        if kept:
            yield kept, look
            after_blank = kept.endswith((" ", "\n"))


def _stacked(pages: Iterable[_Page]) -> _Page:
    """Pages below each other; of two margins that meet the larger one counts."""
    placed: list[Placed] = []
    fills: list[_Fill] = []
    height, below, above = 0.0, 0.0, None
    for page in pages:
        if above is None:
            above = page.above
        else:
            height += max(below, page.above)
        moved = page.moved(0, height)
        placed += moved.placed
        fills += moved.fills
        height, below = height + page.height, page.below
    return _Page(tuple(placed), tuple(fills), height, above or 0, below)
