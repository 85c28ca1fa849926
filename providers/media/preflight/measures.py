"""What a rule can compare: one value each, of a film, of its draft, or of both."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from providers.media.preflight.facts import Box, Facts, Stretch

Value = float | str | bool | None

# Stretches are told in tenths of a second: what begins or ends this near to the film's does so with it.
NEAR_S = 0.12
# The frame that margins are told in.
TALL_PX = (1080, 1920)
UPPER_HALF = 0.5


class Draft(BaseModel):
    """What goes along with a film. ``text`` is the caption with its hashtags, as it is sent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    text: str
    tags: tuple[str, ...]
    privacy: str
    ai_label: bool


@dataclass(frozen=True)
class Measure:
    """``words`` name it in reports. ``of`` gives None where there is nothing to compare, and the rule is left out."""

    words: str
    of: Callable[[Facts, Draft], Value]
    unit: str = ""


def _size(facts: Facts) -> tuple[int, int] | None:
    """Width and height as shown."""
    if facts.width_px is None or facts.height_px is None:
        return None
    turned = facts.rotation_deg in {90, 270}
    return (facts.height_px, facts.width_px) if turned else (facts.width_px, facts.height_px)


def _side(facts: Facts, choose: Callable[[tuple[int, int]], int]) -> int | None:
    size = _size(facts)
    return choose(size) if size else None


def _frame(facts: Facts) -> str | None:
    size = _size(facts)
    return f"{size[0]}x{size[1]}" if size else None


def _ratio(facts: Facts) -> float | None:
    size = _size(facts)
    return round(size[0] / size[1], 4) if size else None


def _faststart(facts: Facts) -> bool | None:
    """Others than these have no index that could be in the wrong place."""
    return facts.faststart if facts.container in {"mp4", "mov"} else None


def _mbit_s(facts: Facts) -> float | None:
    return facts.size_bytes * 8 / 1e6 / facts.duration_s if facts.duration_s else None


def _extra_streams(facts: Facts) -> int | None:
    if not facts.streams:
        return None
    return len(facts.streams) - len({"video", "audio"} & set(facts.streams))


def _longest(stretches: Iterable[Stretch]) -> float:
    return round(max((end - start for start, end in stretches), default=0.0), 2)


def _black_head_s(facts: Facts) -> float | None:
    return None if facts.duration_s is None else _longest(each for each in facts.black if each[0] < NEAR_S)


def _black_tail_s(facts: Facts) -> float | None:
    if facts.duration_s is None:
        return None
    end_s = facts.duration_s - NEAR_S
    return _longest(each for each in facts.black if each[0] >= NEAR_S and each[1] > end_s)


def _black_inside_s(facts: Facts) -> float | None:
    if facts.duration_s is None:
        return None
    end_s = facts.duration_s - NEAR_S
    return _longest(each for each in facts.black if each[0] >= NEAR_S and each[1] <= end_s)


def _frozen_s(facts: Facts) -> float | None:
    """Black does not move either, and is told as black."""
    if facts.duration_s is None:
        return None
    return _longest(each for each in facts.frozen if not any(_covers(black, each) for black in facts.black))


def _covers(black: Stretch, frozen: Stretch) -> bool:
    shared_s = min(black[1], frozen[1]) - max(black[0], frozen[0])
    return shared_s > 0.8 * (frozen[1] - frozen[0])


def _is_silent(facts: Facts) -> bool | None:
    return None if facts.audio_codec is None else facts.lufs is None


def _pause_s(facts: Facts) -> float | None:
    return None if facts.lufs is None else _longest(facts.silent)


def _texts(facts: Facts) -> tuple[Box, ...]:
    """The texts over an upright film: a wide one is not covered by its player's buttons."""
    size = _size(facts)
    return facts.captions if size and size[1] > size[0] else ()


def _text_top_px(facts: Facts) -> float | None:
    return min((round(box.top * TALL_PX[1]) for box in _texts(facts)), default=None)


def _text_bottom_px(facts: Facts) -> float | None:
    return min((round((1 - box.bottom) * TALL_PX[1]) for box in _texts(facts)), default=None)


def _text_left_px(facts: Facts) -> float | None:
    return min((round(box.left * TALL_PX[0]) for box in _texts(facts)), default=None)


def _text_right_px(facts: Facts) -> float | None:
    low = [box for box in _texts(facts) if box.bottom > UPPER_HALF]
    return min((round((1 - box.right) * TALL_PX[0]) for box in low), default=None)


def _utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _hashtags(draft: Draft) -> int:
    return sum(word.startswith("#") and len(word) > 1 for word in draft.text.split())


