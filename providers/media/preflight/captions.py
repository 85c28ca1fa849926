"""Where an Edit lays texts over the picture, as parts of the film's frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from myloware.kernel.errors import UnprocessableInput
from providers.media.edit import Clip, checked
from providers.media.geometry import Size, part_of, quads
from providers.media.motion import moves
from providers.media.preflight.facts import Box
from providers.media.text import FontBook, RichTextAsset, TextAsset, TitleAsset, stills
from providers.media.timeline import fps_of, frame_size, span
from providers.media.timing import STILL_S, Placed, place

WHOLE = (0.0, 0.0, 1.0, 1.0)


def captions(edit: Mapping[str, Any], *, width_px: int, height_px: int) -> tuple[Box, ...]:
    """How far the letters of an Edit's texts reach, in the middle of their time, in a film of this size.

    Nothing for an Edit that our engine does not render: where the service lays its texts is not known.
    """
    try:
        order = checked(edit)
        frame, fps = frame_size(order.output), fps_of(order.output)
        placed = place(order.timeline, lambda clip, path: STILL_S)
    except UnprocessableInput:
        return ()
    boxes = (box for each in placed for box in _boxes(each, frame, fps))
    return tuple(_padded(box, frame, Size(width_px, height_px)) for box in boxes)


def _boxes(placed: Placed, frame: Size, fps: float) -> Iterator[Box]:
    clip = placed.clip
    if not isinstance(clip.asset, RichTextAsset | TextAsset | TitleAsset):
        return
    size, ink = _ink(clip.asset, clip, frame, placed.length_s)
    if ink is None:
        return
    _, count = span(placed, fps)
    moved = quads(moves(clip, frames=count, fps=fps), size, clip.position, frame)
    corners = part_of(moved, *ink)[count // 2] / (frame.width, frame.height)
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    yield Box(float(left), float(top), float(right), float(bottom))


def _ink(
    asset: RichTextAsset | TextAsset | TitleAsset, clip: Clip, frame: Size, length_s: float
) -> tuple[Size, tuple[float, float, float, float] | None]:
    """A text's box, and which part of it has letters; all of it when its font is the user's own."""
    own = (None if clip.width is None else round(clip.width), None if clip.height is None else round(clip.height))
    whole = Size(own[0] or frame.width, own[1] or frame.height)
    try:
        shown = stills(asset, frame_px=(frame.width, frame.height), box_px=own, length_s=length_s, fonts=FontBook())
    except UnprocessableInput:
        return whole, WHOLE
    picture = shown[-1].picture
    found = picture.getbbox()
    if found is None:
        return whole, None
    left, top, right, bottom = found
    size = Size(*picture.size)
    return size, (left / size.width, top / size.height, right / size.width, bottom / size.height)


def _padded(box: Box, made: Size, film: Size) -> Box:
    """The same box in a film whose frame the picture was scaled into, with bars where it does not fill it."""
    scale = min(film.width / made.width, film.height / made.height)
    wide, high = made.width * scale / film.width, made.height * scale / film.height
    x, y = (1 - wide) / 2, (1 - high) / 2
    return Box(x + box.left * wide, y + box.top * high, x + box.right * wide, y + box.bottom * high)
