"""From a planned film to FFmpeg's filter graphs: one for each piece, and only for what can be seen in it.

Everything here is arithmetic on the plan. A graph names its inputs by what they are; masks (opacity, wipes) are small
grey films of their own, a few bytes per frame, that FFmpeg enlarges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from providers.media.edit import Filter
from providers.media.ffmpeg import BT709
from providers.media.geometry import (
    Region,
    Size,
    covers,
    even,
    expression,
    is_slow,
    is_still,
    is_upright,
    region_of,
    shape_of,
    source_corners,
)
from providers.media.motion import Array
from providers.media.timeline import Footage, Layer, Matte, Plan, cropped

# White at 203 cd/m2 (ITU-R BT.2408); below a third of it the Möbius curve changes nothing.
FROM_HDR = (
    "zscale=transfer=linear:npl=203,format=gbrpf32le,zscale=primaries=bt709,tonemap=mobius:desat=0,"
    "zscale=transfer=bt709:matrix=bt709:range=tv,format=yuv420p"
)


def gain(light: float, *, about: float, colour: float) -> str:
    """A filter that multiplies the distance of lightness from ``about``, and of colour from grey."""
    tints = f"clip((val-128)*{colour}+128,16,240)"
    return f"lutyuv=y='clip((val-{about})*{light}+{about},16,235)':u='{tints}':v='{tints}'"


# Changes of a BT.709 picture of limited range (16..235 and 16..240), each the same as a change of its RGB values:
# a gain about black, white or middle grey, of everything or of the colour alone.
FILTERS: Mapping[Filter, str] = {
    "none": "",
    "boost": gain(1.2, about=125.5, colour=1.5),
    "contrast": gain(1.4, about=125.5, colour=1.4),
    "darken": gain(0.6, about=16, colour=0.6),
    "greyscale": "lutyuv=u=128:v=128",
    "lighten": gain(0.6, about=235, colour=0.6),
    "muted": gain(1, about=16, colour=0.5),
    "negative": "lutyuv=y=251-val:u=256-val:v=256-val",
}
# The width of a blur (one sigma), as a share of the frame's shorter side.
BLUR = 1 / 45
# A corner may be off by so much; nobody sees a thirtieth of a pixel.
CORNER_PX = 0.03
# The room around a picture that is turned, so that its edge is drawn soft.
MARGIN_PX = 2
MASK_PX = 16


@dataclass(frozen=True)
class Piece:
    """A stretch of the film, in frames."""

    first: int
    count: int

    @property
    def end(self) -> int:
        """The first frame after it."""
        return self.first + self.count


@dataclass(frozen=True)
class File:
    """An input that is a file: FFmpeg's options before it, and the file."""

    options: tuple[str, ...]
    file: Path


@dataclass(frozen=True)
class Mask:
    """An input that is a grey film, made of these bytes."""

    size: Size
    fps: float
    frames: bytes


@dataclass
class Graph:
    """Inputs, and filters whose result is called ``output``."""

    inputs: list[File | Mask] = field(default_factory=list)
    chains: list[str] = field(default_factory=list)
    output: str = ""
    _names: int = 0

    def input(self, source: File | Mask) -> str:
        """Adds an input; returns its label."""
        self.inputs.append(source)
        return f"{len(self.inputs) - 1}:v:0"

    def chain(self, sources: Sequence[str], filters: Iterable[str], outputs: int = 1) -> list[str]:
        """Adds a chain of filters (empty ones are left out); returns the labels of its outputs."""
        names = [f"s{self._names + number}" for number in range(outputs)]
        self._names += outputs
        words = ",".join(each for each in filters if each) or "null"
        self.chains.append("".join(f"[{each}]" for each in sources) + words + "".join(f"[{each}]" for each in names))
        return names

    @property
    def filters(self) -> str:
        """The graph's description."""
        return ";\n".join(self.chains)


@dataclass(frozen=True, eq=False)
class View:
    """What a piece sees of a layer: the rows of its tables, from frame ``clock`` of the layer, and where they begin."""

    layer: Layer
    clock: int
    delay: int
    quad: Array
    opacity: Array
    shown: Array
    from_right: Array

    @property
    def count(self) -> int:
        """Frames."""
        return len(self.opacity)

    @property
    def is_opaque(self) -> bool:
        """Whether nothing can be seen through it where it is."""
        solid = not (self.layer.footage.has_alpha or self.layer.mattes)
        return bool(solid and self.opacity.min() >= 1 and self.shown.min() >= 1)


