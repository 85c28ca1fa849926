"""The sound of a planned film: every clip's sound in its place, faded and added up.

Mixed here and not by FFmpeg's ``amix``, whose output length and last samples depend on which of its parallel inputs
ends first; the same film must give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import av
import av.error
import numpy as np

from myloware.kernel.errors import MediaError
from providers.media import ffmpeg
from providers.media.canvas import Array
from providers.media.probe import Probe
from providers.media.timeline import Plan, VideoLayer

RATE_HZ = 48_000
# Sound starts and ends within this time, so that no join clicks.
DECLICK_S = 0.03


def write_soundtrack(film: Plan, files: Mapping[str, Path], facts: Mapping[str, Probe], target: Path) -> None:
    """Writes the mix as AAC stereo at 48 kHz, exactly as long as the film. Raises MediaError for a broken source."""
    mixed = mix(film, files, facts)
    raw = ["-f", "f32le", "-ar", str(RATE_HZ), "-ac", "2", "-i", "pipe:0"]
    frames = (np.ascontiguousarray(block.T).tobytes() for block in _blocks(mixed))
    ffmpeg.write([*raw, *ffmpeg.aac()], target, timeout_s=60 + film.duration_s, frames=frames)


def mix(film: Plan, files: Mapping[str, Path], facts: Mapping[str, Probe]) -> Array:
    """Shape (2, samples) at 48 kHz. Sums over full scale stay: AAC carries them to the normaliser, which limits."""
    mixed = np.zeros((2, round(film.duration_s * RATE_HZ)), dtype=np.float32)
    for layer in film.videos:
        if facts[layer.src].audio_codec is None or layer.volume == 0:
            continue
        start, count = (round(frames / film.fps * RATE_HZ) for frames in (layer.start, layer.length))
        sound = _decoded(files[layer.src], round(layer.trim_s * RATE_HZ), min(count, mixed.shape[1] - start))
        mixed[:, start : start + sound.shape[1]] += sound * _envelope(layer, film, sound.shape[1]) * layer.volume
    return mixed


def _decoded(path: Path, skip: int, count: int) -> Array:
    """At most ``count`` samples after ``skip``, shape (2, samples)."""
    blocks: list[Array] = [np.zeros((2, 0), dtype=np.float32)]
    have = 0
    try:
        with av.open(str(path)) as container:
            resampler = av.AudioResampler(format="fltp", layout="stereo", rate=RATE_HZ)
            for frame in container.decode(audio=0):
                for part in resampler.resample(frame):
                    blocks.append(np.asarray(part.to_ndarray(), dtype=np.float32))
                    have += part.samples
                if have >= skip + count:
                    break
    except (av.error.FFmpegError, OSError) as error:
        raise MediaError(f"the sound of {path.name} cannot be read: {error}") from error
    return np.concatenate(blocks, axis=1)[:, skip : skip + count]


def _envelope(layer: VideoLayer, film: Plan, count: int) -> Array:
    """Equal-power fades over the overlaps with the neighbours, or just long enough not to click."""
    fade_in_s, fade_out_s = _fades_s(layer, film)
    t = np.arange(count, dtype=np.float32) / RATE_HZ
    left_s = count / RATE_HZ - t
    rise, fall = np.clip(t / fade_in_s, 0, 1), np.clip(left_s / fade_out_s, 0, 1)
    envelope: Array = np.sin(rise * (math.pi / 2)) * np.sin(fall * (math.pi / 2))
    return envelope.astype(np.float32)


def _fades_s(layer: VideoLayer, film: Plan) -> tuple[float, float]:
    end = layer.start + layer.length
    before = [other.start + other.length - layer.start for other in film.videos if other.start < layer.start]
    after = [end - other.start for other in film.videos if layer.start < other.start < end]
    longest_s = layer.length / film.fps / 2
    fade_in_s, fade_out_s = max([0, *before]) / film.fps, max([0, *after]) / film.fps
    return min(longest_s, max(DECLICK_S, fade_in_s)), min(longest_s, max(DECLICK_S, fade_out_s))


def _blocks(sound: Array) -> list[Array]:
    return [sound[:, start : start + RATE_HZ] for start in range(0, sound.shape[1], RATE_HZ)]
