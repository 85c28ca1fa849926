"""Sound laid under a film: a tone of 440 Hz, loud for 3 s and nearly silent for 6."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
from pydantic import ValidationError

from myloware.kernel.cues import BEDS, FOLEY, Cue, Scene
from myloware.kernel.errors import InvalidInput, MediaError
from providers.media import foley, sounddesign
from providers.media.normalise import normalise
from providers.media.probe import loudness
from providers.media.sounddesign import Design, design
from tests.providers.media.media_files import make_clip, samples_of

SCENES = (Scene(0, 6), Scene(5, 4, whisper_s=2))
TAP_S = 4.2
# Where a tap's body sounds, and rain does not.
BODY_HZ = (300, 800)
CUES = (
    Cue(kind="rain", clip=0),
    Cue(kind="tap", clip=0, start_s=TAP_S, gain_db=3),
    Cue(kind="rain", clip=1, gain_db=3),
)


@dataclass(frozen=True)
class Made:
    film: Path
    target: Path
    design: Design


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("sound")
    tone = "aevalsrc='if(lt(t,3),0.4,0.002)*sin(440*2*PI*t)':s=48000"
    clip = make_clip(folder / "clip.mp4", picture="testsrc2", size="90x160", fps=30, duration_s=9, sound=tone)
    normalise(clip, folder / "film.mp4", width_px=90, height_px=160)
    film, target = folder / "film.mp4", folder / "designed.mp4"
    return Made(film, target, design(film, CUES, target, scenes=SCENES))


def level_db(film: Path, start_s: float, end_s: float, low_hz: float, high_hz: float) -> float:
    """Power of both channels within a band of a stretch of the film."""
    sound = samples_of(film)[:, round(start_s * 48_000) : round(end_s * 48_000)]
    spectrum = np.fft.rfft(sound * np.hanning(sound.shape[1]))
    frequency = np.fft.rfftfreq(sound.shape[1], 1 / 48_000)
    band = spectrum[:, (frequency >= low_hz) & (frequency < high_hz)]
    return float(10 * np.log10((np.abs(band) ** 2).sum() / sound.shape[1] ** 2 + 1e-12))


def bed_db(film: Path, start_s: float, end_s: float) -> float:
    return level_db(film, start_s, end_s, 1500, 12_000)


def own_db(film: Path, start_s: float, end_s: float) -> float:
    return level_db(film, start_s, end_s, 380, 500)


def picture(film: Path) -> list[bytes]:
    with av.open(str(film)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def test_a_bed_steps_back_where_the_film_is_loud_and_comes_near_where_it_is_quiet(made: Made) -> None:
    loud, quiet = (1, 2.5), (4.5, 5)
    assert own_db(made.target, *loud) - bed_db(made.target, *loud) > 24
    assert own_db(made.target, *quiet) - bed_db(made.target, *quiet) < 6
    assert bed_db(made.target, *quiet) - bed_db(made.target, *loud) > 10


def test_a_foley_sound_is_heard_at_its_time(made: Made) -> None:
    before, tap = (TAP_S - 0.2, TAP_S - 0.05), (TAP_S - 0.05, TAP_S + 0.1)
    assert level_db(made.target, *tap, *BODY_HZ) - level_db(made.target, *before, *BODY_HZ) > 15


def test_beds_and_foley_leave_room_for_a_whisper_however_soft_it_is(made: Made) -> None:
    assert bed_db(made.target, 6, 6.6) - bed_db(made.target, 7.05, 7.8) > 10


def test_beds_are_faded_at_the_borders_of_their_clips(made: Made) -> None:
    assert bed_db(made.target, 8.2, 8.6) - bed_db(made.target, 8.96, 9) > 10


def test_the_result_has_the_films_picture_and_the_platforms_loudness(made: Made) -> None:
    assert picture(made.target) == picture(made.film)
    reached = loudness(made.target)
    assert reached == made.design.normalised.loudness
    assert reached.integrated_lufs == pytest.approx(-14, abs=0.5)
    assert reached.true_peak_dbtp <= -1


def test_the_report_tells_where_each_cue_lies_and_how_far_it_steps_back(made: Made) -> None:
    rain, tap, second = made.design.placed
    assert (rain.at_s, rain.length_s, tap.at_s, second.at_s) == (0, 6, TAP_S, 5)
    assert (rain.level_lu, tap.level_lu) == (sounddesign.BED_LU, sounddesign.FOLEY_LU + 3)
    assert rain.ducked_db == pytest.approx(sounddesign.BED_DUCK_DB / 2, abs=1.5)
    assert tap.ducked_db == pytest.approx(0, abs=0.1)


def test_equal_cues_give_equal_bytes(made: Made, tmp_path: Path) -> None:
    design(made.film, CUES, tmp_path / "again.mp4", scenes=SCENES)
    assert (tmp_path / "again.mp4").read_bytes() == made.target.read_bytes()


@pytest.mark.parametrize(
    ("cues", "reason"),
    [
        ([], "no cue"),
        ([Cue(kind="rain", clip=2)], r"Cue 1 \(rain\).*no clip 2, the last is 1"),
        ([Cue(kind="tap", clip=0), Cue(kind="tap", clip=1, start_s=4)], r"Cue 2.*starts at 4 s, and clip 1 lasts 4"),
    ],
)
def test_cues_that_do_not_fit_the_film_are_refused(made: Made, tmp_path: Path, cues: list[Cue], reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        design(made.film, cues, tmp_path / "film.mp4", scenes=SCENES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("cue", "reason"),
    [
        ({"kind": "violin", "clip": 0}, "Input should be"),
        ({"kind": "tap", "clip": 0, "gain_db": 30}, "less than or equal to 6"),
        ({"kind": "tap", "clip": 0, "start_s": -1}, "greater than or equal to 0"),
        ({"kind": "rain", "clip": 0, "start_s": 1}, "lasts the whole clip: leave start_s out"),
    ],
)
def test_cues_that_cannot_be_made_are_refused(cue: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Cue.model_validate(cue)


def test_a_film_without_sound_is_an_error(tmp_path: Path) -> None:
    film = make_clip(tmp_path / "film.mp4", sound=None, duration_s=1)
    with pytest.raises(MediaError):
        design(film, [Cue(kind="room", clip=0)], tmp_path / "designed.mp4", scenes=[Scene(0, 1)])


def test_every_kind_has_a_recipe() -> None:
    assert set(FOLEY) == set(foley.RECIPES)
    assert set(BEDS) <= set(sounddesign.BEDS)


@pytest.mark.parametrize("kind", FOLEY)
def test_a_foley_sound_is_short_starts_softly_and_repeats_exactly(kind: str) -> None:
    sound = foley.sound(kind, 3)
    assert sound.shape[1] <= 1.6 * 48_000
    assert np.abs(sound).max() > 0.2
    assert np.abs(sound[:, :3]).max() < 0.2 * np.abs(sound).max()
    assert np.array_equal(sound, foley.sound(kind, 3))
    assert not np.array_equal(sound, foley.sound(kind, 4))