def view(layer: Layer, piece: Piece) -> View | None:
    """None when the layer does not show in the piece."""
    first, end = max(layer.first, piece.first), min(layer.end, piece.end)
    rows = slice(first - layer.first, end - layer.first)
    if first >= end or layer.opacity[rows].max() <= 0 or layer.shown[rows].max() <= 0:
        return None
    return View(
        layer=layer,
        clock=first - layer.first,
        delay=first - piece.first,
        quad=layer.quad[rows],
        opacity=layer.opacity[rows],
        shown=layer.shown[rows],
        from_right=layer.from_right[rows],
    )


def visible(film: Plan, piece: Piece) -> list[View]:
    """The layers that can be seen in a piece, lowest first: nothing below one that hides the whole frame all along."""
    found: list[View] = []
    for each in filter(None, (view(layer, piece) for layer in film.layers)):
        if each.count == piece.count and each.is_opaque and covers(each.quad, film.frame).all():
            found.clear()
        found.append(each)
    return found


def graph(film: Plan, piece: Piece) -> Graph:
    """The filter graph of one piece, with exactly its number of frames."""
    made = Graph()
    views = visible(film, piece)
    under = _ground(made, film, piece, views)
    for each in views:
        under = _laid_over(made, film, under, each)
    scale = "" if film.scaled == film.frame else _scale(film.scaled)
    made.output = made.chain((under,), (f"trim=end_frame={piece.count}", scale, "format=yuv420p"))[0]
    return made


def _ground(made: Graph, film: Plan, piece: Piece, views: list[View]) -> str:
    """The lowest picture: what hides the whole frame, taken from the front of ``views``, or the background."""
    if views and views[0].count == piece.count and views[0].is_opaque and covers(views[0].quad, film.frame).all():
        return _covering(made, film, views.pop(0))
    size = f"{film.frame.width}x{film.frame.height}"
    colour = f"color=c={film.background}:s={size}:r={film.fps:g}:d={1 / film.fps:.6f}"
    once = [colour, "format=rgb24", f"scale={BT709}", "format=yuv420p"]
    return made.chain((), (*once, f"loop=loop={piece.count}:size=1", f"settb=1/{_ticks(film)}", _clock(film)))[0]


def _laid_over(made: Graph, film: Plan, under: str, each: View) -> str:
    placed = _placed(made, film, each)
    if placed is None:
        return under
    top, x, y = placed
    return made.chain((under, top), (f"overlay=x='{x}':y='{y}':eof_action=pass",))[0]


def _placed(made: Graph, film: Plan, each: View) -> tuple[str, str, str] | None:
    """A layer ready to be laid over, with its left and top edge as expressions; None when it stays out of sight."""
    if each.count and covers(each.quad, film.frame).all() and each.shown.min() >= 1 and not _has_own_alpha(each):
        return (
            _shifted(made, film, each, _faded(made, film, each, _covering(made, film, each), None, film.frame)),
            "0",
            "0",
        )
    if not is_upright(each.quad) or (not is_still(each.quad) and is_slow(each.quad)):
        return _warped(made, film, each)
    return _upright(made, film, each)


def _has_own_alpha(each: View) -> bool:
    return each.layer.footage.has_alpha or bool(each.layer.mattes)


# --- The picture


def _opened(made: Graph, film: Plan, footage: Footage, clock: int, count: int) -> tuple[str, list[str]]:
    """Footage from its frame ``clock`` on: the input's label, and the filters that give it ``count`` frames."""
    if not footage.moves:
        return made.input(File((), footage.file)), []
    lasts_s = footage.lasts_s or 0.0
    # A source that ends early still gives its last frames, which are then held.
    from_s = min(footage.trim_s + clock / film.fps * footage.speed, max(0.0, lasts_s - 0.2))
    length_s = count / film.fps * footage.speed + 1
    source = made.input(File(("-ss", f"{from_s:.6f}", "-t", f"{length_s:.6f}"), footage.file))
    pace = f"setpts=(PTS-STARTPTS)/{footage.speed:g}" if footage.speed != 1 else ""
    held = f"tpad=stop_mode=clone:stop={count}"
    return source, [pace, f"fps={film.fps:g}:start_time=0", held, f"trim=end_frame={count}"]


