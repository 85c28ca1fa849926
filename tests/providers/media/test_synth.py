from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from providers.media.ambience import LAYERS, compose
from providers.media.canvas import Array, Stage
from providers.media.direction import CAMERAS, PALETTES, PARTICLES, SCENES, SOUNDS, SUBJECTS, TREATMENTS, direct
from providers.media.effects import camera, particles, treatment
from providers.media.probe import loudness, probe
from providers.media.synth import synthesise
from tests.providers.media.media_files import frames_of, samples_of

SMALL: dict[str, Any] = {"width_px": 144, "height_px": 256, "duration_s": 1.5, "fps": 24}
CANDLES = [
    f"Macro shot of a candle, {modifier}"
    for modifier in (
        "melting glass",
        "levitating petals",
        "rain inside",
        "frozen in ice",
        "neon crystal",
        "molten lava wax",
        "underwater bubbles",
        "swirling smoke",
        "golden light with dust",
        "mirrored in silver",
        "blooming in snow",
        "humming violet",
    )
]


def test_it_works(tmp_path: Path) -> None:
    synthesise("the moon over a frozen sea", tmp_path / "clip.mp4", **SMALL)
    facts = probe(tmp_path / "clip.mp4")
    assert (facts.width_px, facts.height_px, facts.fps) == (144, 256, 24)
    assert (facts.video_codec, facts.pixel_format, facts.faststart) == ("h264", "yuv420p", True)
    assert (facts.audio_codec, facts.sample_rate_hz, facts.channels) == ("aac", 48_000, 2)
    assert len(frames_of(tmp_path / "clip.mp4")) == 36


def test_the_picture_moves_and_the_sound_is_pleasant(tmp_path: Path) -> None:
    synthesise("rain on a pond", tmp_path / "clip.mp4", **SMALL)
    shown = frames_of(tmp_path / "clip.mp4").astype(float)
    assert np.abs(shown[0] - shown[-1]).mean() > 2
    level = loudness(tmp_path / "clip.mp4")
    assert -40 < level.integrated_lufs < -14
    assert level.true_peak_dbtp < -3
    heard = samples_of(tmp_path / "clip.mp4")
    assert np.abs(heard[:, 1100:1200]).max() < 0.05


def test_equal_arguments_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        synthesise("a candle of melting glass", tmp_path / f"{name}.mp4", **SMALL, seed=7)
    assert (tmp_path / "first.mp4").read_bytes() == (tmp_path / "second.mp4").read_bytes()


def test_another_seed_gives_another_clip(tmp_path: Path) -> None:
    for seed in (1, 2):
        synthesise("a candle", tmp_path / f"{seed}.mp4", **SMALL, seed=seed)
    first, second = frames_of(tmp_path / "1.mp4").astype(float), frames_of(tmp_path / "2.mp4").astype(float)
    assert np.abs(first - second).mean() > 1


def test_twelve_prompts_give_twelve_different_pictures() -> None:
    thumbnails = [_thumbnail(prompt) for prompt in CANDLES]
    for first, second in itertools.combinations(thumbnails, 2):
        assert np.abs(first - second).mean() > 0.01


def test_prompts_sound_different() -> None:
    spectra = []
    for prompt in ("a campfire at night", "ocean waves", "crystal chimes"):
        sound = compose(direct(prompt, 0), 2.0)
        spectra.append(np.abs(np.fft.rfft(sound[0])).reshape(-1)[:48_000].reshape(480, -1).mean(axis=1))
    for first, second in itertools.combinations(spectra, 2):
        assert np.corrcoef(first, second)[0, 1] < 0.95


@pytest.mark.parametrize(
    ("prompt", "scene"),
    [
        ("Slow push-in on the moon, soft light", "moon"),
        ("the sun, boiling", "sun"),
        ("a candle with rain inside, sound of water dripping", "candle"),
        ("a flower opening in the moonlight", "flower"),
    ],
)
def test_the_first_subject_gives_the_scene(prompt: str, scene: str) -> None:
    assert direct(prompt, 0).scene == scene


def test_modifiers_give_treatment_particles_palette_and_camera() -> None:
    seen = direct("candle, melting, levitating petals, neon light, orbit", 0)
    assert seen.treatments == ("melt", "float")
    assert (seen.particles, seen.palette.name, seen.camera) == ("petals", "neon", "orbit")


def test_an_unknown_subject_gets_a_scene_too() -> None:
    assert direct("quarterly tax return", 0).scene in SCENES
    assert direct("", 0).scene in SCENES


def test_every_name_in_the_tables_exists() -> None:
    assert set(SUBJECTS) == set(SCENES)
    assert set(SOUNDS) <= set(LAYERS)
    for _, palettes, sounds in SCENES.values():
        assert set(palettes) <= set(PALETTES)
        assert set(sounds) <= set(LAYERS)


@pytest.mark.parametrize("size", [(60, 107), (107, 60)], ids=["tall", "wide"])
def test_every_scene_treatment_and_particle_paints(size: tuple[int, int]) -> None:
    for make, _, _ in SCENES.values():
        stage = Stage(*size, PALETTES["dusk"], 3)
        warps = [camera(stage, name, 4) for name in CAMERAS] + [treatment(stage, name) for name in TREATMENTS]
        x, y = stage.x, stage.y
        for warp in warps:
            x, y = warp(x, y, 1.0)
        picture = make(stage).paint(x, y, 1.0)
        assert picture.shape == (3, size[1], size[0])
        assert picture.dtype == np.float32
        assert np.isfinite(picture).all()
    for name in PARTICLES:
        assert particles(stage, name)(picture.copy(), 1.0).dtype == np.float32


def _thumbnail(prompt: str) -> Array:
    direction = direct(prompt, 0)
    stage = Stage(72, 128, direction.palette, direction.seed)
    x, y = stage.x, stage.y
    for warp in (camera(stage, direction.camera, 8), *(treatment(stage, name) for name in direction.treatments)):
        x, y = warp(x, y, 3.0)
    picture = direction.stage_scene(stage).paint(x, y, 3.0)
    return particles(stage, direction.particles)(picture, 3.0) if direction.particles else picture
