"""Every format that an Edit can ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence

from providers.media.probe import probe
from providers.media.render import render
from tests.providers.media.media_files import frames_of, make_clip

CLIPS = [
    {"asset": {"type": "image", "src": "red"}, "start": 0, "length": 1},
    {"asset": {"type": "video", "src": "film"}, "start": 1, "length": 1},
]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("sources")
    Image.new("RGB", (64, 36), (220, 30, 30)).save(folder / "red.png")
    return {"red": folder / "red.png", "film": make_clip(folder / "film.mp4", picture="color=c=blue", size="64x36")}


def made(folder: Path, sources: dict[str, Path], **output: Any) -> Path:
    target = folder / f"film.{output['format']}"
    wanted = {"size": {"width": 64, "height": 36}, "fps": 12, **output}
    render({"timeline": {"tracks": [{"clips": CLIPS}]}, "output": wanted}, sources, target, work_dir=folder)
    assert {path.stem for path in folder.iterdir()} <= {"film", "film-poster", "film-thumb"}
    return target


@pytest.mark.parametrize("format_", ["jpg", "png", "bmp"])
def test_a_picture_is_the_first_frame_of_what_is_asked_for(
    tmp_path: Path, sources: dict[str, Path], format_: str
) -> None:
    first = Image.open(made(tmp_path, sources, format=format_)).convert("RGB")
    assert first.size == (64, 36)
    assert np.abs(np.array(first.getpixel((30, 20))) - (220, 30, 30)).max() < 12
    later = Image.open(made(tmp_path, sources, format=format_, range={"start": 1.5})).convert("RGB")
    assert np.abs(np.array(later.getpixel((30, 20))) - (0, 0, 255)).max() < 16


@pytest.mark.parametrize("repeat", [True, False])
def test_a_gif_repeats_or_does_not(tmp_path: Path, sources: dict[str, Path], repeat: bool) -> None:
    with Image.open(made(tmp_path, sources, format="gif", repeat=repeat)) as gif:
        assert gif.size == (64, 36)
        assert ("loop" in gif.info) == repeat
        frames = [
            (frame.info["duration"], frame.convert("RGB").getpixel((30, 20))) for frame in ImageSequence.Iterator(gif)
        ]
    assert sum(duration_ms for duration_ms, _ in frames) == pytest.approx(2000, abs=90)
    assert np.abs(np.array(frames[0][1]) - (220, 30, 30)).max() < 16


def test_an_mp3_is_the_sound(tmp_path: Path, sources: dict[str, Path]) -> None:
    facts = probe(made(tmp_path, sources, format="mp3"))
    assert (facts.audio_codec, facts.video_codec, facts.channels) == ("mp3float", None, 2)
    assert facts.duration_s == pytest.approx(2, abs=0.06)


def test_poster_and_thumbnail_stand_beside_the_film(tmp_path: Path, sources: dict[str, Path]) -> None:
    made(tmp_path, sources, format="mp4", poster={"capture": 0.5}, thumbnail={"capture": 1.5, "scale": 0.5})
    poster, thumb = (Image.open(tmp_path / f"film-{name}.jpg") for name in ("poster", "thumb"))
    assert (poster.size, thumb.size) == ((64, 36), (32, 18))
    assert np.abs(np.array(poster.getpixel((30, 20))) - (220, 30, 30)).max() < 16
    assert np.abs(np.array(thumb.getpixel((15, 9))) - (0, 0, 255)).max() < 20


def test_the_film_is_scaled_at_the_end(tmp_path: Path, sources: dict[str, Path]) -> None:
    facts = probe(made(tmp_path, sources, format="mp4", scaleTo="preview"))
    assert (facts.width_px, facts.height_px) == (512, 288)


@pytest.mark.parametrize(
    ("asset", "shown"),
    [({"speed": 2}, (0.5, 1.0)), ({"speed": 0.5}, (0.125, 0.25)), ({"trim": 1}, (1.25, 1.5)), ({}, (0.25, 0.5))],
)
def test_speed_and_trim_say_what_of_a_film_is_seen(
    tmp_path: Path, asset: dict[str, Any], shown: tuple[float, float]
) -> None:
    """The film grows lighter by a hundred a second."""
    ramp = "format=gray,geq=lum='min(255,100*T)'"
    film = make_clip(tmp_path / "ramp.mp4", picture="nullsrc", size="32x32", duration_s=2.4, fade=ramp)
    clip = {"asset": {"type": "video", "src": "film", **asset}, "start": 0, "length": 0.75}
    output = {"format": "mp4", "size": {"width": 32, "height": 32}, "fps": 24}
    target = tmp_path / "out.mp4"
    render({"timeline": {"tracks": [{"clips": [clip]}]}, "output": output}, {"film": film}, target, work_dir=tmp_path)
    frames = frames_of(target)[..., 1].mean(axis=(1, 2))
    assert [frames[6], frames[12]] == pytest.approx([100 * at_s for at_s in shown], abs=5)
