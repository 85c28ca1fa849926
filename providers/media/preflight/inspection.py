"""What can be measured of a finished film: its packets as they lie in the file (PyAV), and one decoding (FFmpeg)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import av
import av.error

from myloware.kernel.errors import MediaError
from providers.media import ffmpeg
from providers.media.preflight.facts import Facts, Stretch
from providers.media.probe import SILENCE_LUFS, box_types, probe

# Code points of ITU-T H.273, which H.264, HEVC and MP4 share.
MATRICES = {1: "bt709", 5: "bt601", 6: "bt601", 9: "bt2020", 10: "bt2020"}
BT709, UNSPECIFIED, FULL_RANGE = 1, 2, 2
HDR_TRANSFERS = {16, 18}

# Shorter stretches belong to a fade or a pause. A key frame shows a picture that stands still a little otherwise, but
# the means of 64 pixels are the same.
STANDS_STILL = "scale=iw/8:ih/8:flags=area,freezedetect=n=-48dB:d=1"
PICTURE = f"blackdetect=d=0.1:pix_th=0.04:pic_th=0.995,{STANDS_STILL}"
SOUND = "ebur128=peak=true:framelog=quiet,silencedetect=n=-60dB:d=0.5"
LUFS_SAID, PEAK_SAID = re.compile(r"\bI:\s+(\S+) LUFS"), re.compile(r"Peak:\s+(\S+) dBFS")
# A film that flickers says more than others.
LOG_BYTES = 1_000_000


def inspect(film: Path) -> Facts:
    """Measures a film; one that is broken has a ``fault``.

    Takes about ten seconds of processor time for a minute of 1080x1920. Raises MediaError when the file is missing or
    FFmpeg was stopped: neither says anything of the film.
    """
    if not film.is_file():
        raise MediaError(f"{film.name} is missing, so it cannot be checked")
    size_bytes = film.stat().st_size
    try:
        told = _told(film)
    except (MediaError, av.error.FFmpegError, StopIteration):
        return Facts(fault="it is no film that can be read", size_bytes=size_bytes)
    said = _decoded(film, told)
    if said is None:
        fault = f"it is damaged or cut off: it cannot be decoded to the end of its {told['duration_s']:g} s"
        return Facts(fault=fault, size_bytes=size_bytes)
    return Facts(size_bytes=size_bytes, **told, **_heard(said, told["duration_s"]))


# --- What the file tells


@dataclass
class _Track:
    """Presentation times of a stream's packets, in seconds; of those that are hidden only how long they last."""

    times_s: list[float] = field(default_factory=list)
    end_s: float = 0.0
    hidden_s: float = 0.0

    def take(self, packet: Any) -> None:
        if packet.pts is None:
            return
        time_s, length_s = float(packet.pts * packet.time_base), float((packet.duration or 0) * packet.time_base)
        if packet.is_discard:
            self.hidden_s += length_s
        else:
            self.times_s.append(time_s)
            self.end_s = max(self.end_s, time_s + length_s)


def _told(film: Path) -> dict[str, Any]:
    """Raises StopIteration for a file without a picture."""
    seen = probe(film)
    with av.open(str(film)) as container:
        video = next(each for each in container.streams.video if not _is_cover(each))
        audio = next(iter(container.streams.audio), None)
        picture, sound = _tracks(container, video, audio)
        if not picture.times_s:
            raise MediaError(f"{film.name} shows no picture")
        return {
            "container": _kind(container, film),
            "faststart": seen.faststart,
            "streams": tuple("cover" if _is_cover(each) else each.type for each in container.streams),
            "duration_s": round(seen.duration_s, 3),
            "rotation_deg": _rotation(container, video),
            **_picture(video, picture),
            **(_sound(audio, sound, picture) if audio else {}),
        }


