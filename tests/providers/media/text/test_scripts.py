"""Emoji, writing from the right, writing without blanks, and letters that the wanted font does not have."""

from __future__ import annotations

import numpy as np
import pytest

from providers.media.text.fonts import Cut, Wish
from providers.media.text.lines import set_lines
from providers.media.text.shaping import Cluster, Look, cleaned, shape
from tests.providers.media.text.pictures import BOOK, Pixels, drawn, ink, matching, refusal, rich


def _look(family: str = "Open Sans", size: float = 40) -> Look:
    return Look(BOOK.chain(family, Wish(), path="font.family"), size, (255, 255, 255, 255))


def _lines(text: str, room: float = 10_000) -> list[str]:
    """Lines as they are seen, from left to right."""
    return ["".join(one.text for one in line.clusters) for line in set_lines([(text, _look())], room, path="text")]


def _clusters(text: str) -> list[Cluster]:
    return shape([(text, _look())], path="text")


def _columns(pixels: Pixels) -> int:
    """How many letters stand apart."""
    return int((np.diff((pixels[..., 3] > 64).any(axis=0).astype(int), prepend=0) == 1).sum())


def test_hebrew_reads_from_the_right() -> None:
    assert _lines("שלום") == ["םולש"]
    # Lamed, the first letter, is the only tall one.
    pixels = drawn(rich("לא", size=60))
    left, top, right, _ = ink(pixels)
    assert np.nonzero(pixels[top + 2, :, 3] > 128)[0].mean() > (left + right) / 2


def test_numbers_and_latin_words_keep_their_direction_among_arabic() -> None:
    seen = _lines("مرحبا 2026 hello")[0]
    assert seen.startswith("hello 2026 ")
    assert seen.endswith("م")


def test_a_paragraph_that_begins_in_latin_runs_from_the_left() -> None:
    assert _lines("say שלום now") == ["say םולש now"]


def test_brackets_are_mirrored_from_the_right() -> None:
    opening, closing = _clusters("(")[0].glyphs[0].id, _clusters(")")[0].glyphs[0].id
    assert opening != closing
    assert next(one for one in _clusters("א(ב") if one.text == "(").glyphs[0].id == closing


def test_marks_of_direction_are_not_drawn() -> None:
    assert (drawn(rich("pear\u200e\u2066 x\u2069")) == drawn(rich("pear x"))).all()


@pytest.mark.parametrize("sign", ["\u2067", "\u2069", "\u200d", "\U0001fae8"])
def test_isolates_and_young_emoji_may_stand_among_hebrew(sign: str) -> None:
    assert _lines(f"שלום {sign} pear")[0].startswith("pear")


def test_arabic_letters_join() -> None:
    joined, apart = drawn(rich("سسس", size=80)), drawn(rich("س س س", size=80))
    assert (_columns(joined), _columns(apart)) == (1, 3)


def test_letter_spacing_does_not_tear_joined_letters() -> None:
    assert _columns(drawn(rich("سسس", size=80, style={"letterSpacing": 20}))) == 1


@pytest.mark.parametrize("emoji", ["🍐", "👩‍🚀", "🇩🇪", "❤️", "1️⃣", "👍🏽"])
def test_an_emoji_is_one_coloured_sign(emoji: str) -> None:
    assert [one.text for one in _clusters(emoji)] == [emoji]
    inked = drawn(rich(emoji, size=80))
    assert not (inked[inked[..., 3] == 255][:, :3] == 255).all()
    left, top, right, bottom = ink(inked)
    assert 40 < right - left < 110
    assert 40 < bottom - top < 100


def test_emoji_are_as_clear_as_their_text_and_cast_its_shadow() -> None:
    half = drawn(rich("🍐", size=80, font={"opacity": 0.5}))
    assert half[..., 3].max() == 128
    shadow = drawn(rich("🍐", size=80, shadow={"offsetX": 100, "opacity": 1, "color": "#0000FF"}))
    assert matching(shadow, (0, 0, 255))[:, 260:].sum() > 1000


def test_the_emoji_family_leaves_letters_and_digits_to_others() -> None:
    assert drawn(rich("A1", font={"family": "NotoEmoji"}))[..., 3].any(axis=0).sum() > 20
    inked = drawn(rich("♥", size=80, font={"family": "NotoEmoji"}))
    assert not (inked[inked[..., 3] == 255][:, :3] == 255).all()


def test_signs_that_may_be_text_are_text() -> None:
    pixels = drawn(rich("© ™ 12#"))
    assert (pixels[pixels[..., 3] > 0][:, :3] == 255).all()


def test_chinese_japanese_and_korean_break_between_letters_but_not_before_a_stop() -> None:
    assert _lines("日本語のテキスト。", 40 * 4) == ["日本語の", "テキス", "ト。"]
    assert _lines("「日本」", 40 * 2.2) == ["「日", "本」"]
    assert _lines("한국어 글꼴", 130) == ["한국어", "글꼴"]


@pytest.mark.parametrize(
    ("text", "room", "lines"),
    [
        ("well-known pear", 150, ["well-", "known", "pear"]),
        ("and/or", 90, ["and/", "or"]),
        ("here\u2014there", 130, ["here\u2014", "there"]),
        ("3.14 -5", 60, ["3.1", "4", "-5"]),
        ("10\u00a0km far", 140, ["10\u00a0km", "far"]),
    ],
)
def test_words_break_where_the_language_allows_it(text: str, room: float, lines: list[str]) -> None:
    assert _lines(text, room) == lines


@pytest.mark.parametrize("text", ["नमस्ते", "สวัสดี", "Привет", "Γειά", "Việt", "ą̊", "→ ★ ♪ ✓", "₹ €"])
def test_what_the_wanted_font_lacks_comes_from_another(text: str) -> None:
    look = _look("Permanent Marker")
    for cluster in shape([(text, look)], path="text"):
        assert all(glyph.id for glyph in cluster.glyphs), cluster.text


def test_a_mark_stays_in_the_font_of_its_letter() -> None:
    cuts: set[Cut] = {one.cut for one in _clusters("ą̊x")}
    assert len(cuts) == 1


@pytest.mark.parametrize(("text", "named"), [("x\ue000", "unnamed"), ("\U00012000", "CUNEIFORM SIGN A")])
def test_a_letter_that_no_font_has_is_named(text: str, named: str) -> None:
    error = refusal(rich(text))
    assert error.detail["path"] == "text"
    assert named in error.message


def test_control_characters_are_left_out_and_line_breaks_are_all_alike() -> None:
    assert cleaned("a\x00b\tc\r\nd\u2028e\n") == "ab c\nd\ne\n"


def test_devanagari_is_shaped_into_syllables() -> None:
    assert len(_clusters("नमस्ते")) < len("नमस्ते")


def test_latin_ligatures_give_way_to_letter_spacing() -> None:
    look = _look("Roboto")
    spaced = Look(look.chain, 40, look.colour, letter_px=3)
    assert len(shape([("office", spaced)], path="text")) == 6
