from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.providers.media.text.pictures import Pixels, drawn, ink, line_count, matching, refusal, shown


def _text(text: str, **asset: Any) -> dict[str, Any]:
    return {"type": "text", "text": text, **asset}


def _pixels(text: str, **asset: Any) -> Pixels:
    return drawn(_text(text, **asset))


def test_its_box_is_its_own_or_the_frame() -> None:
    assert _pixels("pear", width="120.4", height=80).shape == (80, 120, 4)
    assert _pixels("pear").shape == (240, 400, 4)


def test_it_is_white_open_sans_in_the_middle_by_default() -> None:
    pixels = _pixels("HH")
    left, top, right, bottom = ink(pixels)
    assert left + right == pytest.approx(400, abs=2)
    assert top + bottom == pytest.approx(240, abs=2)
    assert (pixels[pixels[..., 3] > 0][:, :3] == 255).all()
    assert (pixels == _pixels("HH", font={"family": "Open Sans", "size": 32, "lineHeight": 1})).all()


@pytest.mark.parametrize(("vertical", "edge"), [("top", "above"), ("bottom", "below")])
def test_it_is_aligned_within_the_padding(vertical: str, edge: str) -> None:
    alignment = {"horizontal": "left", "vertical": vertical}
    pixels = _pixels("H", alignment=alignment, background={"padding": 40, "color": "#0000FF"}, font={"size": 40})
    rows, columns = np.nonzero(matching(pixels, (255, 255, 255)))
    assert 40 <= columns.min() <= 46
    assert {"above": rows.min() - 40, "below": 200 - rows.max()}[edge] in range(14)


def test_a_stroke_stands_outside_with_its_full_width() -> None:
    font = {"size": 120}
    plain, stroked = _pixels("o", font=font), _pixels("o", font=font, stroke={"width": 5, "color": "#FF0000"})
    assert np.abs(np.subtract(ink(stroked), ink(plain)) - (-5, -5, 5, 5)).max() <= 1
    assert matching(stroked, (255, 255, 255)).sum() == pytest.approx(matching(plain, (255, 255, 255)).sum(), rel=0.05)


def test_a_background_has_corners_and_opacity() -> None:
    pixels = _pixels("", width=100, height=50, background={"color": "#00FF00", "opacity": 0.25, "borderRadius": 25})
    assert pixels[25, 50].tolist() == [0, 255, 0, 64]
    assert pixels[0, 0, 3] == 0
    assert (pixels[..., 3] / 64).sum() == pytest.approx(100 * 50 - (4 - np.pi) * 25**2, rel=0.02)


def test_what_does_not_fit_is_masked_or_ends_in_an_ellipsis() -> None:
    text = "many words that never end " * 6
    masked = _pixels(text, width=300, height=96, font={"size": 32})
    cut = _pixels(text, width=300, height=96, font={"size": 32}, ellipsis="!!")
    assert masked.shape == cut.shape
    assert line_count(cut) <= 3
    assert (cut != masked).any()
    assert (_pixels("short", ellipsis="!!") == _pixels("short")).all()


def test_an_ellipsis_stands_where_the_text_was_cut() -> None:
    cut = _pixels(
        "aaaa bbbb cccc", width=100, height=40, font={"size": 32}, ellipsis="…", alignment={"horizontal": "left"}
    )
    same = _pixels("aaaa…", width=100, height=40, font={"size": 32}, alignment={"horizontal": "left"})
    assert (cut == same).all()


def test_it_is_typed_letter_by_letter() -> None:
    stills = shown(_text("abcd", animation={"preset": "typewriter", "duration": 2}), length_s=5)
    assert [(one.start_s, one.end_s) for one in stills] == [(0, 0.5), (0.5, 1), (1, 1.5), (1.5, 2), (2, 5)]


def test_a_wrapped_background_is_refused_as_the_service_does() -> None:
    error = refusal(_text("pear", background={"wrap": True, "color": "#000000"}))
    assert error.detail["path"] == "background.wrap"
    assert "rich-text" in error.message


def test_a_text_without_measure_is_refused() -> None:
    assert refusal(_text("x" * 20_001)).detail["path"] == "text"
