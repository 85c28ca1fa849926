"""BM25, as in the literature: rare words count more, long passages less, repeats less and less."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from knowledge import lexical
from knowledge.ingest import ingest
from knowledge.lexical import words_of
from knowledge.models import EVERY, Document, Term
from knowledge.search import look, search

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Write


def scores(query: str) -> dict[str, float]:
    """Score of the lexical leg by path, as BM25 gives it."""
    return {each.path: each.lexical * words_of(query).most for each in look(query).lexical}


def counts() -> dict[str, int]:
    return dict(Term.objects.filter(passages__gt=0).values_list("lexeme", "passages"))


def test_scores_are_those_of_the_formula(folder: Path, write: Write) -> None:
    write("a.txt", "candle candle wax")
    write("b.txt", "wax and a wick")
    write("c.txt", "nothing of it")
    ingest(folder)
    # The title, from the name, counts twice: "a" is no word, "b" and "c" are. k1 = 1.2, b = 0.75, usual length 100.
    idf = math.log(1 + (3 - 1 + 0.5) / (1 + 0.5))
    weight = 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 3 / 100))
    assert scores("candle") == {"a.txt": pytest.approx(idf * weight, rel=1e-3)}


def test_a_rare_word_counts_more_than_a_common_one(folder: Path, write: Write) -> None:
    for number in range(8):
        write(f"{number}.txt", "candle on a table")
    write("rare.txt", "obsidian on a table")
    ingest(folder)
    found = scores("candle obsidian")
    assert max(found, key=lambda path: found[path]) == "rare.txt"
    assert found["rare.txt"] > 2 * found["0.txt"]


def test_of_two_passages_with_a_word_the_shorter_is_first(folder: Path, write: Write) -> None:
    write("long.txt", "candle " + "drawer window carpet ladder " * 20)
    write("short.txt", "candle drawer")
    ingest(folder)
    found = scores("candle")
    assert found["short.txt"] > 1.3 * found["long.txt"]


def test_repeats_count_less_and_less(folder: Path, write: Write) -> None:
    for times in (1, 2, 20):
        write(f"times-{times}.txt", "candle " * times + "drawer " * (20 - times))
    ingest(folder)
    once, twice, often = (scores("candle")[f"times-{times}.txt"] for times in (1, 2, 20))
    assert once < twice < often < 2 * twice


def test_words_are_counted_as_documents_come_change_and_go(folder: Path, write: Write) -> None:
    write("a.txt", "candle")
    changing = write("b.txt", "candle and wax")
    ingest(folder)
    assert (counts()["candl"], counts()["wax"], counts()[EVERY]) == (2, 1, 2)
    changing.write_text("a wick")
    ingest(folder)
    assert (counts()["candl"], counts()["wick"], counts()[EVERY]) == (1, 1, 2)
    assert "wax" not in counts()
    Document.objects.all().delete()
    assert counts() == {}


def test_passages_are_counted_by_scope(folder: Path, write: Write) -> None:
    for path in ("a.txt", "projects/one/a.txt", "projects/one/b.txt", "personas/iggy/a.txt", "projects/two/a.txt"):
        write(path, "candle")
    ingest(folder)
    assert [words_of("wax", *scope).in_scope for scope in (("", ""), ("one", ""), ("one", "iggy"))] == [1, 3, 4]
    assert words_of("wax").total == 5
    Document.objects.filter(project="one").delete()
    assert words_of("wax", "one").in_scope == 1


def test_a_misspelt_word_is_taken_for_its_neighbour(shipped: Path) -> None:
    assert words_of("whipser").corrected == ["whisper"]
    assert words_of("qqqqqqq").unknown == 1
    assert search(["whipser"])[0].path == "craft/whisper-timing.md"


def test_where_every_word_is_common_passages_with_all_of_them_are_compared(
    folder: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lexical, "MAX_CANDIDATES", 2)
    for number in range(4):
        write(f"{number}.txt", "candle drawer" if number else "candle drawer wax")
    write("other.txt", "wax")
    ingest(folder)
    assert set(scores("candle drawer")) == {f"{number}.txt" for number in range(4)}
    assert set(scores("candle wax")) == {"0.txt", "other.txt"}


@pytest.mark.django_db(transaction=True)
def test_counts_by_scope_can_be_taken_back_and_made_anew(folder: Path, write: Write) -> None:
    write("projects/one/a.txt", "candle")
    ingest(folder)
    before, latest = counts(), MigrationExecutor(connection).loader.graph.leaf_nodes()
    MigrationExecutor(connection).migrate([("knowledge", "0003_usage")])
    try:
        assert counts() == {EVERY: 1, "candl": 1}
        Document.objects.all().delete()
        assert counts() == {}
    finally:
        MigrationExecutor(connection).migrate(latest)
    ingest(folder)
    assert counts() == before
