"""The standard timeline as a Shotstack Edit: clips in sequence that cross-fade, with two lines of text each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

OVERLAP_S = 1.5
TEXT_DELAY_S = 0.5
TEXT_LENGTH_S = 5.0
BACKGROUND = "#000000"

# Sizes are for a frame whose short side is 1080 px, and scale with it.
REFERENCE_PX = 1080
PRIMARY_PX, PRIMARY_BOX_PX = 92, (1000, 400)
SECONDARY_PX, SECONDARY_BOX_PX = 64, (1000, 250)
# Of the size: the width of a letter of Open Sans (on average, in bold), and the height of a line.
LETTER, LINE, SMALLEST_PX = 0.58, 1.2, 24
# Letters of a line that stay empty because a word does not fit.
LOST_AT_BREAK = 3
# TikTok draws its caption and buttons over the bottom 288 of 1920 px; a wide frame only needs a margin.
CLEAR_BOTTOM_TALL, CLEAR_BOTTOM_WIDE = 0.152, 0.06


# The service takes no lookup tables (LUTs); its filters are the looks it has.
Look = Literal["none", "boost", "contrast", "darken", "greyscale", "lighten", "muted", "negative"]
Motion = Literal["none", "zoomInSlow", "zoomOutSlow", "slideLeftSlow", "slideRightSlow", "slideUpSlow", "slideDownSlow"]
# Which texts lie over the picture: header and subject, the header alone, or nothing.
Overlay = Literal["standard", "header", "none"]


@dataclass(frozen=True)
class Style:
    """What all clips of a film share: the colours, the camera's slow movement, and the texts over them."""

    look: Look = "none"
    motion: Motion = "zoomInSlow"
    overlay: Overlay = "standard"


STANDARD = Style()


@dataclass(frozen=True)
class TemplateClip:
    """One generated clip: where it is, how long it lasts, and its two texts (empty: none)."""

    src: str
    duration_s: float
    primary: str
    secondary: str = ""


def standard_edit(
    clips: Sequence[TemplateClip],
    *,
    width_px: int,
    height_px: int,
    fps: float = 30,
    style: Style = STANDARD,
    callback: str | None = None,
) -> dict[str, Any]:
    """An Edit that validates against the service's schema.

    Clip i of 8 s starts at 6.5*i s; a shorter clip overlaps its neighbours by at most a quarter of its length, so
    never more than two clips show at once. Clips alternate between two tracks, because the service forbids overlaps
    on one. Raises ValueError without clips.
    """
    if not clips:
        raise ValueError("a timeline needs at least one clip")
    starts = clip_starts([clip.duration_s for clip in clips], fps)
    layout = _Layout(width_px, height_px)
    tracks = [
        [
            layout.primary(clip.primary, *_text_times(starts, index, clip))
            for index, clip in enumerate(clips)
            if clip.primary and style.overlay != "none"
        ],
        [
            layout.secondary(clip.secondary, *_text_times(starts, index, clip))
            for index, clip in enumerate(clips)
            if clip.secondary and style.overlay == "standard"
        ],
        *(_videos(clips, starts, parity, style) for parity in (1, 0)),
    ]
    edit: dict[str, Any] = {
        "timeline": {"background": BACKGROUND, "tracks": [{"clips": track} for track in tracks if track]},
        "output": {
            "format": "mp4",
            "size": {"width": width_px, "height": height_px},
            "fps": int(fps) if fps == int(fps) else fps,
            "quality": "high",
        },
    }
    return edit if callback is None else {**edit, "callback": callback}


def clip_starts(durations_s: Sequence[float], fps: float = 30) -> list[float]:
    """Start of each clip in seconds, on whole frames; neighbours overlap by 1.5 s or a quarter of the shorter one."""
    starts = [0.0]
    for before_s, after_s in pairwise(durations_s):
        step_s = before_s - min(OVERLAP_S, before_s / 4, after_s / 4)
        starts.append(round(round((starts[-1] + step_s) * fps) / fps, 4))
    return starts


def _text_times(starts: Sequence[float], index: int, clip: TemplateClip) -> tuple[float, float]:
    """Start and length of a clip's texts: done before the next clip's begin."""
    until_next_s = starts[index + 1] - starts[index] if index + 1 < len(starts) else clip.duration_s - TEXT_DELAY_S
    return round(starts[index] + TEXT_DELAY_S, 4), round(min(TEXT_LENGTH_S, max(0.2, until_next_s - TEXT_DELAY_S)), 4)


