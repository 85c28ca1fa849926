"""Lines and boxes as pixels: glyphs drawn by HarfBuzz, outlines, shadows and gradients put together with Pillow."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import uharfbuzz as hb
from PIL import Image, ImageChops, ImageFilter

from myloware.kernel.errors import UnprocessableInput
from providers.media.text.colours import CLEAR, Fill, Rgba, filled
from providers.media.text.lines import Line
from providers.media.text.shaping import Cluster, Look

Mask = npt.NDArray[np.uint8]

# Measured in shares of the font's size, as the service's own engine draws them.
UNDERLINE_AT, STRIKE_AT, BAR_SHARE = 0.1, -0.3, 0.05
HIGHLIGHT_ABOVE, HIGHLIGHT_BELOW, HIGHLIGHT_ASIDE = 0.9, 0.26, 0.15
# Copies of a shape on a ring leave no gap when they are this far apart, and rings when the shape is as thick as this.
RING_STEP_PX, RING_GAP_PX = 1.0, 1.5
WIDEST_OUTLINE_PX, WIDEST_SHADOW_PX = 100, 500


class Rect(NamedTuple):
    """Edges in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """To the right."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Downward."""
        return self.bottom - self.top

    def grown(self, all_sides: float) -> Rect:
        """Larger by as much on every side."""
        return self.spread(all_sides, all_sides, all_sides, all_sides)

    def spread(self, left: float, top: float, right: float, bottom: float) -> Rect:
        """Larger on each side by its own measure."""
        return Rect(self.left - left, self.top - top, self.right + right, self.bottom + bottom)

    def moved(self, x: float, y: float) -> Rect:
        """As large, further to the right and down."""
        return Rect(self.left + x, self.top + y, self.right + x, self.bottom + y)

    def within(self, other: Rect) -> Rect:
        """What both share; without an area when they share nothing."""
        left, top = max(self.left, other.left), max(self.top, other.top)
        return Rect(left, top, max(left, min(self.right, other.right)), max(top, min(self.bottom, other.bottom)))

    def snapped(self) -> Rect:
        """The whole pixels it touches."""
        return Rect(
            math.floor(self.left + 0.01),
            math.floor(self.top + 0.01),
            math.ceil(self.right - 0.01),
            math.ceil(self.bottom - 0.01),
        )


@dataclass(frozen=True)
class Shadow:
    """Blurred like in a browser: the radius is twice the deviation of the Gaussian."""

    x_px: float
    y_px: float
    blur_px: float
    colour: Rgba


@dataclass(frozen=True)
class Finish:
    """What lies around and in letters. The outline is a ring of ``outline_px`` outside them."""

    gradient: Fill | None = None
    outline_px: float = 0
    outline: Rgba = CLEAR
    shadow: Shadow | None = None


@dataclass(frozen=True, eq=False)
class Placed:
    """A line and the pen of its first letter on the baseline."""

    line: Line
    x: float
    y: float


class _Mark(NamedTuple):
    """A glyph on the picture. ``order`` is its cluster's place in reading order."""

    cluster: Cluster
    font: hb.Font
    glyph: int
    scale: float
    x: float
    y: float


@dataclass(frozen=True, eq=False)
class _Row:
    """What is inked of a line: its glyphs, and bars under or through its words."""

    marks: tuple[_Mark, ...]
    bars: tuple[tuple[Look, Rect], ...]
    ink: Rect


def checked(finish: Finish, *, outline: str, shadow: str) -> Finish:
    """The finish. Raises UnprocessableInput with the path of what would take more pixels than are to be had."""
    if finish.outline_px > WIDEST_OUTLINE_PX:
        raise UnprocessableInput(f"at most {WIDEST_OUTLINE_PX} px around letters are drawn here", path=outline)
    reach = finish.shadow and max(abs(finish.shadow.x_px), abs(finish.shadow.y_px), finish.shadow.blur_px)
    if reach and reach > WIDEST_SHADOW_PX:
        raise UnprocessableInput(f"at most {WIDEST_SHADOW_PX} px of shadow are drawn here", path=shadow)
    return finish


