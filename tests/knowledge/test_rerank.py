"""The last order: word by word, and only if that is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from knowledge import search
from knowledge.embeddings import local
from knowledge.search import find, look, ranked

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django import Settings

QUERY = "does the policy cover a flooded cellar"


def test_the_same_words_are_most_alike_and_like_ones_more_than_others() -> None:
    same, like, other, nothing = local().likeness(
        QUERY, [QUERY.upper(), "insured if a basement is under water?", "two dogs sing", ""]
    )
    assert same == pytest.approx(1, abs=1e-5)
    assert same > like + 0.2 > other + 0.25
    assert nothing == 0


def test_a_long_text_is_as_alike_as_its_best_words() -> None:
    short, long = local().likeness(QUERY, [QUERY, f"{'two dogs sing ' * 80}{QUERY}"])
    assert long == pytest.approx(short, abs=1e-5)


def test_nothing_is_like_nothing() -> None:
    assert local().likeness(QUERY, []) == []
    assert local().likeness(" ", ["a candle"]) == [0]


def test_it_changes_the_order_of_the_first_and_loses_none(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "RERANKED", 5)
    legs = look(QUERY)
    fused, last = legs.fused, ranked(QUERY, legs)
    assert fused[:5] != last[:5]
    assert set(fused[:5]) == set(last[:5])
    assert fused[5:] == last[5:]


def test_it_can_be_switched_off(shipped: Path, settings: Settings) -> None:
    order = [each.chunk_id for each in ranked(QUERY, look(QUERY))]
    assert [hit.chunk_id for hit in find([QUERY], k=5).hits] == order[:5]
    settings.KNOWLEDGE = settings.KNOWLEDGE.model_copy(update={"kb_rerank": False})
    fused = [each.chunk_id for each in look(QUERY).fused]
    assert [hit.chunk_id for hit in find([QUERY], k=5).hits] == fused[:5] != order[:5]
