"""The sound of a film: every clip's in its place, with its volume over time, added up.

Mixed here and not by FFmpeg's ``amix``, whose output length and last samples depend on which of its parallel inputs
ends first; the same film must give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
import numpy.typing as npt

from myloware.kernel.errors import MediaError
from providers.media import ffmpeg
from providers.media.edit import AudioAsset, Edit, Motion, VideoAsset
from providers.media.motion import values
from providers.media.timeline import Footage, Plan, span
from providers.media.timing import Placed

Samples = npt.NDArray[np.floating[Any]]
RATE_HZ = 48_000
# Sound starts and ends within this time, so that no cut clicks.
DECLICK_S = 0.03
# How long a ``fadeIn`` or ``fadeOut`` takes; the service names no number.
FADE_S = 1.0
# Its tempo filter takes no smaller step at once.
SLOWEST = 0.5


@dataclass(frozen=True, eq=False)
class Sound:
    """A file that is heard for ``count`` frames from frame ``first`` of the film; ``gain`` has one number per frame.

    ``path`` is the JSON path of what is heard.
    """

    path: str
    file: Path
    first: int
    count: int
    trim_s: float
    speed: float
    gain: Samples


def sounds(edit: Edit, placed: Sequence[Placed], footage: Mapping[str, Footage], film: Plan) -> list[Sound]:
    """Everything that is heard; ``footage`` by JSON path, of what has a sound. Nothing when the output is mute."""
    if edit.output.mute:
        return []
    found = [_sound(each, footage[each.path], film.fps) for each in placed if each.path in footage]
    track = edit.timeline.soundtrack
    if track is not None and "timeline.soundtrack" in footage:
        count = max(sum(span(each, film.fps)) for each in placed)
        gain = _gain(track.volume, track.effect or "none", count, film.fps)
        found.append(Sound("timeline.soundtrack", footage["timeline.soundtrack"].file, 0, count, 0.0, 1.0, gain))
    return [each for each in found if each.gain.max(initial=0) > 0]


def _sound(placed: Placed, footage: Footage, fps: float) -> Sound:
    asset = placed.clip.asset
    assert isinstance(asset, VideoAsset | AudioAsset)  # noqa: S101 - others have no sound
    first, count = span(placed, fps)
    effect = asset.volumeEffect if isinstance(asset, VideoAsset) else asset.effect
    gain = _gain(asset.volume, effect, count, fps)
    return Sound(placed.path, footage.file, first, count, asset.trim, asset.speed, gain)


def _gain(volume: Motion, effect: str, count: int, fps: float) -> Samples:
    t, length_s = np.arange(count + 1) / fps, count / fps
    gain = np.clip(values(volume, t, length_s), 0, 1)
    fade_s = min(FADE_S, length_s / 2)
    if effect.startswith("fadeIn"):
        gain = gain * np.clip(t / fade_s, 0, 1)
    if effect.endswith("Out"):
        gain = gain * np.clip((length_s - t) / fade_s, 0, 1)
    return gain


def write_soundtrack(film: Plan, heard: Sequence[Sound], target: Path, encoder: Sequence[str]) -> None:
    """Encodes the mix, exactly as long as the film, at 48 kHz. Raises MediaError for a broken source."""
    mixed = mix(film, heard, target.parent)
    raw = ["-f", "f32le", "-ar", str(RATE_HZ), "-ac", "2", "-i", "pipe:0"]
    frames = (np.ascontiguousarray(block.T).tobytes() for block in _blocks(mixed))
    ffmpeg.write([*raw, *encoder], target, timeout_s=60 + film.duration_s, frames=frames)


def mix(film: Plan, heard: Sequence[Sound], folder: Path) -> Samples:
    """Shape (2, samples) at 48 kHz. Sums over full scale stay: AAC carries them to the normaliser, which limits."""
    begins = round(film.first / film.fps * RATE_HZ)
    mixed = np.zeros((2, round(film.end / film.fps * RATE_HZ)), dtype=np.float32)
    for each in heard:
        start, count = (round(frames / film.fps * RATE_HZ) for frames in (each.first, each.count))
        if start < mixed.shape[1]:
            try:
                sound = _decoded(each, min(count, mixed.shape[1] - start), folder)
            except MediaError as error:
                raise MediaError(f"{each.path}: {error.message}", **error.detail) from error
            mixed[:, start : start + sound.shape[1]] += sound * _envelope(each, film, sound.shape[1])
    return mixed[:, begins:]


def _decoded(sound: Sound, count: int, folder: Path) -> Samples:
    """At most ``count`` samples of what is heard, shape (2, samples)."""
    if sound.speed != 1:
        return _at_speed(sound, count, folder)
    skip = round(sound.trim_s * RATE_HZ)
    heard: Samples = np.zeros((2, count), dtype=np.float32)
    end = 0
    for block in _samples(sound.file):
        start, end = end, end + block.shape[1]
        wanted = block[:, max(0, skip - start) : max(0, skip + count - start)]
        if wanted.size:
            first = max(0, start - skip)
            heard[:, first : first + wanted.shape[1]] = wanted
        if end >= skip + count:
            return heard
    return heard[:, : max(0, end - skip)]


def _samples(path: Path) -> Iterator[Samples]:
    """The sound of a file in blocks, with the silence before it."""
    try:
        with av.open(str(path)) as container:
            resampler = av.AudioResampler(format="fltp", layout="stereo", rate=RATE_HZ)
            # FFmpeg shows the picture as if the file's clock began at zero.
            zero_s = (container.start_time or 0) / av.time_base
            begun = False
            for frame in container.decode(audio=0):
                if not begun and frame.time:
                    yield np.zeros((2, max(0, round((frame.time - zero_s) * RATE_HZ))), dtype=np.float32)
                begun = True
                for part in resampler.resample(frame):
                    yield np.asarray(part.to_ndarray(), dtype=np.float32)
    except (av.error.FFmpegError, OSError) as error:
        raise MediaError(f"the sound of {path.name} cannot be read: {error.strerror}") from error


def _at_speed(sound: Sound, count: int, folder: Path) -> Samples:
    """At most ``count`` samples, faster or slower at the same pitch."""
    raw = folder / "speed.f32"
    slow = sound.speed
    tempo = []
    while slow < SLOWEST:
        tempo.append(f"atempo={SLOWEST}")
        slow /= SLOWEST
    chain = ",".join([*tempo, f"atempo={slow:g}"])
    options = ["-ss", f"{sound.trim_s:.6f}", "-i", str(sound.file), "-map", "0:a:0", "-af", chain]
    # A slow sound is many times as long as its file.
    options += ["-t", f"{count / RATE_HZ:.6f}"]
    ffmpeg.write([*options, "-ar", str(RATE_HZ), "-ac", "2", "-f", "f32le"], raw, timeout_s=300)
    return np.fromfile(raw, dtype=np.float32).reshape(-1, 2).T[:, :count]


def _envelope(sound: Sound, film: Plan, count: int) -> Samples:
    t = np.arange(count) / RATE_HZ
    gain = np.interp(t, np.arange(len(sound.gain)) / film.fps, sound.gain)
    edge = np.clip(np.minimum(t, count / RATE_HZ - t) / DECLICK_S, 0, 1)
    envelope: Samples = (gain * edge).astype(np.float32)
    return envelope


def _blocks(sound: Samples) -> list[Samples]:
    return [sound[:, start : start + RATE_HZ] for start in range(0, sound.shape[1], RATE_HZ)]
