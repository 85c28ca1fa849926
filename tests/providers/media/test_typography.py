from __future__ import annotations

import numpy as np
import pytest

from providers.media.typography import TextStyle, draw_text, printable

WHITE = TextStyle(size_px=60, weight=500, colour="#FFFFFF")


def test_it_wraps_into_its_box() -> None:
    ink = np.asarray(draw_text("a rather long header that needs lines", WHITE, width_px=500, height_px=400))[..., 3]
    rows = (ink > 128).any(axis=1)
    lines = int((np.diff(rows.astype(int)) == 1).sum())
    assert lines >= 3
    assert not ink[:, :2].any()
    assert not ink[:, -2:].any()


def test_a_text_too_large_for_its_box_is_set_smaller() -> None:
    picture = draw_text("Donaudampfschifffahrtsgesellschaft", WHITE, width_px=300, height_px=80)
    left, _, right, _ = picture.getbbox() or (0, 0, 0, 0)
    assert 200 < right - left <= 300


@pytest.mark.parametrize("text", ["🌙", "", "👩‍👩‍👧‍👦\ufe0f", "\x00\x07"])
def test_a_text_without_glyphs_draws_nothing(text: str) -> None:
    assert draw_text(text, WHITE, width_px=300, height_px=80).getbbox() is None


def test_missing_glyphs_are_left_out() -> None:
    assert printable("Moon 🌙 glow\u200b é Ж", 500) == "Moon glow é Ж"


def test_an_outline_and_a_shadow_surround_the_ink() -> None:
    style = TextStyle(size_px=60, colour="#FFFFFF", stroke_px=4, shadow_blur_px=20, shadow_opacity=0.8)
    plain = draw_text("soft", WHITE, width_px=300, height_px=120).getbbox()
    dressed = draw_text("soft", style, width_px=300, height_px=120).getbbox()
    assert plain is not None
    assert dressed is not None
    assert dressed[0] < plain[0] - 4
    assert dressed[3] > plain[3] + 4
