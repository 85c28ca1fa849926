"""What FFmpeg mends, and that it touches nothing else."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from providers.media.preflight.check import Finding
from providers.media.preflight.inspection import inspect
from providers.media.preflight.repair import repair

from .test_preflight import BROKEN, flown, shot

FRAME = {"width_px": 180, "height_px": 320, "fps": 30}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    film = tmp_path_factory.mktemp("films") / "good.mp4"
    shot(film, film)
    return film


def findings(film: Path) -> tuple[Finding, ...]:
    return flown(film).findings


def packets(film: Path, kind: str) -> list[bytes]:
    with av.open(str(film)) as container:
        stream = next(each for each in container.streams if each.type == kind)
        return [bytes(packet) for packet in container.demux(stream) if packet.size]


@pytest.mark.parametrize(
    "name",
    [
        *("QuickTime", "index at the end", "two sounds", "subtitles", "sound first", "colours without names"),
        *("mono", "44.1 kHz", "MP3", "too loud", "peaks that clip", "sound 0.3 s late", "sound that ends early"),
        *("MPEG-4 part 2", "ten bits", "wide pixels", "lying on its side", "12 frames a second", "too large"),
        *("frames that stutter", "a start cut away by an edit list", "the colours of SD", "full range"),
    ],
)
def test_what_is_promised_is_mended(good: Path, tmp_path: Path, name: str) -> None:
    rule, build = BROKEN[name]
    build(good, tmp_path / "broken.mp4")
    assert repair(tmp_path / "broken.mp4", findings(tmp_path / "broken.mp4"), tmp_path / "film.mp4", **FRAME) == [rule]
    assert findings(tmp_path / "film.mp4") == ()


def test_a_wrong_container_costs_neither_picture_nor_sound(good: Path, tmp_path: Path) -> None:
    BROKEN["subtitles"][1](good, tmp_path / "broken.mp4")
    repair(tmp_path / "broken.mp4", findings(tmp_path / "broken.mp4"), tmp_path / "film.mp4", **FRAME)
    assert [len(each) for each in packets(tmp_path / "film.mp4", "video")] == [
        len(each) for each in packets(good, "video")
    ]
    assert packets(tmp_path / "film.mp4", "audio") == packets(good, "audio")


def test_a_wrong_sound_costs_no_picture(tmp_path: Path) -> None:
    shot(tmp_path, tmp_path / "quiet.mp4", seconds=3, sound="0.05*sin(2*PI*440*t)")
    repair(tmp_path / "quiet.mp4", findings(tmp_path / "quiet.mp4"), tmp_path / "film.mp4", **FRAME)
    assert packets(tmp_path / "film.mp4", "video") == packets(tmp_path / "quiet.mp4", "video")
    assert inspect(tmp_path / "film.mp4").lufs == pytest.approx(-14, abs=0.5)


def test_what_only_people_can_mend_is_left(tmp_path: Path) -> None:
    shot(tmp_path, tmp_path / "long.mp4", seconds=9, sound="0.05*sin(2*PI*440*t)")
    mended = repair(tmp_path / "long.mp4", findings(tmp_path / "long.mp4"), tmp_path / "film.mp4", **FRAME)
    assert mended == ["film.loudness"]
    assert [finding.rule for finding in findings(tmp_path / "film.mp4")] == ["tiktok.duration.max"]


def test_a_film_of_another_shape_is_padded_not_stretched(tmp_path: Path) -> None:
    shot(tmp_path, tmp_path / "square.mp4", seconds=3, size="480x480", picture="color=c=white")
    repair(tmp_path / "square.mp4", findings(tmp_path / "square.mp4"), tmp_path / "film.mp4", **FRAME)
    with av.open(str(tmp_path / "film.mp4")) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="gray")
    assert frame.shape == (320, 180)
    assert (frame[160].min() > 230, frame[30].max() < 20, frame[290].max() < 20) == (True, True, True)