MEASURES: dict[str, Measure] = {
    # The file
    "plays": Measure("Plays to its end", lambda film, _: film.fault or True),
    "size_mb": Measure("Size of the file", lambda film, _: round(film.size_bytes / 1e6, 3), "MB"),
    "container": Measure("Container", lambda film, _: film.container),
    "faststart": Measure("Index at the front of the file", lambda film, _: _faststart(film)),
    "extra_streams": Measure("Streams beside picture and sound", lambda film, _: _extra_streams(film)),
    "first_stream": Measure("First stream", lambda film, _: film.streams[0] if film.streams else None),
    "mbit_s": Measure("Bit rate", lambda film, _: _mbit_s(film), "Mbit/s"),
    "duration_s": Measure("Length", lambda film, _: film.duration_s, "s"),
    # The picture
    "video_codec": Measure("Video codec", lambda film, _: film.video_codec),
    "pixel_format": Measure("Pixel format", lambda film, _: film.pixel_format),
    "frame": Measure("Frame", lambda film, _: _frame(film)),
    "width_px": Measure("Width", lambda film, _: _side(film, lambda size: size[0]), "px"),
    "short_side_px": Measure("Shorter side", lambda film, _: _side(film, min), "px"),
    "long_side_px": Measure("Longer side", lambda film, _: _side(film, max), "px"),
    "ratio": Measure("Width by height", lambda film, _: _ratio(film)),
    "sample_aspect": Measure("Width of a pixel by its height", lambda film, _: film.sample_aspect),
    "rotation_deg": Measure("Turned by the player", lambda film, _: film.rotation_deg, "degrees"),
    "fps": Measure("Frames per second", lambda film, _: film.fps),
    "jitter": Measure("Irregularity of the frames", lambda film, _: film.jitter, "frames"),
    "hidden_s": Measure("Picture hidden by an edit list", lambda film, _: film.hidden_s, "s"),
    "hdr": Measure("High dynamic range", lambda film, _: film.hdr),
    "matrix": Measure("Colour matrix", lambda film, _: None if film.hdr else film.matrix),
    "tagged": Measure("Colours are named", lambda film, _: film.tagged),
    "full_range": Measure("Full range of levels", lambda film, _: film.full_range),
    "black_head_s": Measure("Black at the start", lambda film, _: _black_head_s(film), "s"),
    "black_inside_s": Measure("Black within the film", lambda film, _: _black_inside_s(film), "s"),
    "black_tail_s": Measure("Black at the end", lambda film, _: _black_tail_s(film), "s"),
    "frozen_s": Measure("Picture stands still", lambda film, _: _frozen_s(film), "s"),
    # The sound
    "has_sound": Measure("Has sound", lambda film, _: "audio" in film.streams if film.streams else None),
    "audio_codec": Measure("Audio codec", lambda film, _: film.audio_codec),
    "sample_rate_hz": Measure("Sample rate", lambda film, _: film.sample_rate_hz, "Hz"),
    "channels": Measure("Channels", lambda film, _: film.channels),
    "sound_late_s": Measure("Sound begins after the picture", lambda film, _: film.sound_late_s, "s"),
    "sound_over_s": Measure("Sound ends after the picture", lambda film, _: film.sound_over_s, "s"),
    "silent": Measure("Nothing is heard", lambda film, _: _is_silent(film)),
    "pause_s": Measure("Longest silence", lambda film, _: _pause_s(film), "s"),
    "lufs": Measure("Loudness", lambda film, _: film.lufs, "LUFS"),
    "true_peak_dbtp": Measure("True peak", lambda film, _: film.true_peak_dbtp, "dBTP"),
    # Texts over the picture, in a frame of 1080x1920
    "text_top_px": Measure("Text from the top", lambda film, _: _text_top_px(film), "px of 1920"),
    "text_bottom_px": Measure("Text from the bottom", lambda film, _: _text_bottom_px(film), "px of 1920"),
    "text_left_px": Measure("Text from the left", lambda film, _: _text_left_px(film), "px of 1080"),
    "text_right_px": Measure("Low text from the right", lambda film, _: _text_right_px(film), "px of 1080"),
    # The draft
    "title_chars": Measure("Title", lambda _, draft: len(draft.title), "characters"),
    "text_units": Measure("Caption with its hashtags", lambda _, draft: _utf16(draft.text), "UTF-16 units"),
    "text_chars": Measure("Caption with its hashtags", lambda _, draft: len(draft.text), "characters"),
    "text_bytes": Measure("Caption with its hashtags", lambda _, draft: len(draft.text.encode()), "bytes"),
    "hashtags": Measure("Hashtags", lambda _, draft: _hashtags(draft)),
    "tags_chars": Measure("Tags together", lambda _, draft: sum(map(len, draft.tags)), "characters"),
    "privacy": Measure("Who sees it", lambda _, draft: draft.privacy),
    "ai_label": Measure("AI label", lambda _, draft: draft.ai_label),
}
# A person can change these at the gate.
OF_THE_DRAFT = frozenset({"title_chars", "text_units", "text_chars", "text_bytes", "hashtags", "tags_chars"})
