"""Lays beds and foley under a finished film, and steps back where the film's own sound speaks.

Levels are in LU, relative to the film's integrated loudness (EBU R128); of our own sounds the power of both channels
counts as BS.1770 sums it, without its frequency weighting.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from myloware.kernel.cues import Cue, Scene
from myloware.kernel.errors import InvalidInput
from providers.media import ffmpeg, foley
from providers.media.ambience import LAYERS, RATE_HZ, Studio
from providers.media.canvas import Array
from providers.media.normalise import TARGET_LUFS, Normalised, normalise
from providers.media.probe import is_silent, loudness, probe

# The layers that can lie under a clip; what is music, a voice or single touches is not among the kinds of beds.
BEDS = LAYERS | {"fire": LAYERS["crackle"]}

# Where a sound of gain 0 lies while the film is quiet; of a foley sound its loudest 0.1 s.
BED_LU, FOLEY_LU = -16.0, -4.0
# How far it steps back while the film is not.
BED_DUCK_DB, FOLEY_DUCK_DB = 14.0, 6.0
# From where the film's own sound counts as speaking, and where fully.
QUIET_LU, LOUD_LU = -30.0, -6.0
# Time constants of the follower: down before a word is over, up again within a second.
ATTACK_S, RELEASE_S = 0.015, 0.15
BLOCK = 240
BLOCK_S = BLOCK / RATE_HZ
# A whispered word is soft and needs the floor all the same: its time counts as speaking whatever the film measures.
WHISPER_S, HUSH_EDGE_S = 0.9, 0.15
# BS.1770: loudness of a signal of power 1.
POWER_OFFSET_LU = -0.691


@dataclass(frozen=True)
class Placed:
    """A cue as it was laid. ``level_lu`` is against the film's loudness, before ``ducked_db``, its mean step back."""

    kind: str
    clip: int
    at_s: float
    length_s: float
    level_lu: float
    ducked_db: float


@dataclass(frozen=True)
class Design:
    """What was made of a film whose loudness was ``film_lufs``."""

    film_lufs: float
    placed: tuple[Placed, ...]
    normalised: Normalised


def design(film: Path, cues: Sequence[Cue], target: Path, *, scenes: Sequence[Scene]) -> Design:
    """Writes ``target``: the film's picture untouched, its sound with the cues under it, at the normaliser's numbers.

    ``scenes`` are the clips by index. Equal arguments give equal bytes. Raises InvalidInput for cues that do not fit
    the film, MediaError for a film that is broken or has no sound.
    """
    facts = probe(film)
    check(cues, scenes, facts.duration_s)
    level = loudness(film)
    film_lufs = TARGET_LUFS if is_silent(level) else level.integrated_lufs
    timeout_s = 60 + 10 * facts.duration_s
    with tempfile.TemporaryDirectory() as folder:
        own = _sound_of(film, Path(folder) / "own.f32", facts.duration_s, timeout_s)
        mix = _Mix(own, film_lufs, scenes)
        placed = tuple(mix.lay(cue) for cue in cues)
        mixed = Path(folder) / "mixed.mov"
        _put_together(film, mix.whole(), mixed, timeout_s)
        size = {"width_px": facts.width_px or 0, "height_px": facts.height_px or 0}
        return Design(film_lufs, placed, normalise(mixed, target, **size, fps=round(facts.fps or 0)))


def check(cues: Sequence[Cue], scenes: Sequence[Scene], film_s: float) -> None:
    """Raises InvalidInput, naming the first cue that does not fit the clips of a film of ``film_s`` seconds."""
    if not cues:
        raise InvalidInput("There is no cue; give at least one.")
    for number, cue in enumerate(cues, start=1):
        fault = _fault(cue, scenes, film_s)
        if fault:
            raise InvalidInput(f"Cue {number} ({cue.kind}) does not fit: {fault}.")


def _fault(cue: Cue, scenes: Sequence[Scene], film_s: float) -> str:
    if cue.clip >= len(scenes):
        return f"there is no clip {cue.clip}, the last is {len(scenes) - 1}"
    scene = scenes[cue.clip]
    length_s = min(scene.length_s, film_s - scene.start_s)
    if cue.start_s >= length_s:
        return f"it starts at {cue.start_s:g} s, and clip {cue.clip} lasts {length_s:.2f} s"
    return ""