def _still(footage: Footage, film: Plan, count: int) -> list[str]:
    """Repeats a picture; nothing for a film."""
    if footage.moves:
        return []
    # A picture's own pace is 25 frames a second, which the encoder would keep to.
    return [f"loop=loop={count - 1}:size=1", f"settb=1/{_ticks(film)}", _clock(film), f"fps={film.fps:g}"]


def _ticks(film: Plan) -> int:
    return round(film.fps * 1000)


def _clock(film: Plan, delay: int = 0) -> str:
    return f"setpts=(N+{delay})/{film.fps:g}/TB"


def _prepared(footage: Footage, *, alpha: bool) -> list[str]:
    """Upright, with square pixels, in BT.709, without what the asset crops."""
    size, crop, rest = footage.size, footage.crop, cropped(footage)
    parts = [FROM_HDR] if footage.is_hdr else []
    # The file's own pixels need not be square.
    parts += ["setsar=1"] if not footage.moves else [f"scale={size.width}:{size.height}:{BT709}", "setsar=1"]
    if rest != size and (crop.top or crop.bottom or crop.left or crop.right):
        left, top = round(size.width * crop.left), round(size.height * crop.top)
        parts.append(f"crop={rest.width}:{rest.height}:{left}:{top}")
    return [*parts, f"format={'yuva420p' if alpha else 'yuv420p'}"]


def _fitted(layer: Layer, size: Size) -> list[str]:
    """Cut to the shape of its box where it is to be cut, and scaled."""
    whole = cropped(layer.footage)
    parts = []
    if layer.cuts:
        width, height, left, top = shape_of(whole, layer.fit_size)
        if (width, height) != (whole.width, whole.height):
            parts.append(f"crop={width}:{height}:{left}:{top}")
    return [*parts, _scale(size)]


def _scale(size: Size) -> str:
    return f"scale={size.width}:{size.height}:flags=bicubic:{BT709}"


def _filter(name: Filter, frame: Size) -> str:
    if name != "blur":
        return FILTERS[name]
    sigma = min(frame.width, frame.height) * BLUR
    # The planes of colour have half as many pixels.
    return f"gblur=sigma={sigma:.2f}:steps=3:planes=1,gblur=sigma={sigma / 2:.2f}:steps=3:planes=6"


def _mirrored(layer: Layer) -> list[str]:
    across, down = layer.mirrored
    return ["hflip" if across else "", "vflip" if down else ""]


def _covering(made: Graph, film: Plan, each: View) -> str:
    """A picture without transparency that fills the frame, however it is moved."""
    layer, footage = each.layer, each.layer.footage
    source, opened = _opened(made, film, footage, each.clock, each.count)
    whole = cropped(footage)
    width, height, *_ = shape_of(whole, layer.fit_size) if layer.cuts else (whole.width, whole.height)
    # The move costs by the pixel, so it runs on the smaller of the two pictures.
    room = Size(even(width), even(height)) if width * height < film.frame.width * film.frame.height else film.frame
    rests = is_still(each.quad) and _fills_exactly(each.quad, film.frame)
    filters = [*opened, *_prepared(footage, alpha=False), *_mirrored(layer)]
    if rests:
        filters += [*_fitted(layer, film.frame), _filter(layer.filter, film.frame), *_still(footage, film, each.count)]
    else:
        move = _perspective(each.quad, Region(0, 0, room.width, room.height), room, film.frame)
        filters += [*_fitted(layer, room), _filter(layer.filter, film.frame), *_still(footage, film, each.count), move]
        filters += [_scale(film.frame)] if room != film.frame else []
    return made.chain((source,), [*filters, "setsar=1", "format=yuv420p"])[0]


def _fills_exactly(quad: Array, frame: Size) -> bool:
    corners = np.array([(0, 0), (frame.width, 0), (0, frame.height), (frame.width, frame.height)])
    return bool(np.abs(quad - corners).max() < 0.5)


def _perspective(quad: Array, picture: Region, canvas: Size, shown: Size, origin: tuple[int, int] = (0, 0)) -> str:
    """Moves a picture with steps of less than a pixel, where crop, zoompan and overlay jump by whole ones.

    ``shown`` is the size of the part of the frame that the canvas stands for; ``on`` counts the filter's frames from 1.
    """
    scale = np.array((canvas.width / shown.width, canvas.height / shown.height))
    corners = source_corners(quad * scale, picture, canvas, origin)
    names = [f"{axis}{corner}" for corner in range(4) for axis in "xy"]
    tables = corners.reshape(len(corners), 8).T
    moves = ":".join(
        f"{name}='{expression(table, '(on-1)', CORNER_PX)}'" for name, table in zip(names, tables, strict=True)
    )
    return f"perspective={moves}:interpolation=linear:eval={'init' if is_still(quad) else 'frame'}"


