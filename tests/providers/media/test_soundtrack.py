"""What is heard: level and pitch of the film's sound, second by second."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from providers.media import ffmpeg
from providers.media.probe import probe
from providers.media.render import render
from providers.media.soundtrack import Sound, _decoded
from tests.providers.media.media_files import make_clip, samples_of

Samples = npt.NDArray[np.floating[Any]]
RATE = 48_000


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A film that hums at 440 Hz for four seconds, a sound of 880 Hz, and one that is silent at first."""
    folder = tmp_path_factory.mktemp("tones")
    clip = make_clip(folder / "clip.mp4", size="32x32", fps=12, duration_s=4)
    high, late = folder / "high.wav", folder / "late.wav"
    ffmpeg.write(["-f", "lavfi", "-i", "sine=f=880:d=4:r=48000"], high, timeout_s=20)
    ffmpeg.write(
        ["-f", "lavfi", "-i", "sine=f=880:d=4:r=48000", "-af", "volume=0:enable='lt(t,2)'"], late, timeout_s=20
    )
    return {"film": clip, "high": high, "late": late}


def heard(folder: Path, tones: dict[str, Path], *clips: dict[str, Any], **more: Any) -> Samples:
    tracks = [{"clips": [{"start": 0, "length": 4, **clip}]} for clip in clips]
    output = {"format": "mp4", "size": {"width": 32, "height": 32}, "fps": 12, **more.pop("output", {})}
    film = folder / "film.mp4"
    render({"timeline": {"tracks": tracks, **more}, "output": output}, tones, film, work_dir=folder)
    left: Samples = samples_of(film)[0]
    return left


def level(sound: Samples, at_s: float) -> float:
    part = sound[round((at_s - 0.05) * RATE) : round((at_s + 0.05) * RATE)]
    return float(np.sqrt((part**2).mean()))