def union(boxes: Iterable[Rect]) -> Rect | None:
    """The box around all of them."""
    edges = list(zip(*boxes, strict=True))
    return Rect(min(edges[0]), min(edges[1]), max(edges[2]), max(edges[3])) if edges else None


def ink_box(placed: Iterable[Placed]) -> Rect | None:
    """The box around all glyphs."""
    return union(row.ink for row in map(_row, placed) if row.marks)


def draw_lines(picture: Image.Image, placed: Sequence[Placed], finish: Finish, *, shown: int | None = None) -> None:
    """Draws the lines onto an RGBA picture. ``shown`` clusters, in reading order, are drawn; by default all."""
    rows = [_row(one) for one in placed]
    whole = union(row.ink for row in rows if row.marks)
    if shown is not None:
        rows = list(_first(rows, shown))
    shadow = finish.shadow
    margin = finish.outline_px + 1
    reach = margin if shadow is None else margin + max(abs(shadow.x_px), abs(shadow.y_px)) + 2 * shadow.blur_px
    canvas = Rect(0, 0, *picture.size).grown(reach)
    rows = [row for row in rows if row.ink.within(canvas).width and row.ink.within(canvas).height]
    ink = union(row.ink for row in rows)
    if ink is None or whole is None:
        return
    area = ink.grown(reach).within(canvas).snapped()
    _paste(picture, _Panel(area, rows, finish, whole).drawn(), area)


def draw_highlights(picture: Image.Image, placed: Iterable[Placed], *, aside: float = 0) -> None:
    """The colour behind words; ``aside`` widens it by this share of the font's size."""
    for one in placed:
        for look, left, right in _stretches(one):
            if look.highlight[3]:
                size = look.size_px
                box = Rect(
                    left - aside * size,
                    one.y - HIGHLIGHT_ABOVE * size,
                    right + aside * size,
                    one.y + HIGHLIGHT_BELOW * size,
                )
                draw_box(picture, box, look.highlight)


def draw_box(picture: Image.Image, box: Rect, fill: Rgba, radius_px: float = 0) -> None:
    """A box with smooth edges, rounded at its corners, laid onto the picture."""
    area = box.within(Rect(0, 0, *picture.size)).snapped()
    if area.width and area.height and fill[3]:
        layer = Image.new("RGBA", _size(area), fill)
        layer.putalpha(_faded(Image.fromarray(box_mask(box, area, radius_px)), fill[3]))
        _paste(picture, layer, area)


def draw_framed_box(
    picture: Image.Image, box: Rect, radius_px: float, fill: Rgba, border: Rgba, border_px: float
) -> None:
    """A box with a border of ``border_px`` outside of it."""
    outer = box.grown(border_px)
    area = outer.within(Rect(0, 0, *picture.size)).snapped()
    if area.width and area.height:
        inside = box_mask(box, area, radius_px)
        outside = box_mask(outer, area, radius_px + border_px if radius_px else 0)
        layer = _mixed(Image.new("RGBA", _size(area), fill), Image.new("RGBA", _size(area), border), inside)
        layer.putalpha(_product(layer.getchannel("A"), outside))
        _paste(picture, layer, area)


def box_mask(box: Rect, area: Rect, radius_px: float) -> Mask:
    """How much of each pixel of ``area`` the box covers, 0..255."""
    radius = max(0.0, min(radius_px, box.width / 2, box.height / 2))
    x = np.arange(area.left, area.right, dtype=np.float32) + 0.5
    y = np.arange(area.top, area.bottom, dtype=np.float32) + 0.5
    mask: Mask = np.minimum(_covered(x, box.left, box.right), _covered(y, box.top, box.bottom)[:, None])
    if radius == 0:
        return mask
    for columns, middle_x in ((x < box.left + radius, box.left + radius), (x > box.right - radius, box.right - radius)):
        for rows, middle_y in (
            (y < box.top + radius, box.top + radius),
            (y > box.bottom - radius, box.bottom - radius),
        ):
            distance = np.hypot(x[columns] - middle_x, y[rows][:, None] - middle_y)
            mask[np.ix_(rows, columns)] = _levels(radius + 0.5 - distance)
    return mask


