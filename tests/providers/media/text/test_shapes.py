from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.providers.media.text.pictures import Pixels, drawn, ink, matching, refusal


def _shape(kind: str, **asset: Any) -> Pixels:
    return drawn({"type": "shape", "shape": kind, **asset})


def test_its_box_is_its_own_or_the_frame_and_it_stands_in_the_middle() -> None:
    pixels = _shape("rectangle", rectangle={"width": 100, "height": 40})
    assert pixels.shape == (240, 400, 4)
    assert ink(pixels) == (150, 100, 250, 140)
    assert _shape("rectangle", width=120, height=60, rectangle={"width": 100, "height": 40}).shape == (60, 120, 4)


def test_it_is_white_by_default() -> None:
    assert _shape("line", line={"length": 50, "thickness": 4})[120, 200].tolist() == [255, 255, 255, 255]


def test_a_circle_has_the_area_of_a_circle() -> None:
    pixels = _shape("circle", circle={"radius": 80})
    assert (pixels[..., 3] / 255).sum() == pytest.approx(np.pi * 80**2, rel=0.005)
    assert ink(pixels) == (120, 40, 280, 200)


def test_corners_are_rounded() -> None:
    square, rounded = (
        _shape("rectangle", rectangle={"width": 100, "height": 100, "cornerRadius": radius}) for radius in (0, 30)
    )
    missing = (square[..., 3].astype(float).sum() - rounded[..., 3].sum()) / 255
    assert missing == pytest.approx((4 - np.pi) * 30**2, rel=0.02)


def test_a_stroke_surrounds_the_shape_and_both_keep_their_opacity() -> None:
    fill, stroke = {"color": "#FF0000", "opacity": 0.5}, {"color": "#800000FF", "width": 10}
    pixels = _shape("rectangle", rectangle={"width": 100, "height": 40}, fill=fill, stroke=stroke)
    assert ink(pixels) == (140, 90, 260, 150)
    assert pixels[120, 200].tolist() == [255, 0, 0, 128]
    assert pixels[120, 145].tolist() == [0, 0, 255, 128]


def test_a_fraction_of_a_pixel_is_a_paler_pixel() -> None:
    pixels = _shape("line", line={"length": 101, "thickness": 2}, stroke={"color": "#FFFFFF", "width": 0.25})
    assert pixels[120, 149, 3] == pytest.approx(255 * 0.75, abs=2)


def test_a_line_is_level() -> None:
    pixels = _shape("line", line={"length": 60, "thickness": 6}, fill={"color": "#00FF00"})
    assert matching(pixels, (0, 255, 0)).sum() == 360


@pytest.mark.parametrize("kind", ["rectangle", "circle", "line"])
def test_a_shape_without_its_measures_is_refused(kind: str) -> None:
    error = refusal({"type": "shape", "shape": kind})
    assert error.detail["path"] == kind
