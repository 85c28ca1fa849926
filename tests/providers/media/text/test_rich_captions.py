from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.providers.media.text.pictures import Pixels, drawn, ink, matching, refusal, shown

SOURCE = "WEBVTT\n\n00:01.000 --> 00:02.000\nHH HHHHH HHH\n\n00:03.000 --> 00:04.000\nHH\n"
WHITE, BLUE = (255, 255, 255), (0, 0, 255)


def _caption(**asset: Any) -> dict[str, Any]:
    return {"type": "rich-caption", "src": "https://cdn.example.test/night.vtt", **asset}


def _pictures(**asset: Any) -> list[tuple[float, float, Pixels]]:
    stills = shown(_caption(**asset), captions=SOURCE, length_s=9, box_px=(300, 80))
    return [(one.start_s, one.end_s, np.asarray(one.picture)) for one in stills]


def test_each_cue_is_a_rich_text_in_the_clips_box() -> None:
    pictures = _pictures()
    assert [picture[:2] for picture in pictures] == [(1, 2), (3, 4)]
    assert pictures[0][2].shape == (80, 300, 4)
    same = {"type": "rich-text", "text": "HH", "font": {"family": "Roboto", "color": "#FFFFFF"}}
    assert (pictures[1][2] == drawn(same, box_px=(300, 80))).all()


def test_the_spoken_word_is_highlighted_for_its_share_of_the_letters() -> None:
    pictures = _pictures(active={"font": {"color": "#0000FF"}}, animation={"style": "highlight"})
    assert [picture[:2] for picture in pictures[:3]] == [(1, 1.2), (1.2, pytest.approx(1.7)), (pytest.approx(1.7), 2)]
    places = [np.nonzero(matching(pixels, BLUE))[1] for _, _, pixels in pictures[:3]]
    assert places[0].max() < places[1].min()
    assert places[1].max() < places[2].min()
    assert len({ink(pixels) for _, _, pixels in pictures[:3]}) == 1


def test_karaoke_keeps_the_words_that_were_spoken() -> None:
    pictures = _pictures(active={"font": {"color": "#0000FF"}}, animation={"style": "karaoke"})
    inked = [int(matching(pixels, BLUE).sum()) for _, _, pixels in pictures[:3]]
    assert inked == sorted(inked)
    assert not matching(pictures[2][2], WHITE).any()


def test_a_spoken_word_may_be_marked() -> None:
    active = {"font": {"background": "#0000FF", "opacity": 0.5}}
    assert matching(_pictures(active=active)[0][2], BLUE).sum() > 200


def test_the_size_may_stand_in_the_style() -> None:
    small, large = (_pictures(style={"size": size})[1][2] for size in (20, 40))
    assert ink(large)[3] - ink(large)[1] == pytest.approx(2 * (ink(small)[3] - ink(small)[1]), abs=2)


@pytest.mark.parametrize(
    ("asset", "path"),
    [
        ({"animation": {"style": "pop"}}, "animation.style"),
        ({"active": {"font": {"size": 90}}}, "active.font.size"),
        ({"active": {"font": {"family": "Arapey"}}}, "active.font.family"),
        ({"active": {"stroke": {"width": 4}}}, "active.stroke"),
        ({"active": {"shadow": "none"}, "shadow": {"blur": 3}}, "active.shadow"),
        ({"font": {"family": "Arial"}}, "font.family"),
    ],
)
def test_what_would_move_words_is_refused(asset: dict[str, Any], path: str) -> None:
    assert refusal(_caption(**asset), captions=SOURCE).detail["path"] == path


def test_a_spoken_word_may_name_what_all_words_have() -> None:
    stroke = {"width": 3, "color": "#000000", "opacity": 1}
    active = {"stroke": stroke, "font": {"size": 24, "weight": "400", "color": "#0000FF"}}
    assert len(_pictures(stroke=stroke, active=active)) == 4


def test_every_word_keeps_its_colour_within_an_outline() -> None:
    stroke = {"width": 4, "color": "#FF0000"}
    pixels = _pictures(font={"size": 40}, stroke=stroke, active={"font": {"color": "#0000FF"}})[1][2]
    assert matching(pixels, WHITE).sum() > 200
    assert matching(pixels, BLUE).sum() > 200
