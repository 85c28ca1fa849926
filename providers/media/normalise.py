"""Brings a finished film to the numbers every platform copy has: loudness, frame, codecs.

Loudness is defined by EBU R128; the two passes measure first and apply one gain, because a constant gain keeps the
dynamics of quiet ASMR sound where a one-pass normaliser would pump.
"""

from __future__ import annotations

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path

from providers.media import ffmpeg
from providers.media.probe import Loudness, Probe, is_silent, loudness, probe

logger = logging.getLogger(__name__)

TARGET_LUFS = -14.0
TOLERANCE_LU = 0.5
MAX_TRUE_PEAK_DBTP = -1.0
# AAC overshoots the limiter's ceiling by some tenths of a decibel.
PEAK_MARGIN_DB = 0.6
# Of each attempt. With more bits AAC overshoots less, and sound that the first two did not tame needs that.
BITRATES_KBPS = (192, 192, 320, 320)


@dataclass(frozen=True)
class Normalised:
    """What the written file measures; its sound is a copy of what was measured."""

    probe: Probe
    loudness: Loudness


def normalise(source: Path, target: Path, *, width_px: int, height_px: int, fps: int = 30) -> Normalised:
    """Writes ``target``: H.264 yuv420p, the given frame and rate, AAC 48 kHz stereo, -14 LUFS, true peak <= -1 dBTP.

    A picture that does not fit is scaled and padded, never stretched; one that fits already is copied without a second
    encode. A source without sound gets silence, and silence stays silent. Raises MediaError for a broken source.
    """
    facts = probe(source)
    fits = _fits(facts, width_px, height_px, fps)
    return _write(source, facts, target, ["-c:v", "copy"] if fits else _refit(width_px, height_px, fps))


def encode_anew(source: Path, target: Path, *, width_px: int, height_px: int, fps: int = 30) -> Normalised:
    """Like :func:`normalise`, and encodes a picture that seems to fit as well: its faults may lie deeper."""
    return _write(source, probe(source), target, _refit(width_px, height_px, fps))


def _write(source: Path, facts: Probe, target: Path, picture: list[str]) -> Normalised:
    timeout_s = 60 + 10 * facts.duration_s
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "sound.m4a"
        level = _fit_sound(source, facts, sound, timeout_s=timeout_s)
        args = ["-i", str(source), "-i", str(sound), "-map", "0:v:0", "-map", "1:a:0", *picture, "-c:a", "copy"]
        ffmpeg.write([*args, "-t", f"{facts.duration_s:.6f}", "-movflags", "+faststart"], target, timeout_s=timeout_s)
    return Normalised(probe(target), level)


def _fits(facts: Probe, width_px: int, height_px: int, fps: int) -> bool:
    size = (facts.width_px, facts.height_px) == (width_px, height_px)
    codec = (facts.video_codec, facts.pixel_format) == ("h264", "yuv420p")
    return size and codec and facts.fps is not None and abs(facts.fps - fps) < 0.001


def _refit(width_px: int, height_px: int, fps: int) -> list[str]:
    fit = "force_original_aspect_ratio=decrease:force_divisible_by=2:flags=bicubic"
    scale = f"scale={width_px}:{height_px}:{fit}:{ffmpeg.BT709}"
    square = "scale='trunc(iw*sar/2)*2':'trunc(ih/2)*2',setsar=1"
    # Even sides may have made the pixels a little wider or higher.
    pad = f"pad={width_px}:{height_px}:-1:-1:color=black,setsar=1"
    return ["-vf", f"{square},{scale},{pad},fps={fps},format=yuv420p", *ffmpeg.x264(fps=fps)]


def _fit_sound(source: Path, facts: Probe, target: Path, *, timeout_s: float) -> Loudness:
    """Writes the sound alone, as long as the film, at the target loudness; returns what was reached."""
    if facts.audio_codec is None:
        silence = ["-f", "lavfi", "-i", f"anullsrc=r=48000:cl=stereo:d={facts.duration_s:.6f}"]
        ffmpeg.write([*silence, "-t", f"{facts.duration_s:.6f}", *ffmpeg.aac()], target, timeout_s=timeout_s)
        return loudness(target, timeout_s=timeout_s)
    level = loudness(source, timeout_s=timeout_s)
    if is_silent(level):
        _encode_sound(source, facts, target, "anull", timeout_s)
        return loudness(target, timeout_s=timeout_s)
    gain_db, ceiling_db = TARGET_LUFS - level.integrated_lufs, MAX_TRUE_PEAK_DBTP - PEAK_MARGIN_DB
    limit = level.true_peak_dbtp + gain_db > ceiling_db
    for bitrate_kbps in BITRATES_KBPS:
        chain = f"volume={gain_db:.3f}dB" + (_limiter(ceiling_db) if limit else "")
        _encode_sound(source, facts, target, chain, timeout_s, bitrate_kbps=bitrate_kbps)
        reached = loudness(target, timeout_s=timeout_s)
        missing_lu, over_db = TARGET_LUFS - reached.integrated_lufs, reached.true_peak_dbtp - MAX_TRUE_PEAK_DBTP
        if abs(missing_lu) <= TOLERANCE_LU - 0.1 and over_db <= 0:
            return reached
        # The limiter took loudness away, or the codec's overshoot broke the ceiling: aim again from what was measured.
        gain_db, limit = gain_db + missing_lu, True
        ceiling_db -= max(0.0, over_db + 0.1)
    logger.warning(
        "loudness target not reached", extra={"lufs": reached.integrated_lufs, "dbtp": reached.true_peak_dbtp}
    )
    return reached


def _limiter(ceiling_db: float) -> str:
    """A limiter on the signal at 192 kHz, where sample peaks are true peaks (ITU-R BS.1770-4, annex 2)."""
    limit = f"alimiter=limit={ceiling_db:.2f}dB:attack=2:release=60:level=false:latency=true"
    return f",aresample=192000,{limit},aresample=48000"


def _encode_sound(
    source: Path, facts: Probe, target: Path, chain: str, timeout_s: float, *, bitrate_kbps: int = BITRATES_KBPS[0]
) -> None:
    # Padded before the limiter, whose last samples are not the same every time when its input ends.
    stereo = "aresample=48000:async=1:first_pts=0,aformat=sample_fmts=fltp:channel_layouts=stereo"
    ffmpeg.write(
        [
            *("-i", str(source), "-map", "0:a:0", "-af", f"{stereo},apad=whole_dur={facts.duration_s:.6f},{chain}"),
            *("-t", f"{facts.duration_s:.6f}", *ffmpeg.aac(bitrate_kbps=bitrate_kbps)),
        ],
        target,
        timeout_s=timeout_s,
    )
