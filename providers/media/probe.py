"""Facts about a media file: its streams (PyAV) and its loudness (FFmpeg's EBU R128 meter)."""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import av.error

from myloware.kernel.errors import MediaError
from providers.media import ffmpeg

# Below this there is nothing but silence or its noise; EBU R128's own gate lies at -70 LUFS.
SILENCE_LUFS = -55.0


@dataclass(frozen=True)
class Probe:
    """One file. Video or audio fields are None when it has no such stream."""

    duration_s: float
    width_px: int | None
    height_px: int | None
    fps: float | None
    video_codec: str | None
    pixel_format: str | None
    audio_codec: str | None
    sample_rate_hz: int | None
    channels: int | None
    size_bytes: int
    faststart: bool
    """The index (``moov``) lies before the media data, so that players start before the file is complete."""


@dataclass(frozen=True)
class Loudness:
    """EBU R128: integrated loudness, true peak, range. Silence measures ``-inf`` LUFS."""

    integrated_lufs: float
    true_peak_dbtp: float
    range_lu: float


def probe(path: Path) -> Probe:
    """Raises MediaError when the file is missing, broken, or has neither picture nor sound."""
    try:
        with av.open(str(path)) as container:
            video = next(iter(container.streams.video), None)
            audio = next(iter(container.streams.audio), None)
            duration_s = (container.duration or 0) / av.time_base
            context, sound = video and video.codec_context, audio and audio.codec_context
            facts = Probe(
                duration_s=duration_s,
                width_px=context.width if context else None,
                height_px=context.height if context else None,
                fps=float(video.average_rate) if video and video.average_rate else None,
                video_codec=context.name if context else None,
                pixel_format=context.pix_fmt if context else None,
                audio_codec=sound.name if sound else None,
                sample_rate_hz=sound.sample_rate if sound else None,
                channels=sound.channels if sound else None,
                size_bytes=path.stat().st_size,
                faststart=_index_comes_first(path),
            )
    except (av.error.FFmpegError, OSError) as error:
        raise MediaError(f"{path.name} is not a media file that can be read: {error.strerror}") from error
    if facts.video_codec is None and facts.audio_codec is None:
        raise MediaError(f"{path.name} has neither a video nor an audio stream")
    return facts


def loudness(path: Path, *, timeout_s: float = 120) -> Loudness:
    """Measures the whole first audio stream. Raises MediaError when there is none."""
    # loudnorm only measures here: its output is thrown away.
    args = ["-i", str(path), "-map", "0:a:0", "-af", "loudnorm=print_format=json", "-f", "null", "-"]
    report = ffmpeg.run(args, timeout_s=timeout_s)
    found = re.search(r"\{[^{}]*\}", report[report.rfind("Parsed_loudnorm") :])
    if found is None:
        raise MediaError(f"FFmpeg printed no loudness for {path.name}", stderr=report)
    values = json.loads(found.group())
    return Loudness(
        integrated_lufs=float(values["input_i"]),
        true_peak_dbtp=float(values["input_tp"]),
        range_lu=float(values["input_lra"]),
    )


def is_silent(level: Loudness) -> bool:
    """Nothing but silence or its noise: amplifying it would only bring up hiss."""
    return math.isinf(level.integrated_lufs) or level.integrated_lufs < SILENCE_LUFS


def box_types(path: Path) -> Iterator[bytes]:
    """Types of the top-level boxes (ISO/IEC 14496-12): a 32-bit size and a type; size 1 means a 64-bit size follows."""
    with path.open("rb") as file:
        while len(head := file.read(8)) == 8:
            size, kind = struct.unpack(">I4s", head)
            yield kind
            used = 8
            if size == 1:
                size, used = int.from_bytes(file.read(8), "big"), 16
            if size < used:
                return
            file.seek(size - used, 1)


def _index_comes_first(path: Path) -> bool:
    return next((kind for kind in box_types(path) if kind in {b"moov", b"mdat"}), b"") == b"moov"


@dataclass(frozen=True)
class Look:
    """How a film or picture is shown: upright, with square pixels."""

    width_px: int
    height_px: int
    has_alpha: bool
    is_hdr: bool
    """Its transfer is that of BT.2100 (PQ or HLG)."""


HDR_TRANSFERS = frozenset({16, 18})  # SMPTE ST 2084 and ARIB STD-B67 (ITU-T H.273, table 3)
SWAPPED_DEG = frozenset({90, 270})


def look(path: Path) -> Look:
    """Decodes the first frame. Raises MediaError when there is none."""
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise MediaError(f"{path.name} has no picture")
            frame = next(container.decode(video=0), None)
            if frame is None:
                raise MediaError(f"{path.name} has no picture that can be decoded")
            ratio = container.streams.video[0].sample_aspect_ratio or 1
            width, height = round(frame.width * ratio), frame.height
            turned = frame.rotation % 360 in SWAPPED_DEG
            return Look(
                width_px=height if turned else width,
                height_px=width if turned else height,
                has_alpha=any(
                    name in frame.format.name
                    for name in ("yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ya", "pal8")
                ),
                is_hdr=int(frame.color_trc) in HDR_TRANSFERS,
            )
    except (av.error.FFmpegError, OSError) as error:
        raise MediaError(f"{path.name} is not a film or picture that can be read: {error.strerror}") from error
