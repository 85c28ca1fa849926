"""What is known of a finished film: ``inspection`` measures it, ``captions`` works out where its texts lie."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

Stretch = tuple[float, float]


class Box(NamedTuple):
    """Edges as parts of the frame, from its left and its top: 0 to 1 is inside."""

    left: float
    top: float
    right: float
    bottom: float


class Facts(BaseModel):
    """One film. What could not be measured is None; all is, when ``fault`` says why the film cannot be played.

    Stretches are pairs of seconds. ``jitter`` is how late or early the most irregular frame is, in frames; ``hidden_s``
    is how much picture an edit list hides; ``sound_late_s`` is how long after the picture the sound begins, and
    ``sound_over_s`` how long after it the sound ends. ``lufs`` is None for silence. ``captions`` are the texts over the
    picture, which the file does not tell.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fault: str = ""
    size_bytes: int = 0
    container: str | None = None
    faststart: bool | None = None
    streams: tuple[str, ...] = ()
    duration_s: float | None = None

    video_codec: str | None = None
    pixel_format: str | None = None
    width_px: int | None = None
    height_px: int | None = None
    sample_aspect: float | None = None
    rotation_deg: int | None = None
    fps: float | None = None
    jitter: float | None = None
    hidden_s: float | None = None
    hdr: bool | None = None
    matrix: str | None = None
    tagged: bool | None = None
    full_range: bool | None = None
    black: tuple[Stretch, ...] = ()
    frozen: tuple[Stretch, ...] = ()

    audio_codec: str | None = None
    sample_rate_hz: int | None = None
    channels: int | None = None
    sound_late_s: float | None = None
    sound_over_s: float | None = None
    lufs: float | None = None
    true_peak_dbtp: float | None = None
    silent: tuple[Stretch, ...] = ()

    captions: tuple[Box, ...] = ()
