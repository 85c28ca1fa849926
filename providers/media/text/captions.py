"""The caption asset: SubRip and WebVTT files, each cue a still at the bottom of the frame."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image

from myloware.kernel.errors import UnprocessableInput
from providers.media.text.assets import CaptionAsset
from providers.media.text.blocks import Block, line_box
from providers.media.text.colours import CLEAR, rgba
from providers.media.text.fonts import FontBook, Wish
from providers.media.text.paint import Finish, Placed, Rect, draw_box, draw_lines
from providers.media.text.shaping import Look
from providers.media.text.stills import Still

# The room below captions, as a share of the frame's height.
BOTTOM_SHARE = 0.05

_CLOCK = r"(?:(\d+):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_TIMES = re.compile(rf"^\s*{_CLOCK}\s*-->\s*{_CLOCK}(?:\s.*)?$")
# Tags of both formats, and the overrides that SubRip files inherit from SSA.
_TAG = re.compile(r"</?[a-zA-Z\d][^>]*>|\{\\[^}]*\}")


@dataclass(frozen=True)
class Cue:
    """What is said and when, in seconds from the file's start."""

    start_s: float
    end_s: float
    text: str


def cues(source: str) -> list[Cue]:
    """The cues with text of a SubRip or WebVTT file. Raises UnprocessableInput when it has no cue at all."""
    found = [cue for block in re.split(r"\n[ \t]*\n", _plain(source)) for cue in _cue(block)]
    if not found:
        raise UnprocessableInput("no cue was found; give a SubRip (.srt) or WebVTT (.vtt) file", path="src")
    return [cue for cue in found if cue.text]


def _plain(source: str) -> str:
    return source.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _cue(block: str) -> Iterator[Cue]:
    """Notes, styles and the like have no times."""
    lines = block.split("\n")
    for number, line in enumerate(lines[:3]):
        match = _TIMES.match(line)
        if match:
            text = html.unescape(_TAG.sub("", "\n".join(lines[number + 1 :]))).strip()
            yield Cue(_seconds(match.groups()[:4]), _seconds(match.groups()[4:]), text)
            return


def _seconds(clock: Sequence[str | None]) -> float:
    hours, minutes, seconds, fraction = (part or "0" for part in clock)
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + int(fraction.ljust(3, "0")) / 1000


def caption_stills(
    asset: CaptionAsset, frame_px: tuple[int, int], length_s: float, fonts: FontBook, source: str | None
) -> tuple[Still, ...]:
    """One still per cue that falls into the clip; a cue ends where the next one begins.

    Raises UnprocessableInput for a file without cues, a family that is not there, and a character without a glyph.
    """
    if source is None:
        raise UnprocessableInput("there is no text for this source; give a SubRip or WebVTT file", path="src")
    block, stills = _block(asset, frame_px, fonts), []
    timed = [_timed(cue, asset, length_s) for cue in sorted(cues(source), key=lambda cue: cue.start_s)]
    for number, cue in enumerate(timed):
        until = min(cue.end_s, length_s, *(later.start_s for later in timed[number + 1 : number + 2]))
        if max(cue.start_s, 0) < until:
            stills.append(_still(asset, frame_px, block, Cue(max(cue.start_s, 0), until, cue.text)))
    return tuple(stills)


def _timed(cue: Cue, asset: CaptionAsset, length_s: float) -> Cue:
    """The cue by the clip's clock; at speed 0 that of the trim stands for the whole clip."""
    if asset.speed == 0:
        stands = cue.start_s <= asset.trim < cue.end_s
        return Cue(0, length_s if stands else 0, cue.text)
    return Cue((cue.start_s - asset.trim) / asset.speed, (cue.end_s - asset.trim) / asset.speed, cue.text)


def _block(asset: CaptionAsset, frame_px: tuple[int, int], fonts: FontBook) -> Block:
    font, margin = asset.font, asset.margin
    width, height = frame_px
    padding = asset.background.padding if asset.background.color else 0
    room = Rect(
        margin.left * width + padding,
        (margin.top or 0) * height + padding,
        (1 - margin.right) * width - padding,
        (1 - BOTTOM_SHARE) * height - padding,
    )
    chain = fonts.chain(font.family, Wish(), path="font.family")
    look = Look(chain, font.size, rgba(font.color, font.opacity))
    return Block(look, font.size * font.lineHeight, room, "center", "bottom" if margin.top is None else "top")


def _still(asset: CaptionAsset, frame_px: tuple[int, int], block: Block, cue: Cue) -> Still:
    placed = block.placed(cue.text, path="src")

    def draw() -> Image.Image:
        return _drawn(asset, frame_px, block, placed)

    return Still(cue.start_s, cue.end_s, draw)


def _drawn(asset: CaptionAsset, frame_px: tuple[int, int], block: Block, placed: list[Placed]) -> Image.Image:
    picture = Image.new("RGBA", frame_px)
    background, font = asset.background, asset.font
    fill = rgba(background.color, background.opacity) if background.color else CLEAR
    box = line_box(placed, block.pitch_px).grown(*[background.padding] * 4)
    draw_box(picture, box, fill, background.borderRadius)
    draw_lines(picture, placed, Finish(outline_px=font.strokeWidth, outline=rgba(font.stroke)))
    return picture
