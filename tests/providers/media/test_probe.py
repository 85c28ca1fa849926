from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from myloware.kernel.errors import MediaError
from providers.media import ffmpeg
from providers.media.poster import contact_sheet, poster
from providers.media.probe import loudness, probe
from tests.providers.media.media_files import make_clip


def test_it_works(tmp_path: Path) -> None:
    facts = probe(make_clip(tmp_path / "clip.mp4"))
    assert (facts.width_px, facts.height_px, facts.fps) == (180, 320, 24)
    assert (facts.video_codec, facts.pixel_format) == ("h264", "yuv420p")
    assert (facts.audio_codec, facts.sample_rate_hz, facts.channels) == ("aac", 48_000, 2)
    assert facts.duration_s == pytest.approx(2, abs=0.05)
    assert facts.size_bytes == (tmp_path / "clip.mp4").stat().st_size
    assert facts.faststart


def test_it_sees_an_index_at_the_end(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4")
    moved = tmp_path / "moved.mp4"
    ffmpeg.write(["-i", str(clip), "-c", "copy"], moved, timeout_s=10)
    assert not probe(moved).faststart


def test_a_broken_file_is_an_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a film" * 100)
    with pytest.raises(MediaError, match=r"broken\.mp4"):
        probe(broken)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"missing\.mp4"):
        probe(tmp_path / "missing.mp4")


def test_it_measures_loudness(tmp_path: Path) -> None:
    """A stereo sine of 1 kHz at -20 dBFS peak measures about -20 LUFS (EBU Tech 3341)."""
    sine = "0.1*sin(2*PI*1000*t)"
    tone = make_clip(tmp_path / "tone.mp4", sound=f"aevalsrc='{sine}|{sine}':s=48000", duration_s=4)
    level = loudness(tone)
    assert level.integrated_lufs == pytest.approx(-20, abs=0.5)
    assert level.true_peak_dbtp == pytest.approx(-20, abs=1.2)


def test_a_poster_is_the_frame_at_its_time(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", picture="color=c=red", fade="fade=t=out:st=1:d=0.1")
    poster(clip, tmp_path / "early.jpg", at_s=0.5)
    poster(clip, tmp_path / "late.jpg", at_s=99)
    with Image.open(tmp_path / "early.jpg") as early, Image.open(tmp_path / "late.jpg") as late:
        assert early.size == (180, 320)
        assert np.asarray(early)[160, 90, 0] > 180
        assert np.asarray(late)[160, 90, 0] < 40


def test_a_contact_sheet_holds_every_time(tmp_path: Path) -> None:
    contact_sheet(make_clip(tmp_path / "clip.mp4"), tmp_path / "sheet.jpg", at_s=[0, 0.5, 1], columns=2, width_px=90)
    with Image.open(tmp_path / "sheet.jpg") as sheet:
        assert sheet.size == (180, 320)
