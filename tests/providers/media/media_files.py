"""Small files made with FFmpeg, and ways to look at a result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from providers.media import ffmpeg

Frames = npt.NDArray[np.uint8]


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
    ffmpeg.write([*args, *ffmpeg.x264("ultrafast")], path, timeout_s=30)
    return path


def frames_of(path: Path) -> Frames:
    """All frames, shape (count, height, width, 3)."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def samples_of(path: Path) -> npt.NDArray[np.floating[Any]]:
    """The sound, shape (channels, samples)."""
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