def pitch_hz(sound: Samples, at_s: float) -> float:
    part = sound[round(at_s * RATE) : round(at_s * RATE) + RATE // 4]
    return float(np.abs(np.fft.rfft(part)).argmax() * 4)


def video(**asset: Any) -> dict[str, Any]:
    return {"asset": {"type": "video", "src": "film", **asset}}


def audio(src: str = "high", **asset: Any) -> dict[str, Any]:
    return {"asset": {"type": "audio", "src": src, **asset}}


# A sine of FFmpeg has an amplitude of an eighth; half of its power goes to each side.
FULL = 0.125 / 2


def test_volume_scales_and_tweens(tmp_path: Path, tones: dict[str, Path]) -> None:
    sound = heard(tmp_path, tones, video(volume=0.5))
    assert level(sound, 2) == pytest.approx(FULL / 2, rel=0.1)
    tween = {"from": 0, "to": 1, "start": 1, "length": 2}
    sound = heard(tmp_path, tones, video(volume=[tween]))
    assert [level(sound, at) for at in (0.5, 2, 3.5)] == pytest.approx([0, FULL / 2, FULL], abs=0.008)


@pytest.mark.parametrize(
    ("effect", "levels"),
    [("fadeIn", (0.5, 1, 1)), ("fadeOut", (1, 1, 0.5)), ("fadeInFadeOut", (0.5, 1, 0.5)), ("none", (1, 1, 1))],
)
def test_fades_take_a_second(tmp_path: Path, tones: dict[str, Path], effect: str, levels: tuple[float, ...]) -> None:
    expected = pytest.approx([FULL * each for each in levels], abs=0.008)
    for clip in (video(volumeEffect=effect), audio(effect=effect)):
        sound = heard(tmp_path, tones, clip)
        assert [level(sound, at) for at in (0.5, 2, 3.5)] == expected


def test_sounds_add_up_and_stand_where_they_start(tmp_path: Path, tones: dict[str, Path]) -> None:
    sound = heard(tmp_path, tones, video(), {**audio(), "start": 2, "length": 1})
    assert level(sound, 1) == pytest.approx(FULL, rel=0.1)
    assert level(sound, 2.5) == pytest.approx(FULL * np.sqrt(2), rel=0.1)
    assert level(sound, 3.5) == pytest.approx(FULL, rel=0.1)


def test_trim_leaves_out_the_beginning(tmp_path: Path, tones: dict[str, Path]) -> None:
    sound = heard(tmp_path, tones, {**audio("late", trim=1), "length": 3})
    assert level(sound, 0.5) < 0.01
    assert level(sound, 1.5) > 0.05


@pytest.mark.parametrize(("speed", "lasts_s"), [(2, 2), (0.4, 10)])
def test_speed_keeps_the_pitch(tmp_path: Path, tones: dict[str, Path], speed: float, lasts_s: float) -> None:
    sound = heard(tmp_path, tones, {**audio(speed=speed), "length": "auto"})
    assert len(sound) / RATE == pytest.approx(lasts_s, abs=0.05)
    assert level(sound, lasts_s - 0.3) > 0.05
    assert pitch_hz(sound, 0.5) == pytest.approx(880, abs=8)


def test_a_soundtrack_is_cut_to_the_film(tmp_path: Path, tones: dict[str, Path]) -> None:
    track = {"src": "high", "effect": "fadeOut", "volume": 1}
    sound = heard(tmp_path, tones, {**video(volume=0), "length": 2}, soundtrack=track)
    assert len(sound) / RATE == pytest.approx(2, abs=0.05)
    assert [level(sound, at) for at in (0.5, 1.5)] == pytest.approx([FULL, FULL / 2], abs=0.008)


def test_a_mute_film_has_no_sound(tmp_path: Path, tones: dict[str, Path]) -> None:
    clip = {"asset": {"type": "video", "src": "film"}, "start": 0, "length": 1}
    output = {"format": "mp4", "size": {"width": 32, "height": 32}, "fps": 12, "mute": True}
    target = tmp_path / "film.mp4"
    render({"timeline": {"tracks": [{"clips": [clip]}]}, "output": output}, tones, target, work_dir=tmp_path)
    assert probe(target).audio_codec is None


def test_a_part_of_the_film_has_its_part_of_the_sound(tmp_path: Path, tones: dict[str, Path]) -> None:
    sound = heard(tmp_path, tones, audio("late"), output={"range": {"start": 1.5, "length": 1}})
    assert len(sound) / RATE == pytest.approx(1, abs=0.05)
    assert level(sound, 0.25) < 0.01
    assert level(sound, 0.75) > 0.05


def test_a_recording_whose_clock_does_not_begin_at_zero_is_heard_at_once(
    tmp_path: Path, tones: dict[str, Path]
) -> None:
    live = tmp_path / "live.mkv"
    ffmpeg.write(["-i", str(tones["film"]), "-c", "copy", "-output_ts_offset", "50"], live, timeout_s=20)
    film = {"asset": {"type": "video", "src": "live"}, "length": 2}
    sound = heard(tmp_path, tones | {"live": live}, film)
    assert level(sound, 1) > 0.05


def test_of_a_long_sound_only_what_is_heard_is_held_or_written(tmp_path: Path, tones: dict[str, Path]) -> None:
    long = tmp_path / "long.wav"
    # Silence for ten minutes, and a tone after it.
    chain = "sine=f=880:d=604:r=8000,volume=0:enable='lt(t,600)'"
    ffmpeg.write(["-f", "lavfi", "-i", chain], long, timeout_s=60)
    late = Sound("x", long, first=0, count=12, trim_s=600, speed=1, gain=np.ones(13))
    tracemalloc.start()
    part = _decoded(late, RATE, tmp_path)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert part.shape == (2, RATE)
    assert np.abs(part).max() > 0.05
    # All of it would be 230 MB.
    assert peak_bytes < 20_000_000
    slow = Sound("x", tones["high"], first=0, count=12, trim_s=0, speed=0.05, gain=np.ones(13))
    assert _decoded(slow, RATE, tmp_path).shape == (2, RATE)
    assert (tmp_path / "speed.f32").stat().st_size == pytest.approx(8 * RATE, abs=8 * 10)
