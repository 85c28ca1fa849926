"""What the offline model understands of a brief."""

from __future__ import annotations

import pytest

from personas.studio.reading import Thing, one_of, things


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Make me a short video about the moon and the sun", [Thing("the", "moon"), Thing("the", "sun")]),
        ("A paper boat crosses a puddle", [Thing("a", "paper boat", "crosses a puddle")]),
        ("A paper boat that sails away", [Thing("a", "paper boat", "that sails away")]),
        ("twelve candles that should not exist", [Thing("", "candles", "that should not exist")]),
        ("a hedgehog bakes bread in a tiny kitchen", [Thing("a", "hedgehog", "bakes bread in a tiny kitchen")]),
        ("A fox made of stars", [Thing("a", "fox", "made of stars")]),
        ("neon city at night, rain on glass", [Thing("a", "neon city", "at night"), Thing("", "rain", "on glass")]),
        ("a simple clip, no editing: a red balloon over the desert", [Thing("a", "red balloon", "over the desert")]),
        ("the moon is a cheeseburger", [Thing("the", "moon", "", "cheeseburger")]),
        ("surreal asmr of an apple with rain inside", [Thing("an", "apple", "with rain inside")]),
        ("a candle, a candle and a candle", [Thing("a", "candle")]),
    ],
)
def test_it_finds_the_things_a_brief_names(text: str, expected: list[Thing]) -> None:
    assert things(text) == expected


@pytest.mark.parametrize(
    ("many", "one"),
    [("candles", "candle"), ("paper boats", "paper boat"), ("berries", "berry"), ("boxes", "box"), ("glass", "glass")],
)
def test_it_knows_one_of_many(many: str, one: str) -> None:
    assert one_of(many) == one


@pytest.mark.parametrize(
    "text", ["", "hi", "test video", "make me a video please", "surreal AISMR", "Something nice!", "12"]
)
def test_it_finds_nothing_where_nothing_is_named(text: str) -> None:
    assert things(text) == []


@pytest.mark.parametrize("text", ["é" * 400, "a " * 200, "😀 🎬", "{{}}<script>", "\x00\n\t", "a" * 400])
def test_it_survives_odd_text(text: str) -> None:
    for thing in things(text):
        assert thing.subject
        assert thing.noun
