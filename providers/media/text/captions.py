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
from providers.media.text.colours import rgba
from providers.media.text.fonts import FontBook, Wish
from providers.media.text.paint import Finish, Placed, Rect, checked, draw_box, draw_lines
from providers.media.text.shaping import Look
from providers.media.text.stills import Still

# The room below captions, as a share of the frame's height.
BOTTOM_SHARE = 0.05

_CLOCK = r"(?:(\d{1,6}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
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
    outline = Finish(outline_px=asset.font.strokeWidth, outline=rgba(asset.font.stroke))
    finish = checked(outline, outline="font.strokeWidth", shadow="")
    card = _Card(asset, frame_px, _block(asset, frame_px, fonts), finish)
    return tuple(card.still(cue) for cue in cues_in(source, length_s, asset.trim, asset.speed))


def cues_in(source: str | None, length_s: float, trim_s: float = 0, speed: float = 1) -> Iterator[Cue]:
    """The cues by the clip's clock, as far as they fall into it, none longer than until the next.

    At speed 0 the cue of the trim stands for the whole clip. Raises UnprocessableInput for a file without cues.
    """
    if source is None:
        raise UnprocessableInput("there is no text for this source; give a SubRip or WebVTT file", path="src")
    timed = [_timed(cue, length_s, trim_s, speed) for cue in sorted(cues(source), key=lambda cue: cue.start_s)]
    for number, cue in enumerate(timed):
        until = min(cue.end_s, length_s, *(later.start_s for later in timed[number + 1 : number + 2]))
        if max(cue.start_s, 0) < until:
            yield Cue(max(cue.start_s, 0), until, cue.text)


def _timed(cue: Cue, length_s: float, trim_s: float, speed: float) -> Cue:
    if speed == 0:
        return Cue(0, length_s if cue.start_s <= trim_s < cue.end_s else 0, cue.text)
    return Cue((cue.start_s - trim_s) / speed, (cue.end_s - trim_s) / speed, cue.text)


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


@dataclass(frozen=True)
class _Card:
    """What the cues of an asset are drawn with."""

    asset: CaptionAsset
    frame_px: tuple[int, int]
    block: Block
    finish: Finish

    def still(self, cue: Cue) -> Still:
        placed = self.block.placed(cue.text, path="src")
        return Still(cue.start_s, cue.end_s, lambda: self._picture(placed))

    def _picture(self, placed: list[Placed]) -> Image.Image:
        picture = Image.new("RGBA", self.frame_px)
        background = self.asset.background
        if background.color:
            box = line_box(placed, self.block.pitch_px).grown(background.padding)
            draw_box(picture, box, rgba(background.color, background.opacity), background.borderRadius)
        draw_lines(picture, placed, self.finish)
        return picture