# --- Picture and transparency, apart


def _apart(made: Graph, film: Plan, each: View, size: Size) -> tuple[str, str | None]:
    """The picture fitted to ``size``, and what of it shows (a grey film; None is all)."""
    layer, footage = each.layer, each.layer.footage
    source, opened = _opened(made, film, footage, each.clock, each.count)
    ready = [*opened, *_prepared(footage, alpha=footage.has_alpha), *_mirrored(layer), *_fitted(layer, size)]
    again = _still(footage, film, each.count)
    colour = _filter(layer.filter, film.frame)
    if not footage.has_alpha:
        return made.chain((source,), [*ready, colour, *again])[0], _masks(made, film, each, size, None)
    both = made.chain((source,), [*ready, "format=yuva420p", "split"], outputs=2)
    picture = made.chain((both[0],), ["format=yuv420p", colour, *again])[0]
    alpha = made.chain((both[1],), ["alphaextract", *again])[0]
    return picture, _masks(made, film, each, size, alpha)


def _masks(made: Graph, film: Plan, each: View, size: Size, alpha: str | None) -> str | None:
    """``alpha`` with the layer's wipe and mattes."""
    if each.shown.min() < 1:
        alpha = _multiplied(made, alpha, _mask(made, film, each, _wipe(each, size, film.fps), size))
    for matte in each.layer.mattes:
        alpha = _multiplied(made, alpha, _matte(made, film, each, matte, size))
    return alpha


def _multiplied(made: Graph, alpha: str | None, mask: str) -> str:
    return mask if alpha is None else made.chain((alpha, mask), ("blend=all_mode=multiply",))[0]


def _mask(made: Graph, film: Plan, each: View, mask: Mask, size: Size) -> str:
    source = made.input(mask)
    return made.chain(
        (source,), (f"scale={size.width}:{size.height}:flags=neighbor", f"settb=1/{_ticks(film)}", _clock(film))
    )[0]


def _wipe(each: View, size: Size, fps: float) -> Mask:
    """White where the picture shows; the edge falls on a part of a pixel."""
    column = np.arange(size.width)
    rows = np.clip(each.shown[:, None] * size.width - column[None], 0, 1)
    rows = np.where(each.from_right[:, None] > 0, rows[:, ::-1], rows)
    tall = np.repeat(np.round(rows * 255).astype(np.uint8)[:, None], 2, axis=1)
    return Mask(Size(size.width, 2), fps, tall.tobytes())


def _matte(made: Graph, film: Plan, each: View, matte: Matte, size: Size) -> str:
    clock = matte.clock + each.clock
    source, opened = _opened(made, film, matte.footage, clock, each.count)
    width, height, left, top = shape_of(matte.footage.size, size)
    cut = f"crop={width}:{height}:{left}:{top}"
    grey = [
        "format=gray",
        cut,
        f"scale={size.width}:{size.height}:flags=bicubic",
        *_still(matte.footage, film, each.count),
    ]
    return made.chain((source,), [*opened, "setsar=1", *grey])[0]


def _faded(made: Graph, film: Plan, each: View, picture: str, alpha: str | None, size: Size) -> str:
    """The picture with its transparency; as it is when there is none."""
    if each.opacity.min() < 1:
        steps = np.round(each.opacity * 255).astype(np.uint8)
        mask = Mask(Size(MASK_PX, MASK_PX), film.fps, np.repeat(steps, MASK_PX * MASK_PX).tobytes())
        alpha = _multiplied(made, alpha, _mask(made, film, each, mask, size))
    return picture if alpha is None else made.chain((picture, alpha), ("alphamerge",))[0]


def _shifted(made: Graph, film: Plan, each: View, picture: str) -> str:
    """At its place in the piece."""
    return made.chain((picture,), (f"settb=1/{_ticks(film)}", _clock(film, each.delay)))[0]


# --- Where it goes