class _Mix:
    """Two tracks as long as the film's own sound, and how far each steps back at every moment."""

    def __init__(self, own: Array, film_lufs: float, scenes: Sequence[Scene]) -> None:
        self.own, self.film_lufs, self.scenes = own, film_lufs, scenes
        self.beds, self.foley = np.zeros_like(own), np.zeros_like(own)
        self.speaking = speaking(own, film_lufs, scenes)

    def lay(self, cue: Cue) -> Placed:
        """Puts one cue into its track; what would reach over the clip's end is faded out there."""
        scene = self.scenes[cue.clip]
        track, depth_db = (self.beds, BED_DUCK_DB) if cue.is_bed else (self.foley, FOLEY_DUCK_DB)
        level_lu = (BED_LU if cue.is_bed else FOLEY_LU) + cue.gain_db
        sound = _bed(cue, scene) if cue.is_bed else _foley(cue, scene)
        start = round((scene.start_s + cue.start_s) * RATE_HZ)
        room = track[:, start : start + sound.shape[1]]
        room += sound[:, : room.shape[1]] * 10 ** ((self.film_lufs + level_lu) / 20)
        heard = self.speaking[start // BLOCK : max(start // BLOCK + 1, (start + room.shape[1]) // BLOCK)]
        return Placed(
            kind=cue.kind,
            clip=cue.clip,
            at_s=round(start / RATE_HZ, 3),
            length_s=round(room.shape[1] / RATE_HZ, 3),
            level_lu=level_lu,
            ducked_db=round(depth_db * float(heard.mean()), 1),
        )

    def whole(self) -> Array:
        return self.own + self.beds * self._gain(BED_DUCK_DB) + self.foley * self._gain(FOLEY_DUCK_DB)

    def _gain(self, depth_db: float) -> Array:
        middles = (np.arange(len(self.speaking)) + 0.5) * BLOCK
        decibels = np.interp(np.arange(self.own.shape[1]), middles, -depth_db * self.speaking)
        result: Array = (10 ** (decibels / 20)).astype(np.float32)
        return result


def speaking(own: Array, film_lufs: float, scenes: Sequence[Scene]) -> Array:
    """How much the film's own sound has the floor, 0 to 1, per block of 5 ms."""
    heard_lu = _lufs(follow(_block_power(own))) - film_lufs
    spoken: Array = np.clip((heard_lu - QUIET_LU) / (LOUD_LU - QUIET_LU), 0, 1)
    times_s = (np.arange(len(spoken)) + 0.5) * BLOCK_S
    for scene in scenes:
        if scene.whisper_s is not None and scene.whisper_s < scene.length_s:
            word_s = scene.start_s + scene.whisper_s
            corners = (word_s - 2 * HUSH_EDGE_S, word_s - HUSH_EDGE_S, word_s + WHISPER_S, word_s + 2 * WHISPER_S)
            spoken = np.maximum(spoken, np.interp(times_s, corners, (0, 1, 1, 0)))
    return spoken


def follow(power: Array) -> Array:
    """The envelope of a power, one value per block: quick to rise, slow to fall."""
    rise, fall = (1 - float(np.exp(-BLOCK_S / constant_s)) for constant_s in (ATTACK_S, RELEASE_S))
    level, envelope = 0.0, np.empty_like(power)
    for index, value in enumerate(power.tolist()):
        level += (value - level) * (rise if value > level else fall)
        envelope[index] = level
    return envelope


def _block_power(sound: Array) -> Array:
    blocks = -(-sound.shape[1] // BLOCK)
    padded = np.pad(sound, ((0, 0), (0, blocks * BLOCK - sound.shape[1])))
    result: Array = (padded.astype(np.float64) ** 2).sum(axis=0).reshape(blocks, BLOCK).mean(axis=1)
    return result


def _lufs(power: Array) -> Array:
    result: Array = 10 * np.log10(power + 1e-12) + POWER_OFFSET_LU
    return result


def _bed(cue: Cue, scene: Scene) -> Array:
    """The bed as long as its clip, at 0 LUFS, faded at both ends."""
    studio = Studio(round(scene.length_s * RATE_HZ), _seed(cue))
    layer = BEDS[cue.kind](studio)
    return _at_zero(layer, _block_power(layer).mean()) * studio.ends()


def _foley(cue: Cue, scene: Scene) -> Array:
    """The sound, its loudest 0.1 s at 0 LUFS, within its clip."""
    sound = foley.sound(cue.kind, _seed(cue))
    window = round(0.1 / BLOCK_S)
    loudest = np.convolve(_block_power(sound), np.full(window, 1 / window), "same").max()
    start = round(cue.start_s * RATE_HZ)
    ends = Studio(round(scene.length_s * RATE_HZ), 0).ends()[start : start + sound.shape[1]]
    return _at_zero(sound[:, : len(ends)], loudest) * ends


def _at_zero(sound: Array, power: float) -> Array:
    result: Array = sound * 10 ** (-float(_lufs(np.asarray(power))) / 20)
    return result


def _seed(cue: Cue) -> int:
    # Two cues of one kind are two sounds; gain changes none.
    return zlib.crc32(f"{cue.kind} {cue.clip} {cue.start_s:.3f}".encode())


def _sound_of(film: Path, raw: Path, duration_s: float, timeout_s: float) -> Array:
    """The film's own sound, shape (2, samples) at 48 kHz, from its first frame to its last."""
    stereo = "aresample=48000:async=1:first_pts=0,aformat=sample_fmts=flt:channel_layouts=stereo"
    whole = ["-af", f"{stereo},apad=whole_dur={duration_s:.6f}", "-t", f"{duration_s:.6f}"]
    ffmpeg.write(["-i", str(film), "-map", "0:a:0", *whole, "-f", "f32le"], raw, timeout_s=timeout_s)
    result: Array = np.fromfile(raw, dtype="<f4").reshape(-1, 2).T
    return result


def _put_together(film: Path, sound: Array, target: Path, timeout_s: float) -> None:
    """The film's picture, copied, with ``sound`` in samples that cannot clip."""
    raw = ["-f", "f32le", "-ar", str(RATE_HZ), "-ac", "2", "-i", "pipe:0"]
    copied = ["-map", "0:v:0", "-map", "1:a:0", "-c:v", "copy", "-c:a", "pcm_f32le"]
    frames = [np.ascontiguousarray(sound.T, dtype="<f4").tobytes()]
    ffmpeg.write(["-i", str(film), *raw, *copied], target, timeout_s=timeout_s, frames=frames)