def _videos(clips: Sequence[TemplateClip], starts: Sequence[float], parity: int, style: Style) -> list[dict[str, Any]]:
    named = {"effect": style.motion, "filter": style.look}
    shown = {field: word for field, word in named.items() if word != "none"}
    last = len(clips) - 1
    return [
        {
            "asset": {"type": "video", "src": clip.src, "volume": _volume(clips, starts, index)},
            "start": starts[index],
            "length": clip.duration_s,
            "fit": "crop",
            **shown,
            "transition": _fades(clip.duration_s, ends=index == last),
        }
        for index, clip in enumerate(clips)
        if index % 2 == parity
    ]


def _volume(clips: Sequence[TemplateClip], starts: Sequence[float], index: int) -> list[dict[str, Any]] | int:
    """Neighbours cross at equal power while they overlap: a quarter of a sine up, the other down."""
    length_s, tweens = clips[index].duration_s, []
    if index:
        overlap_s = round(starts[index - 1] + clips[index - 1].duration_s - starts[index], 4)
        tweens.append({"from": 0, "to": 1, "start": 0, "length": overlap_s, "easing": "easeOutSine"})
    if index + 1 < len(clips):
        begin_s = round(starts[index + 1] - starts[index], 4)
        fall = {"start": begin_s, "length": round(length_s - begin_s, 4), "easing": "easeInSine"}
        tweens.append({"from": 1, "to": 0, **fall})
    return tweens or 1


def _fades(duration_s: float, *, ends: bool = False) -> dict[str, str]:
    fade = "fade" if duration_s >= 4 else "fadeFast"
    return {"in": fade} if ends else {"in": fade, "out": fade}


@dataclass(frozen=True)
class _Layout:
    width_px: int
    height_px: int

    @property
    def _scale(self) -> float:
        return min(self.width_px, self.height_px) / REFERENCE_PX

    @property
    def _clear_bottom(self) -> float:
        return CLEAR_BOTTOM_TALL if self.height_px > self.width_px else CLEAR_BOTTOM_WIDE

    def primary(self, text: str, start_s: float, length_s: float) -> dict[str, Any]:
        """The large line, standing on the small one's box."""
        lift = self._clear_bottom + SECONDARY_BOX_PX[1] * self._scale / self.height_px
        return self._clip(text, (start_s, length_s), (PRIMARY_PX, 500), PRIMARY_BOX_PX, (lift, "bottom"))

    def secondary(self, text: str, start_s: float, length_s: float) -> dict[str, Any]:
        """The small line below it."""
        return self._clip(text, (start_s, length_s), (SECONDARY_PX, 400), SECONDARY_BOX_PX, (self._clear_bottom, "top"))

    def _clip(
        self,
        text: str,
        times_s: tuple[float, float],
        font: tuple[int, int],
        box_px: tuple[int, int],
        place: tuple[float, str],
    ) -> dict[str, Any]:
        scale = self._scale
        size = round(_fitting(text, font[0], box_px) * scale)
        return {
            "asset": {
                "type": "rich-text",
                "text": text,
                "font": {"family": "Open Sans", "size": size, "weight": font[1], "color": "#FFFFFF"},
                "stroke": {"width": round(2 * scale, 2), "color": "#000000", "opacity": 0.35},
                "shadow": {
                    "offsetX": 0,
                    "offsetY": round(4 * scale, 2),
                    "blur": round(22 * scale, 2),
                    "color": "#000000",
                    "opacity": 0.7,
                },
                "align": {"horizontal": "center", "vertical": place[1]},
            },
            "start": times_s[0],
            "length": times_s[1],
            "width": round(box_px[0] * scale),
            "height": round(box_px[1] * scale),
            "position": "bottom",
            "offset": {"x": 0, "y": round(place[0], 4)},
            "transition": _fades(times_s[1] - 1),
        }


def _fitting(text: str, size_px: int, box_px: tuple[int, int]) -> int:
    """A size at which the text has room, since the service cuts off what has none."""
    while size_px > SMALLEST_PX:
        a_line = int(box_px[0] / (size_px * LETTER))
        if len(text) <= (a_line - LOST_AT_BREAK) * int(box_px[1] / (size_px * LINE)):
            break
        size_px -= 2
    return size_px