def _covered(middles: npt.NDArray[np.float32], start: float, end: float) -> Mask:
    """How much of the pixels with these middles lies between two edges."""
    return _levels(np.minimum(middles + 0.5, end) - np.maximum(middles - 0.5, start))


def _levels(share: npt.NDArray[np.floating]) -> Mask:
    result: Mask = (np.clip(share, 0, 1) * 255 + 0.5).astype(np.uint8)
    return result


@dataclass(frozen=True, eq=False)
class _Panel:
    """The part of a picture that rows of text reach; ``whole`` is what a gradient spans."""

    area: Rect
    rows: Sequence[_Row]
    finish: Finish
    whole: Rect

    def drawn(self) -> Image.Image:
        inked, emoji = list(self._inked()), self._emoji()
        outside = self._outlined() if self.finish.outline_px else None
        layer = Image.new("RGBA", _size(self.area))
        if self.finish.shadow is not None:
            shapes = [*(mask for _, mask in inked), *(part for part in (outside, _alpha(emoji)) if part is not None)]
            layer.alpha_composite(_shadow(self.finish.shadow, shapes, layer.size))
        layer.alpha_composite(self._letters(inked) if outside is None else self._ringed_letters(inked, outside))
        if emoji is not None:
            layer.alpha_composite(emoji)
        return layer

    def _inked(self) -> Iterator[tuple[Look, Mask]]:
        """What each look covers."""
        marks = [mark for row in self.rows for mark in _outlines(row.marks)]
        bars = [bar for row in self.rows for bar in row.bars]
        for look in dict.fromkeys([*(mark.cluster.look for mark in marks), *(look for look, _ in bars)]):
            mask = _coverage((mark for mark in marks if mark.cluster.look is look), self.area)
            for owner, bar in bars:
                if owner is look:
                    np.maximum(mask, box_mask(bar, self.area, 0), out=mask)
            yield look, mask

    def _fill(self, look: Look) -> Image.Image:
        box = self.whole.moved(-self.area.left, -self.area.top)
        return filled(self.finish.gradient or look.colour, _size(self.area), box)

    def _letters(self, inked: Iterable[tuple[Look, Mask]]) -> Image.Image:
        layer = Image.new("RGBA", _size(self.area))
        for look, mask in inked:
            fill = self._fill(look)
            fill.putalpha(_product(fill.getchannel("A"), mask))
            layer.alpha_composite(fill)
        return layer

    def _ringed_letters(self, inked: Iterable[tuple[Look, Mask]], outside: Mask) -> Image.Image:
        layer = Image.new("RGBA", _size(self.area), self.finish.outline)
        layer.putalpha(_faded(Image.fromarray(outside), self.finish.outline[3]))
        for look, mask in inked:
            layer = _mixed(self._fill(look), layer, mask)
        return layer

    def _outlined(self) -> Mask:
        """Every point within the outline's reach of a letter: copies of each line on rings around its place."""
        reach = self.finish.outline_px
        result = np.zeros(_size(self.area)[::-1], np.uint8)
        for row in self.rows:
            marks = list(_outlines(row.marks))
            area = row.ink.grown(reach).within(self.area).snapped()
            if not marks or not area.width or not area.height:
                continue
            mask = _dilated(marks, area, reach)
            left, top = round(area.left - self.area.left), round(area.top - self.area.top)
            window = result[top : top + mask.shape[0], left : left + mask.shape[1]]
            np.maximum(window, mask, out=window)
        return result

    def _emoji(self) -> Image.Image | None:
        marks = [mark for row in self.rows for mark in row.marks if mark.cluster.cut.coloured]
        if not marks:
            return None
        layer = Image.new("RGBA", _size(self.area))
        for opacity, some in groupby(marks, key=lambda mark: mark.cluster.look.colour[3]):
            painted = _painted(some, self.area)
            painted.putalpha(_faded(painted.getchannel("A"), opacity))
            layer.alpha_composite(painted)
        return layer


