from __future__ import annotations

import math

import numpy as np
import pytest

from providers.media.edit import EASINGS, Tween
from providers.media.geometry import expression
from providers.media.motion import ease, values

HALVES = np.array([0.0, 0.25, 0.5, 0.75, 1.0])


@pytest.mark.parametrize("name", sorted(EASINGS))
def test_every_easing_begins_and_ends_where_it_should(name: str) -> None:
    found = ease(name, HALVES)
    assert (found[0], found[-1]) == (pytest.approx(0, abs=1e-3), pytest.approx(1, abs=1e-3))
    if name.startswith("easeInOut"):
        assert found[2] == pytest.approx(0.5, abs=1e-6)
        assert found[1] == pytest.approx(1 - found[3], abs=1e-6)


@pytest.mark.parametrize(
    ("name", "at", "expected"),
    [
        ("easeInQuad", 0.5, 0.25),
        ("easeOutQuad", 0.5, 0.75),
        ("easeInCubic", 0.5, 0.125),
        ("easeInOutQuart", 0.25, 8 * 0.25**4),
        ("easeOutQuint", 0.5, 1 - 0.5**5),
        ("easeInSine", 0.5, 1 - math.cos(math.pi / 4)),
        ("easeOutExpo", 0.5, 1 - 2**-5),
        ("easeInCirc", 0.6, 1 - 0.8),
        ("easeInBack", 0.5, 2.70158 * 0.125 - 1.70158 * 0.25),
        # The curve's parameter 0.5 lies at x = 0.3125 and y = 0.5375 of (0.25, 0.1), (0.25, 1).
        ("ease", 0.3125, 0.5375),
    ],
)
def test_an_easing_follows_its_formula(name: str, at: float, expected: float) -> None:
    assert ease(name, np.array([at]))[0] == pytest.approx(expected, abs=1e-6)


def test_between_tweens_a_value_stays() -> None:
    tweens = (
        Tween.model_validate({"from": 1, "to": 2, "start": 1, "length": 1}),
        Tween.model_validate({"from": "5", "to": 9, "start": 3, "length": 2}),
    )
    t = np.array([0, 1, 1.5, 2, 2.9, 3, 4, 5, 6.0])
    assert values(tweens, t, 7.0).tolist() == [1, 1, 1.5, 2, 2, 5, 7, 9, 9]


def test_a_table_becomes_few_straight_lines_that_miss_nothing() -> None:
    table = 100 * ease("easeInOutCubic", np.linspace(0, 1, 240))
    words = expression(table, "n", 0.03)
    assert 4 < words.count("if(") < 80
    assert max(abs(evaluated(words, n) - table[n]) for n in range(240)) < 0.04


def evaluated(words: str, n: int) -> float:
    """FFmpeg's expression, read by Python."""
    known = {"n": n, "lt": lambda a, b: a < b, "If": lambda so, yes, no: yes if so else no}
    return float(eval(words.replace("if(", "If("), known))
