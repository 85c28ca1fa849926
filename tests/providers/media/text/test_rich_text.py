from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from tests.providers.media.text.pictures import (
    FRAME,
    drawn,
    ink,
    line_count,
    matching,
    pillow_width,
    refusal,
    rich,
    shown,
)

OPEN_SANS = "open-sans/OpenSans.ttf"
WHITE, RED, BLUE = (255, 255, 255), (255, 0, 0), (0, 0, 255)


def test_the_picture_has_the_size_of_the_clips_box_or_else_of_the_frame() -> None:
    assert drawn(rich("pear"), box_px=(120, 60)).shape == (60, 120, 4)
    assert drawn(rich("pear"), box_px=(None, None)).shape == (FRAME[1], FRAME[0], 4)


def test_colours_are_straight_and_letters_end_in_nothing() -> None:
    pixels = drawn(rich("pear", colour="#FF8000", font={"opacity": 0.5}))
    letters = pixels[pixels[..., 3] > 0]
    assert (letters[:, :3] == (255, 128, 0)).all()
    assert letters[:, 3].max() == 128
    assert pixels[0, 0].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("horizontal", ["left", "center", "right"])
@pytest.mark.parametrize("vertical", ["top", "middle", "bottom"])
def test_ink_stands_where_it_is_aligned_within_the_padding(horizontal: str, vertical: str) -> None:
    align = {"horizontal": horizontal, "vertical": vertical}
    left, top, right, bottom = ink(
        drawn(rich("H", align=align, padding={"left": 30, "top": 20, "right": 10, "bottom": 8}))
    )
    room = {"left": 30, "top": 20, "right": FRAME[0] - 10, "bottom": FRAME[1] - 8}
    # An H of Open Sans is 0.71 of its size high, and keeps about a tenth of it aside.
    across = {"left": left - room["left"], "right": room["right"] - right}
    down = {"top": top - room["top"], "bottom": room["bottom"] - bottom}
    if horizontal == "center":
        assert abs((left + right) - (room["left"] + room["right"])) <= 2
    else:
        assert 0 <= across[horizontal] <= 6
    if vertical == "middle":
        assert abs((top + bottom) - (room["top"] + room["bottom"])) <= 2
    else:
        assert 0 <= down[vertical] <= 14


@pytest.mark.parametrize("weight", [300, 400, 600, 800])
def test_letters_are_as_wide_as_pillow_sets_them(weight: int) -> None:
    left, _, right, _ = ink(drawn(rich("HNHNHN", size=50, font={"weight": weight})), least=64)
    # Without the room beside the first and the last letter.
    assert right - left == pytest.approx(pillow_width("HNHNHN", OPEN_SANS, 50, weight), abs=11)
    assert right - left > pillow_width("HNHNHN", OPEN_SANS, 50, weight) - 12


def test_lines_break_where_measured_words_no_longer_fit() -> None:
    words = ["a", "rather", "long", "header", "that", "needs", "some", "lines"]
    room, lines, line = 300, 1, ""
    for word in words:
        longer = f"{line} {word}".strip()
        if pillow_width(longer, OPEN_SANS, 40, 400) > room:
            lines, longer = lines + 1, word
        line = longer
    assert line_count(drawn(rich(" ".join(words), style={"lineHeight": 1.5}), box_px=(room, 600))) == lines


def test_line_breaks_are_kept_and_a_word_without_room_is_broken() -> None:
    assert line_count(drawn(rich("one\r\ntwo\n\nthree"), box_px=(400, 300))) == 3
    pixels = drawn(rich("Donaudampfschifffahrt"), box_px=(200, 240))
    left, _, right, _ = ink(pixels)
    assert left >= 0
    assert right <= 200
    assert line_count(pixels) >= 2


def test_the_line_height_is_the_distance_of_baselines() -> None:
    def second_line(line_height: float) -> int:
        rows = (drawn(rich("H\nH", style={"lineHeight": line_height}))[..., 3] > 128).any(axis=1)
        starts = np.nonzero(np.diff(rows.astype(int), prepend=0) == 1)[0]
        return int(starts[1] - starts[0])

    assert second_line(1.5) == 60
    assert second_line(2) == 80


