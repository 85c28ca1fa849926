from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from providers.media.text.titles import SIZES, STYLES
from tests.providers.media.text.pictures import Pixels, drawn, ink, line_count, matching

WIDE = (512, 288)


def _title(text: str = "Glass pear", *, frame: tuple[int, int] = WIDE, **asset: Any) -> Pixels:
    return drawn({"type": "title", "text": text, **asset}, frame=frame)


def test_every_style_looks_different() -> None:
    assert len({_title(style=style).tobytes() for style in STYLES}) == 10


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("frame", [WIDE, (288, 512)], ids=["wide", "tall"])
def test_every_style_stays_inside_the_frame_at_every_size(style: str, frame: tuple[int, int]) -> None:
    for size in SIZES:
        left, top, right, bottom = ink(_title(style=style, size=size, frame=frame), least=1)
        assert left > 0, size
        assert top > 0, size
        assert right < frame[0], size
        assert bottom < frame[1], size


@pytest.mark.parametrize("style", STYLES)
def test_sizes_grow(style: str) -> None:
    heights = [
        ink(_title("Ag", style=style, size=size))[3] - ink(_title("Ag", style=style, size=size))[1] for size in SIZES
    ]
    assert all(smaller < larger for smaller, larger in pairwise(heights)), heights


def test_a_long_word_is_set_smaller_and_not_broken() -> None:
    pixels = _title("Donaudampfschifffahrtsgesellschaft", size="xx-large", style="chunk")
    assert line_count(pixels) == 1
    left, _, right, _ = ink(pixels)
    assert right - left > 0.8 * 512


def test_a_long_text_is_set_smaller_until_all_lines_fit() -> None:
    pixels = _title("and another word " * 12, size="xx-large")
    _, top, _, bottom = ink(pixels, least=1)
    assert top > 0
    assert bottom < 288


@pytest.mark.parametrize(
    "position", ["topLeft", "top", "topRight", "left", "center", "right", "bottomLeft", "bottom", "bottomRight"]
)
def test_a_position_is_a_side_of_the_frame(position: str) -> None:
    left, top, right, bottom = ink(_title("pear", size="x-small", position=position))
    across = -1 if "Left" in position or position == "left" else 1 if "ight" in position else 0
    down = -1 if "top" in position else 1 if "bottom" in position else 0
    assert np.sign(round((left + right - 512) / 20)) == across
    assert np.sign(round((top + bottom - 288) / 20)) == down


def test_an_offset_moves_right_and_up_by_shares_of_the_frame() -> None:
    before, after = (ink(_title("pear", offset=offset)) for offset in ({}, {"x": 0.1, "y": 0.25}))
    assert after[0] - before[0] == pytest.approx(51.2, abs=1)
    assert after[1] - before[1] == pytest.approx(-72, abs=1)


def test_colours_carry_their_alpha_in_front() -> None:
    pixels = _title("pear", style="chunk", color="#80FF0000", background="#400000FF")
    left, top, _, _ = ink(pixels, least=30)
    assert pixels[top + 2, left + 2].tolist() == [0, 0, 255, 64]
    letters = pixels[pixels[..., 0] > 200]
    # Red at 128 over blue at 64.
    assert letters[:, 3].max() == 128 + round(64 * 127 / 255)


def test_a_background_is_a_band_around_the_lines() -> None:
    letters = ink(_title("pear", style="minimal"))
    band = ink(_title("pear", style="minimal", background="#000000"))
    assert band[0] < letters[0] - 5
    assert band[2] > letters[2] + 5
    assert (band[0] + band[2]) == pytest.approx(512, abs=3)
    assert not matching(_title("pear", background="#000000"), (0, 0, 0))[:20].any()