def _dilated(marks: Sequence[_Mark], area: Rect, reach_px: float) -> Mask:
    """The edge is drawn exactly; what lies within it needs no more than whole pixels."""
    shape = _coverage(marks, area)
    mask = shape.copy()
    for x, y in _ring(reach_px, RING_STEP_PX):
        np.maximum(mask, _coverage(marks, area, x, y), out=mask)
    inner_px = reach_px - RING_GAP_PX
    while inner_px > 0:
        for x, y in {(round(x), round(y)) for x, y in _ring(inner_px, RING_GAP_PX)}:
            into, part = mask[_ahead(y), _ahead(x)], shape[_ahead(-y), _ahead(-x)]
            np.maximum(into, part, out=into)
        inner_px -= RING_GAP_PX
    return mask


def _ahead(shift: int) -> slice:
    """What is left of an axis that moves by ``shift``."""
    return slice(max(0, shift), min(0, shift) or None)


def _ring(radius_px: float, step_px: float) -> Iterator[tuple[float, float]]:
    count = max(16, math.ceil(2 * math.pi * radius_px / step_px))
    for number in range(count):
        angle = 2 * math.pi * number / count
        yield radius_px * math.cos(angle), radius_px * math.sin(angle)


def _shadow(shadow: Shadow, shapes: Iterable[Mask], size: tuple[int, int]) -> Image.Image:
    """The shapes together, moved and blurred."""
    whole = np.zeros(size[::-1], np.uint8)
    for shape in shapes:
        np.maximum(whole, shape, out=whole)
    moved = Image.new("L", size)
    moved.paste(Image.fromarray(whole), (round(shadow.x_px), round(shadow.y_px)))
    layer = Image.new("RGBA", size, shadow.colour)
    layer.putalpha(_faded(moved.filter(ImageFilter.GaussianBlur(shadow.blur_px / 2)), shadow.colour[3]))
    return layer


def _mixed(inner: Image.Image, outer: Image.Image, inside: Mask) -> Image.Image:
    """``inner`` where ``inside`` is and ``outer`` elsewhere; where both are, their colours count by their opacity."""
    mask = Image.fromarray(inside)
    return Image.composite(inner.convert("RGBa"), outer.convert("RGBa"), mask).convert("RGBA")


def _alpha(picture: Image.Image | None) -> Mask | None:
    return None if picture is None else np.asarray(picture.getchannel("A"))


def _product(alpha: Image.Image, mask: Mask) -> Image.Image:
    return ImageChops.multiply(alpha, Image.fromarray(mask))


def _faded(mask: Image.Image, alpha: int) -> Image.Image:
    return mask if alpha == 255 else mask.point([round(level * alpha / 255) for level in range(256)])


def _size(area: Rect) -> tuple[int, int]:
    return round(area.width), round(area.height)


def _paste(picture: Image.Image, layer: Image.Image, area: Rect) -> None:
    """Lays a layer onto its place; what sticks out is cut off."""
    left, top = round(area.left), round(area.top)
    cut_left, cut_top = max(0, -left), max(0, -top)
    if cut_left < layer.width and cut_top < layer.height:
        picture.alpha_composite(layer, (left + cut_left, top + cut_top), (cut_left, cut_top))


def _row(placed: Placed) -> _Row:
    marks = tuple(_marks(placed))
    bars = tuple(_bars(placed))
    boxes = [box for box in map(_extents, marks) if box.width or box.height] + [bar for _, bar in bars]
    return _Row(marks, bars, union(boxes) or Rect(placed.x, placed.y, placed.x, placed.y))