def test_letter_and_word_spacing_widen_a_line_by_their_number() -> None:
    def width(**style: float) -> int:
        left, _, right, _ = ink(drawn(rich("ab cd", style=style)))
        return right - left

    assert width(letterSpacing=5) - width() == pytest.approx(4 * 5, abs=1)
    assert width(wordSpacing=9) - width() == pytest.approx(9, abs=1)


@pytest.mark.parametrize(
    ("transform", "same"), [("uppercase", "DON'T STOP"), ("lowercase", "don't stop"), ("capitalize", "Don't Stop")]
)
def test_cases_are_changed(transform: str, same: str) -> None:
    assert (drawn(rich("don't stop", style={"textTransform": transform})) == drawn(rich(same))).all()


def test_an_underline_runs_below_and_a_strike_through_the_letters() -> None:
    added = {}
    for decoration in ("underline", "line-through"):
        plain, changed = drawn(rich("nnn")), drawn(rich("nnn", style={"textDecoration": decoration}))
        added[decoration] = np.nonzero((changed[..., 3] > plain[..., 3]).any(axis=1))[0]
    _, top, _, baseline = ink(drawn(rich("nnn")))
    assert added["underline"].min() > baseline
    assert top < added["line-through"].min() < added["line-through"].max() < baseline


@pytest.mark.parametrize(("angle", "axis"), [(0, 1), (90, 0)])
def test_a_gradient_runs_along_its_angle_from_the_first_stop_to_the_last(angle: int, axis: int) -> None:
    stops = [{"offset": 0, "color": "#FF0000"}, {"offset": 1, "color": "#0000FF"}]
    pixels = drawn(rich("HHHH\nHHHH\nHHHH", style={"gradient": {"angle": angle, "stops": stops}}))
    inked = pixels[..., 3] > 250
    places = np.nonzero(inked)[axis]
    red = pixels[..., 0][inked].astype(float)
    blue = pixels[..., 2][inked].astype(float)
    assert np.corrcoef(places, red)[0, 1] < -0.99
    assert np.corrcoef(places, blue)[0, 1] > 0.99
    assert np.abs(red + blue - 255).max() <= 2


def test_a_gradient_reaches_its_ends_at_the_letters_edges() -> None:
    stops = [{"offset": 0, "color": "#FF0000"}, {"offset": 1, "color": "#0000FF"}]
    pixels = drawn(rich("IMMMMI", style={"gradient": {"stops": stops}}))
    left, top, right, bottom = ink(pixels, least=250)
    middle = (top + bottom) // 2
    assert np.abs(pixels[middle, left, :3].astype(int) - RED).max() < 12
    assert np.abs(pixels[middle, right - 1, :3].astype(int) - BLUE).max() < 12


def test_a_radial_gradient_begins_in_the_middle() -> None:
    stops = [{"offset": 0, "color": "#FF0000"}, {"offset": 1, "color": "#0000FF"}]
    pixels = drawn(rich("IMMMIMMMI", size=60, style={"gradient": {"type": "radial", "stops": stops}}))
    inked = np.nonzero(pixels[..., 3] > 250)
    from_middle = np.hypot(inked[1] - FRAME[0] / 2, inked[0] - FRAME[1] / 2)
    assert np.corrcoef(from_middle, pixels[..., 2][inked])[0, 1] > 0.99


def test_a_stroke_is_a_ring_of_half_its_width_outside_the_letters() -> None:
    plain = drawn(rich("o", size=120))
    pixels = drawn(rich("o", size=120, stroke={"width": 12, "color": "#FF0000"}))
    fill, ring = matching(pixels, WHITE), matching(pixels, RED)
    assert (fill == (plain[..., 3] > 247)).mean() > 0.999
    before, after = ink(plain), ink(pixels)
    assert [after[0] - before[0], after[1] - before[1], after[2] - before[2], after[3] - before[3]] == [-6, -6, 6, 6]
    # The hole of the o has a ring, too.
    assert ring[120, 200 - 18 : 200 + 18].any()