def _upright(made: Graph, film: Plan, each: View) -> tuple[str, str, str] | None:
    """Scaled once, and laid at whole pixels."""
    quad = each.quad
    size = Size(even(quad[0, 1, 0] - quad[0, 0, 0]), even(quad[0, 2, 1] - quad[0, 0, 1]))
    if region_of(quad, film.frame) is None:
        return None
    picture, alpha = _apart(made, film, each, size)
    ready = _shifted(made, film, each, _faded(made, film, each, picture, alpha, size))
    x, y = (_edge(quad[:, 0, axis], each.delay) for axis in (0, 1))
    return ready, x, y


def _edge(values: Array, delay: int) -> str:
    """``n`` counts the frames of the piece, from 1."""
    whole = np.round(values / 2) * 2
    return expression(whole, f"(n-{delay + 1})", 0.5) if np.ptp(whole) else f"{whole[0]:.0f}"


def _warped(made: Graph, film: Plan, each: View) -> tuple[str, str, str] | None:
    """Turned, skewed, or moved and scaled with steps of less than a pixel, in the part of the frame that it touches."""
    region = region_of(each.quad, film.frame)
    if region is None:
        return None
    size = _working_size(each)
    canvas = Size(
        max(even(size.width + 2 * MARGIN_PX), region.width), max(even(size.height + 2 * MARGIN_PX), region.height)
    )
    left, top = ((whole - part) // 4 * 2 for whole, part in ((canvas.width, size.width), (canvas.height, size.height)))
    room = Region(left, top, size.width, size.height)
    move = _perspective(each.quad, room, canvas, canvas, (region.left, region.top))
    picture, alpha = _apart(made, film, each, size)
    picture, alpha = _on_canvas(made, picture, alpha, room, canvas)
    picture = made.chain((picture,), (move,))[0]
    alpha = made.chain((alpha,), (move,))[0]
    merged = _faded(made, film, each, picture, alpha, canvas)
    cut = made.chain((merged,), (f"crop={region.width}:{region.height}:0:0",))[0]
    return _shifted(made, film, each, cut), str(region.left), str(region.top)


def _working_size(each: View) -> Size:
    """The picture's size while it is moved: the largest that it is shown at, but not larger than it is fitted to."""
    quad, size = each.quad, each.layer.fit_size
    across = np.hypot(*(quad[:, 1] - quad[:, 0]).T).max()
    down = np.hypot(*(quad[:, 2] - quad[:, 0]).T).max()
    return Size(even(min(size.width, across)), even(min(size.height, down)))


def _on_canvas(made: Graph, picture: str, alpha: str | None, room: Region, canvas: Size) -> tuple[str, str]:
    """Both with room around: the picture's edge goes on in its colours, so that no dark line is drawn around it."""
    pad = f"pad={canvas.width}:{canvas.height}:{room.left}:{room.top}"
    right, bottom = canvas.width - room.left - room.width, canvas.height - room.top - room.height
    if alpha is None:
        picture, copy = made.chain((picture,), ("format=yuv420p", "split"), outputs=2)
        alpha = made.chain((copy,), ("format=gray", "lut=c0=255"))[0]
    smear = f"fillborders=left={room.left}:right={right}:top={room.top}:bottom={bottom}:mode=smear"
    return made.chain((picture,), (pad, smear))[0], made.chain((alpha,), (f"{pad}:color=black",))[0]


# --- Pieces


def pieces(film: Plan, *, shortest_s: float, longest_s: float) -> tuple[Piece, ...]:
    """The film cut where what can be seen changes, into stretches of these lengths (the last may be shorter)."""
    shortest, longest = shortest_s * film.fps, max(1, round(longest_s * film.fps))
    cuts = [film.first]
    for change in sorted(set(_changes(film))):
        if change - cuts[-1] >= shortest and film.end - change >= shortest:
            cuts.append(change)
    found = []
    for first, end in zip(cuts, [*cuts[1:], film.end], strict=True):
        parts = -(-(end - first) // longest)
        edges = [first + (end - first) * number // parts for number in range(parts + 1)]
        found += [Piece(begin, stop - begin) for begin, stop in pairwise(edges)]
    return tuple(found)


def _changes(film: Plan) -> Iterator[int]:
    """Frames in which a layer that covers the frame begins, ends, or starts or ceases to be seen through."""
    for layer in film.layers:
        whole = covers(layer.quad, film.frame)
        if whole.any():
            solid = whole & (layer.opacity >= 1) & (layer.shown >= 1)
            yield from (layer.first, layer.end)
            yield from (layer.first + int(each) + 1 for each in np.flatnonzero(np.diff(solid)))
