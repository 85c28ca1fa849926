"""The local stand-in for a video model: a moving picture with sound from a prompt.

Scenes are painted by numpy at a low resolution, sent to FFmpeg as raw frames, and scaled up there.
"""

from __future__ import annotations

import math
import tempfile
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from providers.media import ffmpeg
from providers.media.ambience import compose
from providers.media.canvas import Stage
from providers.media.direction import Direction, direct
from providers.media.effects import Finish, camera, particles, treatment

PAINTED_PX = 96_000
SAMPLE_RATE_HZ = 48_000


def synthesise(
    prompt: str, target: Path, *, width_px: int, height_px: int, duration_s: float, fps: float = 24, seed: int = 0
) -> None:
    """Writes an MP4 (H.264, AAC stereo 48 kHz) whose picture and sound follow the prompt's words and the seed.

    Equal arguments give equal bytes. Raises MediaError when FFmpeg fails.
    """
    direction = direct(prompt, seed)
    width, height = painted_size(width_px, height_px)
    count = max(1, round(duration_s * fps))
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "sound.wav"
        _write_wave(sound, compose(direction, count / fps))
        source = ("-f", "rawvideo", "-pix_fmt", "gbrp", "-s", f"{width}x{height}", "-r", f"{fps:g}", "-i", "pipe:0")
        grain = f"noise=c0_seed={direction.seed % 10_000}:c0s=2:c0f=t"
        scale = f"scale={width_px}:{height_px}:flags=bicubic:out_color_matrix=bt709:out_range=tv"
        ffmpeg.write(
            [
                *("-threads", "1", *source, "-i", str(sound), "-filter_threads", "1"),
                *("-vf", f"{scale},format=yuv420p,{grain}", *ffmpeg.x264(crf=21, fps=fps)),
                *(*ffmpeg.aac(), "-shortest"),
            ],
            target,
            timeout_s=60 + 20 * duration_s,
            frames=_frames(direction, width, height, count, fps),
        )


def painted_size(width_px: int, height_px: int) -> tuple[int, int]:
    """The size in which numpy paints: the frame's shape with at most 96,000 pixels."""
    scale = min(1.0, math.sqrt(PAINTED_PX / (width_px * height_px)))
    return max(16, round(width_px * scale)), max(16, round(height_px * scale))


def _frames(direction: Direction, width_px: int, height_px: int, count: int, fps: float) -> Iterator[bytes]:
    stage = Stage(width_px, height_px, direction.palette, direction.seed)
    scene, finish = direction.stage_scene(stage), Finish(stage)
    warps = [camera(stage, direction.camera, count / fps), *(treatment(stage, name) for name in direction.treatments)]
    overlay = particles(stage, direction.particles) if direction.particles else None
    for number in range(count):
        t = number / fps
        x, y = stage.x, stage.y
        for warp in warps:
            x, y = warp(x, y, t)
        picture = scene.paint(x, y, t)
        yield finish.bytes_of(overlay(picture, t) if overlay else picture, number)


def _write_wave(path: Path, samples: np.typing.NDArray[np.float32]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes((np.clip(samples, -1, 1).T * 32767).astype("<i2").tobytes())
