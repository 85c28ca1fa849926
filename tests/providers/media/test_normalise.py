from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from myloware.kernel.errors import MediaError
from providers.media.normalise import normalise
from providers.media.probe import loudness
from tests.providers.media.media_files import frames_of, make_clip

FRAME = {"width_px": 180, "height_px": 320}


@pytest.mark.parametrize(
    "sound",
    [
        "aevalsrc='0.02*sin(440*2*PI*t)':s=44100",
        "aevalsrc='0.9*sin(440*2*PI*t)*lt(mod(t,1),0.1)+0.004*sin(300*t)':s=48000",
        "anoisesrc=a=0.9:c=pink:seed=1",
    ],
    ids=["quiet mono", "short loud beats", "loud noise"],
)
def test_it_reaches_the_loudness(tmp_path: Path, sound: str) -> None:
    made = normalise(make_clip(tmp_path / "clip.mp4", sound=sound, duration_s=5), tmp_path / "film.mp4", **FRAME)
    reached = loudness(tmp_path / "film.mp4", timeout_s=60)
    assert reached == made.loudness
    assert reached.integrated_lufs == pytest.approx(-14, abs=0.5)
    assert reached.true_peak_dbtp <= -1
    assert (made.probe.sample_rate_hz, made.probe.channels, made.probe.audio_codec) == (48_000, 2, "aac")


def test_it_brings_a_clip_to_the_frame_and_rate(tmp_path: Path) -> None:
    facts = normalise(make_clip(tmp_path / "clip.mp4", size="90x160"), tmp_path / "film.mp4", **FRAME).probe
    assert (facts.width_px, facts.height_px, facts.fps) == (180, 320, 30)
    assert (facts.video_codec, facts.pixel_format, facts.faststart) == ("h264", "yuv420p", True)
    assert facts.duration_s == pytest.approx(2, abs=1 / 30)


def test_a_four_to_three_source_is_padded_not_stretched(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", picture="color=c=white", size="160x120")
    normalise(clip, tmp_path / "film.mp4", **FRAME)
    bright = frames_of(tmp_path / "film.mp4")[10, :, 90].mean(axis=1) > 128
    rows = np.flatnonzero(bright)
    assert rows[-1] - rows[0] + 1 == pytest.approx(180 * 120 / 160, abs=3)
    assert rows[0] == pytest.approx((320 - 135) / 2, abs=3)


def test_a_picture_that_fits_is_not_encoded_again(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", picture="testsrc2", fps=30)
    normalise(clip, tmp_path / "film.mp4", **FRAME)
    assert np.array_equal(frames_of(clip), frames_of(tmp_path / "film.mp4"))


def test_a_source_without_sound_gets_silence(tmp_path: Path) -> None:
    made = normalise(make_clip(tmp_path / "clip.mp4", sound=None), tmp_path / "film.mp4", **FRAME)
    assert (made.probe.audio_codec, made.probe.channels) == ("aac", 2)
    assert math.isinf(made.loudness.integrated_lufs)


def test_silence_is_not_amplified(tmp_path: Path) -> None:
    hiss = "anoisesrc=a=0.0004:c=white:seed=1"
    made = normalise(make_clip(tmp_path / "clip.mp4", sound=hiss), tmp_path / "film.mp4", **FRAME)
    assert made.loudness.integrated_lufs < -55


def test_equal_input_gives_equal_bytes(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", picture="testsrc2")
    for name in ("first", "second"):
        normalise(clip, tmp_path / f"{name}.mp4", **FRAME)
    assert (tmp_path / "first.mp4").read_bytes() == (tmp_path / "second.mp4").read_bytes()


def test_a_broken_source_is_an_error(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4")
    clip.write_bytes(clip.read_bytes()[:2000])
    with pytest.raises(MediaError):
        normalise(clip, tmp_path / "film.mp4", **FRAME)
    assert not (tmp_path / "film.mp4").exists()
