"""Small files made with FFmpeg, and ways to look at a result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from providers.media import ffmpeg
from providers.media.preflight.facts import Facts

Frames = npt.NDArray[np.uint8]

# What the pre-flight measures of a film as it should be.
FINE = Facts(
    size_bytes=4_000_000,
    container="mp4",
    faststart=True,
    streams=("video", "audio"),
    duration_s=14.5,
    video_codec="h264",
    pixel_format="yuv420p",
    width_px=1080,
    height_px=1920,
    sample_aspect=1,
    rotation_deg=0,
    fps=30,
    jitter=0,
    hidden_s=0,
    hdr=False,
    matrix="bt709",
    tagged=True,
    full_range=False,
    audio_codec="aac",
    sample_rate_hz=48_000,
    channels=2,
    sound_late_s=0,
    sound_over_s=0,
    lufs=-14,
    true_peak_dbtp=-1.2,
)


def make_clip(
    path: Path,
    *,
    picture: str = "color=c=0x3060C0",
    size: str = "180x320",
    fps: int = 24,
    duration_s: float = 2.0,
    sound: str | None = "sine=f=440",
    fade: str = "null",
) -> Path:
    """A clip of FFmpeg's own sources."""
    args = ["-f", "lavfi", "-i", f"{picture}{':' if '=' in picture else '='}s={size}:r={fps}:d={duration_s},{fade}"]
    if sound is not None:
        args += ["-f", "lavfi", "-i", f"{sound},atrim=duration={duration_s}", *ffmpeg.aac()]
    ffmpeg.write([*args, *ffmpeg.x264()], path, timeout_s=30)
    return path


def frames_of(path: Path) -> Frames:
    """All frames, shape (count, height, width, 3)."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def samples_of(path: Path) -> npt.NDArray[np.floating[Any]]:
    """The sound, shape (channels, samples)."""
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