def test_a_stroke_does_not_show_through_letters_that_are_half_clear() -> None:
    pixels = drawn(rich("H", size=120, font={"opacity": 0.5}, stroke={"width": 6, "color": "#FF0000"}))
    left, top, _, _ = ink(drawn(rich("H", size=120)))
    assert pixels[top + 10, left + 5].tolist() == [255, 255, 255, 128]


def test_a_clear_stroke_leaves_no_rim() -> None:
    clear = drawn(rich("o", size=120, stroke={"width": 8, "color": "#000000", "opacity": 0}))
    assert (np.abs(clear.astype(int) - drawn(rich("o", size=120))).max(axis=(0, 1)) <= 2).all()


def test_a_shadow_is_the_letters_moved_and_under_them() -> None:
    plain = drawn(rich("pear"))[..., 3]
    shadow = {"offsetX": 9, "offsetY": -7, "color": "#0000FF", "opacity": 0.5}
    pixels = drawn(rich("pear", shadow=shadow))
    clear = plain == 0
    moved = np.roll(plain, (-7, 9), axis=(0, 1))
    assert np.abs(pixels[..., 3][clear].astype(int) - (moved[clear] * 0.5)).max() <= 1
    assert (pixels[plain == 255][:, :3] == 255).all()


def test_a_blur_of_twice_its_deviation_softens_the_shadow() -> None:
    shadow = {"blur": 16, "opacity": 1, "color": "#000000"}
    hard, soft = (drawn(rich("I", size=120, shadow={**shadow, "blur": blur, "offsetX": 80})) for blur in (0, 16))
    profile = soft[120, 220:380, 3].astype(float)
    edge = hard[120, 220:380, 3].astype(float)
    middle = float((np.arange(160) * edge).sum() / edge.sum())
    spread = np.sqrt((profile * (np.arange(160) - middle) ** 2).sum() / profile.sum())
    width = edge.sum() / 255
    assert spread == pytest.approx(np.sqrt(8**2 + width**2 / 12), rel=0.06)


def test_a_background_fills_the_box_with_round_corners() -> None:
    background = {"color": "#0000FF", "opacity": 0.5, "borderRadius": 40}
    pixels = drawn(rich("", background=background))
    assert pixels[120, 0].tolist() == [0, 0, 255, 128]
    assert pixels[0, 0, 3] == 0
    # A quarter of a circle is missing from each corner.
    missing = 1 - (pixels[..., 3] / 128).sum() / (400 * 240)
    assert missing == pytest.approx((4 - np.pi) * 40**2 / (400 * 240), rel=0.02)


def test_a_border_lies_within_the_edge_and_moves_the_text() -> None:
    border = {"width": 10, "color": "#FF0000", "opacity": 0.5}
    pixels = drawn(rich("H", align={"horizontal": "left"}, background={"color": "#0000FF"}, border=border))
    assert pixels[100, 0].tolist() == [255, 0, 0, 128]
    assert pixels[100, 9].tolist() == [255, 0, 0, 128]
    assert pixels[100, 10].tolist() == [0, 0, 255, 255]
    plain = ink(drawn(rich("H", align={"horizontal": "left"})))
    _, columns = np.nonzero(matching(pixels, WHITE))
    assert columns.min() == plain[0] + 10


def test_a_pill_hugs_the_letters_with_its_padding() -> None:
    letters = ink(drawn(rich("pear")), least=1)
    pill = drawn(rich("pear", background={"color": "#0000FF", "wrap": True, "padding": 12}))
    assert np.abs(np.subtract(ink(pill, least=1), letters) - (-12, -12, 12, 12)).max() <= 1
    usual = drawn(rich("pear", background={"color": "#0000FF", "wrap": True}))
    assert letters[0] - ink(usual, least=1)[0] == pytest.approx(0.12 * 40, abs=1.01)


def test_words_are_marked_line_by_line() -> None:
    pixels = drawn(rich("wide line\nno", font={"background": "#FFFF00"}, colour="#000000"))
    marked = matching(pixels, (255, 255, 0))
    widths = [int(row.sum()) for row in marked if row.any()]
    assert max(widths[:10]) > 2 * max(widths[-10:])


