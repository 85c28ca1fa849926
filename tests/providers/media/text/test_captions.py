from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from providers.media.text.captions import cues
from tests.providers.media.text.pictures import drawn, ink, line_count, matching, refusal, shown

SRT = """\ufeff1\r
00:00:01,000 --> 00:00:02,500\r
<i>The moon</i>\r
orders a <font color="#ff0000">cheeseburger</font>\r
\r
2\r
00:00:03,5 --> 00:00:04,000\r
{\\an8}Two fries &amp; more\r
"""
VTT = """WEBVTT - night

STYLE
::cue { color: red }

NOTE nothing
to see

intro
00:01.000 --> 00:02.500 align:start position:10%
<v Ann>The moon
orders a <b>cheeseburger</b>

00:00:03.500 --> 00:00:04.000
Two fries &amp; more
"""


def _caption(**asset: Any) -> dict[str, Any]:
    return {"type": "caption", "src": "https://cdn.example.test/night.srt", **asset}


@pytest.mark.parametrize("source", [SRT, VTT], ids=["srt", "vtt"])
def test_both_formats_are_read_without_their_tags(source: str) -> None:
    read = [(cue.start_s, cue.end_s, cue.text) for cue in cues(source)]
    assert read == [(1.0, 2.5, "The moon\norders a cheeseburger"), (3.5, 4.0, "Two fries & more")]


def test_each_cue_is_a_still() -> None:
    stills = shown(_caption(), captions=SRT, length_s=10)
    assert [(one.start_s, one.end_s) for one in stills] == [(1.0, 2.5), (3.5, 4.0)]
    assert [line_count(np.asarray(one.picture)) for one in stills] == [2, 1]


@pytest.mark.parametrize(
    ("change", "length_s", "times"),
    [
        ({"trim": 2}, 10, [(0, 0.5), (1.5, 2)]),
        ({"speed": 2}, 10, [(0.5, 1.25), (1.75, 2)]),
        ({"trim": 1, "speed": 0.5}, 10, [(0, 3), (5, 6)]),
        ({}, 2, [(1, 2)]),
        ({"trim": -1}, 10, [(2, 3.5), (4.5, 5)]),
        ({"speed": 0, "trim": 3.6}, 10, [(0, 10)]),
        ({"speed": 0}, 10, []),
    ],
)
def test_trim_and_speed_and_the_clips_end_change_the_times(
    change: dict[str, Any], length_s: float, times: list[tuple[float, float]]
) -> None:
    stills = shown(_caption(**change), captions=SRT, length_s=length_s)
    assert [(one.start_s, one.end_s) for one in stills] == times


def test_a_cue_ends_where_the_next_one_begins() -> None:
    source = "00:00.000 --> 00:03.000\none\n\n00:02.000 --> 00:04.000\ntwo\n"
    assert [(one.start_s, one.end_s) for one in shown(_caption(), captions=source, length_s=9)] == [(0, 2), (2, 4)]


def test_captions_stand_at_the_bottom_of_the_frame_within_the_margins() -> None:
    pixels = drawn(_caption(), captions=SRT, length_s=10)
    assert pixels.shape == (240, 400, 4)
    left, top, right, bottom = ink(pixels)
    assert 160 < top < bottom <= 240 * 0.95
    assert left + right == pytest.approx(400, abs=2)


def test_margins_are_shares_of_the_frame() -> None:
    source = "00:00.000 --> 00:03.000\n" + "word " * 12
    margin = {"top": 0.25, "left": 0.5, "right": 0.1}
    left, top, right, _ = ink(drawn(_caption(margin=margin), captions=source))
    assert left >= 200
    assert right <= 360
    assert 60 <= top <= 75


def test_a_background_surrounds_the_lines() -> None:
    background = {"color": "#0000FF", "opacity": 0.5, "padding": 12, "borderRadius": 0}
    source = "00:00.000 --> 00:03.000\nHH"
    pixels = drawn(_caption(background=background), captions=source)
    left, top, _, bottom = ink(pixels, least=100)
    letters = np.nonzero(matching(pixels, (255, 255, 255)))
    assert pixels[top + 1, left + 1].tolist() == [0, 0, 255, 128]
    # One line of 32 px at 1.2, and the padding twice.
    assert bottom - top == pytest.approx(32 * 1.2 + 24, abs=1)
    assert letters[1].min() - left == pytest.approx(12 + 3, abs=3)


def test_a_stroke_stands_outside_the_letters() -> None:
    source = "00:00.000 --> 00:03.000\nHH"
    plain = ink(drawn(_caption(), captions=source))
    stroked = ink(drawn(_caption(font={"stroke": "#ff6600", "strokeWidth": 3}), captions=source))
    assert np.abs(np.subtract(stroked, plain) - (-3, -3, 3, 3)).max() <= 1


@pytest.mark.parametrize(
    ("source", "word"), [(None, "no text for this source"), ("<html></html>", "no cue"), ("", "no cue")]
)
def test_a_source_without_cues_is_refused(source: str | None, word: str) -> None:
    error = refusal(_caption(src="alias://speech"), captions=source)
    assert error.detail["path"] == "src"
    assert word in error.message


def test_a_letter_without_a_glyph_is_refused_before_anything_is_drawn() -> None:
    assert refusal(_caption(), captions="00:00.000 --> 00:03.000\n\U00012000").detail["path"] == "src"


def test_an_unknown_family_is_refused() -> None:
    assert refusal(_caption(font={"family": "Arial"}), captions=SRT).detail["path"] == "font.family"


def test_a_time_of_hundreds_of_digits_is_no_cue() -> None:
    endless = f"1\n{'9' * 400}:00:00,000 --> {'9' * 401}:00:00,000\nnever\n\n1\n00:00:01,000 --> 00:00:02,000\nonce"
    assert [cue.text for cue in cues(endless)] == ["once"]