def _is_cover(stream: Any) -> bool:
    """A still picture for a player's list, not a film."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _tracks(container: Any, video: Any, audio: Any) -> tuple[_Track, _Track]:
    tracks = {video.index: _Track()} | ({audio.index: _Track()} if audio else {})
    for packet in container.demux([stream for stream in (video, audio) if stream]):
        tracks[packet.stream.index].take(packet)
    return tracks[video.index], tracks[audio.index] if audio else _Track()


def _kind(container: Any, film: Path) -> str:
    brand = container.metadata.get("major_brand", "").strip()
    if not brand:
        return str(container.format.name)
    if brand == "qt":
        return "mov"
    # A film in fragments says of each apart where it lies (ISO/IEC 14496-12): a box named moof.
    return "fragmented mp4" if b"moof" in box_types(film) else "mp4"


def _picture(video: Any, track: _Track) -> dict[str, Any]:
    codec = video.codec_context
    times = sorted(track.times_s)
    steps = [after - before for before, after in pairwise(times)]
    usual_s = median(steps) if steps else None
    # The container and the codec may each have their own idea; what is not square counts.
    aspects = [each for each in (video.sample_aspect_ratio, codec.sample_aspect_ratio) if each and each != 1]
    tags = (codec.color_primaries, codec.color_trc, codec.colorspace)
    return {
        "video_codec": codec.name,
        "pixel_format": codec.pix_fmt,
        "width_px": codec.width,
        "height_px": codec.height,
        "sample_aspect": round(float(aspects[0]), 4) if aspects else 1.0,
        "fps": round(len(steps) / (times[-1] - times[0]), 3) if usual_s else None,
        "jitter": round(max(abs(step / usual_s - 1) for step in steps), 3) if usual_s else None,
        "hidden_s": round(track.hidden_s, 3),
        "hdr": codec.color_trc in HDR_TRANSFERS,
        "matrix": MATRICES.get(codec.colorspace, None if codec.colorspace == UNSPECIFIED else "another"),
        "tagged": UNSPECIFIED not in tags,
        "full_range": codec.color_range == FULL_RANGE,
    }


def _rotation(container: Any, video: Any) -> int:
    """Degrees by which players turn the picture; FFmpeg hands them out with each frame."""
    container.seek(0)
    return int(next(container.decode(video)).rotation) % 360


def _sound(audio: Any, sound: _Track, picture: _Track) -> dict[str, Any]:
    codec = audio.codec_context
    told = {"audio_codec": codec.name, "sample_rate_hz": codec.sample_rate, "channels": codec.channels}
    if not sound.times_s:
        return told
    return told | {
        "sound_late_s": round(min(sound.times_s) - min(picture.times_s), 3),
        "sound_over_s": round(sound.end_s - picture.end_s, 3),
    }


# --- What shows when it is decoded


def _decoded(film: Path, told: dict[str, Any]) -> str | None:
    """What FFmpeg says while it decodes all of it; None when it cannot."""
    sound = ["-map", "0:a:0", "-af", SOUND] if "audio_codec" in told else []
    # V leaves covers out, passthrough gives the filters each frame as it is.
    picture = ["-map", "0:V:0", "-vf", PICTURE, "-fps_mode", "passthrough"]
    args = ["-xerror", "-i", str(film), *picture, *sound, "-f", "null", "-"]
    try:
        return ffmpeg.run(args, timeout_s=60 + 10 * told["duration_s"], tail_bytes=LOG_BYTES)
    except MediaError as error:
        # At its deadline, or by a signal, FFmpeg was stopped from outside.
        if error.detail.get("exit_status", 0) <= 0:
            raise
        return None


def _heard(said: str, duration_s: float) -> dict[str, Any]:
    loud, peak = LUFS_SAID.findall(said), PEAK_SAID.findall(said)
    lufs = float(loud[-1]) if loud else None
    return {
        "black": _stretches(said, "black", duration_s),
        "frozen": _stretches(said, "freeze", duration_s),
        "silent": _stretches(said, "silence", duration_s),
        "lufs": lufs if lufs is not None and lufs >= SILENCE_LUFS else None,
        "true_peak_dbtp": float(peak[-1]) if peak and peak[-1] != "-inf" else None,
    }


def _stretches(said: str, name: str, duration_s: float) -> tuple[Stretch, ...]:
    """From where to where it lasts; what is not said to end goes on to the end of the film."""
    found: list[Stretch] = []
    start_s = None
    for event, at_s in re.findall(rf"{name}_(start|end):\s*(-?[\d.]+)", said):
        if event == "start":
            start_s = max(0.0, float(at_s))
        elif start_s is not None:
            found.append((start_s, float(at_s)))
            start_s = None
    return (*found, (start_s, duration_s)) if start_s is not None else tuple(found)
