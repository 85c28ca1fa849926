"""BM25 in PostgreSQL: which words a query has, how rare they are, and passages that share the rare ones.

A passage's side of the formula (saturated counts, normalised by length) is stored with it as a sparse vector, worked
out by ``kb_weights`` (``migrations/0002``); a query's side is the rarity of its words, from ``kb_terms``.  Their inner
product is the score.
"""

from __future__ import annotations

import math
import string
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from django.db import connection
from pgvector import SparseVector

from .models import EVERY, TERM_DIMENSIONS, TEXT_SEARCH

if TYPE_CHECKING:
    from collections.abc import Iterable

# A word of a passage counts at most so much, however often it stands there (k1 + 1).
MOST = 2.2
# Passages that are compared at most for their words: rarer words are looked up first.
MAX_CANDIDATES = 2_000
# Shorter words have too many neighbours at one letter's distance.
MIN_MISSPELT = 5

IN_QUERY = """
SELECT lexeme, coalesce(passages, 0), kb_dimension(lexeme)
FROM unnest(tsvector_to_array(to_tsvector(%s::regconfig, %s)) || %s::text[]) AS lexeme LEFT JOIN kb_terms USING (lexeme)
"""


class Word(NamedTuple):
    """A lexeme of a query, the passages that have it, and its place among the sparse dimensions, from 1."""

    lexeme: str
    passages: int
    dimension: int


class Words(NamedTuple):
    """A query's lexemes. ``corrected`` are those that stand for a misspelt one; ``unknown`` are in no passage.

    ``total``: passages there are; ``in_scope``: those that may be found.
    """

    known: list[Word]
    corrected: list[str]
    unknown: int
    total: int
    in_scope: int

    def rarity(self, passages: int) -> float:
        """Inverse document frequency, as in BM25, of a word in so many passages; never below 0."""
        return math.log(1 + (self.total - passages + 0.5) / (passages + 0.5))

    @property
    def most(self) -> float:
        """Score of a passage that has every word very often, the unknown ones included."""
        return MOST * (sum(self.rarity(word.passages) for word in self.known) + self.unknown * self.rarity(0))

    @property
    def vector(self) -> SparseVector:
        return SparseVector({word.dimension - 1: self.rarity(word.passages) for word in self.known}, TERM_DIMENSIONS)


def words_of(query: str, project: str = "", persona: str = "") -> Words:
    """Looks up the words of a query; one that no passage has is taken for its most frequent neighbour, if any."""
    scopes = [f"{EVERY}{of}{EVERY}{by}" for of in {"", project} for by in {"", persona}]
    found = _in_query(query, [EVERY, *scopes])
    total, in_scope = found.pop(EVERY).passages, sum(found.pop(scope).passages for scope in scopes)
    known = {word.lexeme: word for word in found.values() if word.passages}
    missing = [word.lexeme for word in found.values() if not word.passages]
    corrections = {lexeme: word for lexeme in missing if (word := _correction(lexeme))}
    known |= {word.lexeme: word for word in corrections.values()}
    corrected = [word.lexeme for word in corrections.values()]
    return Words(list(known.values()), corrected, len(missing) - len(corrections), total, in_scope)


def tsquery(words: Words) -> str:
    """Matches passages with at least one of the rare words; with all of them, where even the rarest is frequent."""
    ordered = sorted(words.known, key=lambda word: word.passages)
    together = list(accumulate(word.passages for word in ordered))
    rare = ordered[: bisect_right(together, MAX_CANDIDATES)]
    return " | ".join(map(_quoted, rare)) or " & ".join(map(_quoted, ordered))


def _quoted(word: Word) -> str:
    """A lexeme as it is stored; PostgreSQL's functions that make queries would take it apart again."""
    return "'" + word.lexeme.replace("\\", "\\\\").replace("'", "''") + "'"


def _in_query(query: str, counts: list[str]) -> dict[str, Word]:
    """The words of the query, and rows that count passages, by lexeme."""
    with connection.cursor() as cursor:
        cursor.execute(IN_QUERY, [TEXT_SEARCH, query, counts])
        return {row[0]: Word(*row) for row in cursor.fetchall()}


def _look_up(lexemes: Iterable[str]) -> list[Word]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT lexeme, passages, kb_dimension(lexeme) FROM kb_terms WHERE lexeme = ANY(%s) AND passages > 0",
            [list(lexemes)],
        )
        return [Word(*row) for row in cursor.fetchall()]


def _correction(lexeme: str) -> Word | None:
    if len(lexeme) < MIN_MISSPELT or not lexeme.isalpha():
        return None
    return max(_look_up(_neighbours(lexeme)), key=lambda word: (word.passages, word.lexeme), default=None)


def _neighbours(word: str) -> set[str]:
    """Everything at the distance of one letter: left out, changed, added, or two of them swapped (Damerau 1964)."""
    cuts = [(word[:place], word[place:]) for place in range(len(word) + 1)]
    shorter = {head + tail[1:] for head, tail in cuts if tail}
    swapped = {head + tail[1] + tail[0] + tail[2:] for head, tail in cuts if len(tail) > 1}
    changed = {head + letter + tail[1:] for head, tail in cuts if tail for letter in string.ascii_lowercase}
    longer = {head + letter + tail for head, tail in cuts for letter in string.ascii_lowercase}
    return shorter | swapped | changed | longer