@pytest.mark.parametrize("style", ["character", "word"])
def test_a_typewriter_adds_letters_or_words_until_its_duration(style: str) -> None:
    animation = {"preset": "typewriter", "duration": 1, "style": style}
    asset = rich("ab cd ef", animation=animation, background={"color": "#0000FF"})
    stills = shown(asset, length_s=3)
    assert len(stills) == {"character": 8 + 1, "word": 3 + 1}[style]
    assert (stills[0].start_s, stills[-1].start_s, stills[-1].end_s) == (0, 1, 3)
    assert all(one.end_s == pytest.approx(after.start_s) for one, after in pairwise(stills))
    counts = [int(matching(np.asarray(one.picture), WHITE).sum()) for one in stills]
    assert counts[0] == 0
    assert counts == sorted(counts)
    assert (np.asarray(stills[-1].picture) == drawn(rich("ab cd ef", background={"color": "#0000FF"}))).all()


def test_letters_do_not_move_while_they_are_typed() -> None:
    stills = shown(rich("abc", animation={"preset": "typewriter", "duration": 1}))
    whole = np.asarray(stills[-1].picture)
    half = np.asarray(stills[2].picture)
    assert ink(half)[0] == ink(whole)[0]
    assert (half[half[..., 3] == 255] == whole[half[..., 3] == 255]).all()


def test_a_typewriter_without_duration_types_thirty_letters_a_second() -> None:
    stills = shown(rich("x" * 45, size=12, animation={"preset": "typewriter"}), length_s=4)
    assert stills[-1].start_s == pytest.approx(1.5)
    assert shown(rich("x" * 45, size=12, animation={"preset": "typewriter"}), length_s=1)[-1].start_s == 0.9


def test_stills_end_with_the_clip() -> None:
    stills = shown(rich("abcdef", animation={"preset": "typewriter", "duration": 10}), length_s=2)
    assert stills[-1].end_s == 2
    assert ink(np.asarray(stills[-1].picture))[2] < ink(drawn(rich("abcdef")))[2]


def test_a_fade_in_raises_the_opacity() -> None:
    stills = shown(rich("pear", animation={"preset": "fadeIn", "duration": 0.5}), length_s=2)
    tops = [int(np.asarray(one.picture)[..., 3].max()) for one in stills]
    assert tops == sorted(tops)
    assert (tops[0] < 64, tops[-1], stills[-1].start_s) == (True, 255, 0.5)


@pytest.mark.parametrize(
    ("change", "path", "word"),
    [
        ({"animation": {"preset": "slideIn", "direction": "left"}}, "animation.preset", "typewriter"),
        ({"animation": {"preset": "movingLetters"}}, "animation.preset", "fadeIn"),
        ({"animation": {"preset": "fadeIn", "style": "word"}}, "animation.style", "leave it out"),
        ({"animation": {"preset": "typewriter", "direction": "up"}}, "animation.direction", "leave it out"),
        ({"font": {"family": "Comic Sans"}}, "font.family", "Montserrat"),
        ({"text": "a \U00012000 b"}, "text", "CUNEIFORM SIGN A"),
        ({"stroke": {"width": 900}}, "stroke.width", "at most 100"),
        ({"shadow": {"blur": 9000}}, "shadow", "at most 500"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_its_path(change: dict[str, Any], path: str, word: str) -> None:
    error = refusal({**rich("pear"), **change})
    assert error.detail["path"] == path
    assert word in error.message


def test_the_same_text_gives_the_same_bytes() -> None:
    asset = rich("pear 🍐 مرحبا", stroke={"width": 3}, shadow={"blur": 9, "offsetX": 2})
    digests = {hashlib.sha256(shown(asset)[0].picture.tobytes()).hexdigest() for _ in range(3)}
    assert len(digests) == 1


def test_text_far_outside_its_box_costs_no_more_than_the_box() -> None:
    asset = rich("word " * 900, size=200, stroke={"width": 8}, shadow={"blur": 40, "offsetX": 40})
    assert drawn(asset, box_px=(40, 40)).shape == (40, 40, 4)