def _marks(placed: Placed) -> Iterator[_Mark]:
    pen = placed.x
    for one in placed.line.clusters:
        scale = one.look.size_px / one.cut.upem
        for glyph in one.glyphs:
            yield _Mark(one, one.cut.font, glyph.id, scale, pen + glyph.x, placed.y + glyph.y)
        pen += one.advance_px


def _outlines(marks: Iterable[_Mark]) -> Iterator[_Mark]:
    return (mark for mark in marks if not mark.cluster.cut.coloured)


def _extents(mark: _Mark) -> Rect:
    box, scale = mark.font.get_glyph_extents(mark.glyph), mark.scale
    if box is None:
        return Rect(mark.x, mark.y, mark.x, mark.y)
    left, top = mark.x + box.x_bearing * scale, mark.y - box.y_bearing * scale
    return Rect(left, top, left + box.width * scale, top - box.height * scale)


def _stretches(placed: Placed) -> Iterator[tuple[Look, float, float]]:
    """Where each look begins and ends on a line."""
    pen = placed.x
    for look, run in groupby(placed.line.clusters, key=lambda one: one.look):
        start = pen
        pen += sum(one.advance_px for one in run)
        yield look, start, pen - look.letter_px


def _bars(placed: Placed) -> Iterator[tuple[Look, Rect]]:
    for look, left, right in _stretches(placed):
        if look.decoration != "none":
            share = UNDERLINE_AT if look.decoration == "underline" else STRIKE_AT
            thickness = max(1, round(look.size_px * BAR_SHARE))
            top = round(placed.y + look.size_px * share - thickness / 2)
            yield look, Rect(left, top, right, top + thickness)


def _first(rows: Iterable[_Row], shown: int) -> Iterator[_Row]:
    """Rows of the first clusters alone; bars come when all is there."""
    for row in rows:
        order = sorted(dict.fromkeys(mark.cluster for mark in row.marks), key=lambda one: one.start)
        kept = set(order[: max(0, shown)])
        shown -= len(order)
        if kept:
            yield _Row(tuple(mark for mark in row.marks if mark.cluster in kept), (), row.ink)


def _coverage(marks: Iterable[_Mark], area: Rect, x: float = 0, y: float = 0) -> Mask:
    """How much of each pixel the glyphs cover, 0..255."""
    width, height = _size(area)
    pencil = hb.RasterDraw()
    pencil.extents = hb.RasterExtents(0, 0, width, height, 0)
    for mark in marks:
        pencil.transform = (mark.scale, 0, 0, -mark.scale, mark.x + x - area.left, mark.y + y - area.top)
        pencil.draw_glyph(mark.font, mark.glyph)
    image = pencil.render()
    pixels: Mask = np.frombuffer(image.buffer, np.uint8).reshape(height, image.extents.stride)[:, :width]
    return pixels.copy()


def _painted(marks: Iterable[_Mark], area: Rect) -> Image.Image:
    """Coloured glyphs. HarfBuzz multiplies colours with their alpha, which is undone here."""
    width, height = _size(area)
    brush = hb.RasterPaint()
    brush.extents = hb.RasterExtents(0, 0, width, height, 0)
    for mark in marks:
        brush.transform = (mark.scale, 0, 0, -mark.scale, mark.x - area.left, mark.y - area.top)
        brush.paint_glyph(mark.font, mark.glyph)
    image = brush.render()
    pixels = np.frombuffer(image.buffer, np.uint8).reshape(height, image.extents.stride // 4, 4)[:, :width]
    alpha = pixels[..., 3:].astype(np.float32)
    colours = pixels[..., 2::-1] * (255 / np.maximum(alpha, 1))
    straight = np.concatenate([np.minimum(colours + 0.5, 255), alpha], axis=2).astype(np.uint8)
    return Image.fromarray(straight)
