"""Finds passages: nearest by meaning, best by words, and both together."""

from __future__ import annotations

import math
import time
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection
from pgvector import HalfVector
from prometheus_client import Histogram
from pydantic import BaseModel, ConfigDict

from myloware.kernel.errors import InvalidInput

from .embeddings import embed, local, readable_models
from .lexical import tsquery, words_of
from .models import Chunk
from .passages import Passage
from .usage import note_found, note_gap

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .embeddings import Vector
    from .lexical import Words

MAX_HITS = 50
# How deep each leg is read.
DEPTH = 50
# So many of both are compared word by word: more would take longer and change little.
RERANKED = 30
# How much each score counts, by what found most in our judged queries and three public collections
# (docs/knowledge.md, "How good it is").
LEXICAL, VECTOR, LIKENESS = 3, 2, 3
# So many passages are compared one by one; an eighth of a larger base, as long as that is not too slow. The vector
# index would have to step over seven others for each of them (benchmarks/kb.py).
FEW, MANY, SHARE = 20_000, 150_000, 8
# Passages that the vector index keeps in sight: more find more of the nearest, and take longer. pgvector allows 1,000.
MIN_SIGHT, MAX_SIGHT = 200, 1_000
# From this score on a passage is likely to answer; of our judged queries without an answer 1 in 34 reaches it.
GOOD_SCORE = 0.27

# Each leg finds its best, and only of those the other measure and the document are read.
BOTH = """
SELECT passage.id, path, position, embedding <=> %(vector)s::halfvec, weights <#> %(weights)s::sparsevec
FROM ({} LIMIT %(depth)s) AS best
JOIN kb_embeddings AS passage ON passage.id = best.id JOIN kb_documents ON kb_documents.id = document_id
"""

SCOPE = """
FROM kb_embeddings WHERE embedding_model = %(model)s AND project IN ('', %(project)s) AND persona IN ('', %(persona)s)
"""

# Reading every passage looks cheap to PostgreSQL, which does not count that the words of each have to be unpacked: the
# index of words is to be taken, as it is where pages cost about the same in any order.
SHARING = """
SELECT set_config('random_page_cost', '1.1', true);
""" + BOTH.format("SELECT id" + SCOPE + "AND lexemes @@ %(words)s::tsquery ORDER BY weights <#> %(weights)s::sparsevec")

# Every passage of the scope; their vectors stand in its index. OFFSET keeps PostgreSQL from taking the vector index.
DISTANCES = "SELECT id, embedding <=> %(vector)s::halfvec AS distance" + SCOPE + "OFFSET 0"
EXACT = BOTH.format("SELECT id FROM (" + DISTANCES + ") AS scope ORDER BY distance")  # noqa: S608 - our own words

# Sent together they are one transaction.  An index scan goes on until enough rows pass the filters; by default it
# stops after ``ef_search`` rows.  Its order may be relaxed, as candidates are sorted anyway; strict order throws away
# what comes late.  An order by anything besides the distance would keep the vector index out.
NEAREST = """
SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('hnsw.ef_search', %(sight)s, true);
""" + BOTH.format("SELECT id" + SCOPE + "ORDER BY embedding <=> %(vector)s::halfvec")

SEARCH_SECONDS = Histogram("kb_search_seconds", "Time of a knowledge base search", ["project", "persona"])


class Hit(BaseModel):
    """One passage. Hits come best first.

    ``vector`` is the cosine similarity and ``lexical`` BM25's share of what the query's words could give, both 0-1;
    ``score`` is their mean.  All are those of the query that fits best.  Scores of two queries compare, and say whether
    the passage is ``good``; the order does not go by them (``ranked``).
    """

    model_config = ConfigDict(frozen=True)

    document: UUID
    path: str
    title: str
    heading: str
    chunk_id: UUID
    score: float
    vector: float
    lexical: float
    good: bool
    snippet: str


class Candidate(NamedTuple):
    """A passage with both scores. ``path`` and ``position`` settle ties, so that they always come in one order."""

    chunk_id: UUID
    path: str
    position: int
    vector: float
    lexical: float

    @property
    def score(self) -> float:
        return (self.vector + self.lexical) / 2


class Legs(NamedTuple):
    """What one query found, each leg best first, and the seconds that each took."""

    vector: list[Candidate]
    lexical: list[Candidate]
    vector_s: float
    lexical_s: float

    @property
    def fused(self) -> list[Candidate]:
        """Each passage of both legs once, by both scores."""
        every = self.every
        return combined(every, (LEXICAL, lexical_of(every)), (VECTOR, vector_of(every)))

    @property
    def every(self) -> list[Candidate]:
        """Each passage of both legs once."""
        return list({each.chunk_id: each for each in (*self.vector, *self.lexical)}.values())


class Found(NamedTuple):
    """Passages, best first, and the queries that none of them is likely to answer."""

    hits: list[Hit]
    unanswered: list[str]


def search(queries: Sequence[str], *, k: int = 5, project: str | None = None, persona: str | None = None) -> list[Hit]:
    """As ``find``, and notes for the knowledge base's page what was found and what was not."""
    found = find(queries, k=k, project=project, persona=persona)
    note_found({hit.document for hit in found.hits})
    for query in found.unanswered:
        note_gap(query, project=project or "", persona=persona or "")
    return found.hits


def find(queries: Sequence[str], *, k: int = 5, project: str | None = None, persona: str | None = None) -> Found:
    """The ``k`` passages that fit ``queries`` taken together, best first, without repeats.

    Looks at what is for everybody, for ``project`` and for ``persona``.  Raises ``InvalidInput`` without a query or
    with ``k`` outside 1-50, and what the embedding model raises.
    """
    # PostgreSQL has no place for the character zero in a text.
    stripped = (query.replace("\0", " ").strip() for query in queries)
    wanted = list(dict.fromkeys(filter(None, stripped)))
    if not wanted or not 1 <= k <= MAX_HITS:
        raise InvalidInput(f"Give at least one query, and a k of 1-{MAX_HITS}.")
    with SEARCH_SECONDS.labels(project or "", persona or "").time():
        found = {query: ranked(query, look(query, project=project or "", persona=persona or "")) for query in wanted}
        unanswered = [query for query in wanted if not any(each.score >= GOOD_SCORE for each in found[query])]
        return Found(_hits(_together(found.values())[:k]), unanswered)


def look(query: str, *, project: str = "", persona: str = "") -> Legs:
    """The legs of one query, over every embedding space that can be asked; distances of two are never compared."""
    started = time.perf_counter()
    words = words_of(query, project, persona)
    lexical_s, vector_s = time.perf_counter() - started, 0.0
    nearest: list[Candidate] = []
    sharing: list[Candidate] = []
    text = " ".join((query, *words.corrected))
    for model in readable_models():
        started = time.perf_counter()
        asked = _asked(model, project, persona, embed([text], model=model)[0], words)
        nearest += _candidates(EXACT if _few(words) else NEAREST, asked, words)
        between = time.perf_counter()
        sharing += _candidates(SHARING, asked, words) if words.known else []
        vector_s += between - started
        lexical_s += time.perf_counter() - between
    nearest.sort(key=lambda each: (-each.vector, each.path, each.position))
    sharing.sort(key=lambda each: (-each.lexical, each.path, each.position))
    return Legs(nearest, sharing, vector_s, lexical_s)


def _asked(model: str, project: str, persona: str, vector: Vector, words: Words) -> dict[str, Any]:
    return {
        "model": model,
        "project": project,
        "persona": persona,
        "vector": HalfVector(vector).to_text(),
        "weights": words.vector.to_text(),
        "words": tsquery(words),
        "depth": DEPTH,
        "sight": str(min(max(MIN_SIGHT, words.in_scope // 1_000), MAX_SIGHT)),
    }


def _few(words: Words) -> bool:
    return words.in_scope <= min(max(FEW, words.total // SHARE), MANY)


def _candidates(statements: str, asked: dict[str, Any], words: Words) -> list[Candidate]:
    with connection.cursor() as cursor:
        cursor.execute(statements, asked)
        while cursor.nextset():
            pass
        most = words.most or 1
        return [
            Candidate(chunk, path, position, _bounded(1 - distance), _bounded(-product / most))
            for chunk, path, position, distance, product in cursor.fetchall()
        ]


def ranked(query: str, legs: Legs) -> list[Candidate]:
    """The fused ranking, its first ``RERANKED`` ordered by likeness to the query, too, unless that is switched off."""
    fused = legs.fused
    if not settings.KNOWLEDGE.kb_rerank:
        return fused
    first = fused[:RERANKED]
    texts = _texts(first)
    alike = local().likeness(query, [texts.get(each.chunk_id, "") for each in first])
    parts = (LEXICAL, lexical_of(first)), (VECTOR, vector_of(first)), (LIKENESS, alike)
    return [*combined(first, *parts), *fused[RERANKED:]]


def _texts(candidates: Sequence[Candidate]) -> dict[UUID, str]:
    rows = Chunk.objects.filter(pk__in=[each.chunk_id for each in candidates]).order_by()
    return {
        chunk: Passage(heading, text).embedded for chunk, heading, text in rows.values_list("pk", "heading", "text")
    }


def combined(candidates: Sequence[Candidate], *parts: tuple[float, Sequence[float]]) -> list[Candidate]:
    """Best first by the weighted sum of scores, each counted in its standard deviations over these passages.

    As they are, cosines lie so close together that words alone would decide.
    """
    columns = [[weight * score for score in _standardised(scores)] for weight, scores in parts]
    order = zip(map(sum, zip(*columns, strict=True)), candidates, strict=True)
    return [each for _, each in sorted(order, key=lambda row: (-row[0], row[1].path, row[1].position))]


def vector_of(candidates: Sequence[Candidate]) -> list[float]:
    return [each.vector for each in candidates]


def lexical_of(candidates: Sequence[Candidate]) -> list[float]:
    return [each.lexical for each in candidates]


def _standardised(scores: Sequence[float]) -> list[float]:
    mean = fmean(scores) if scores else 0
    deviation = math.sqrt(fmean((score - mean) ** 2 for score in scores)) if scores else 0
    return [(score - mean) / (deviation or 1) for score in scores]


def _bounded(score: float) -> float:
    return min(max(score, 0.0), 1.0)


def _together(found: Iterable[list[Candidate]]) -> list[Candidate]:
    """The first of every query, then the second of every query, and so on; each passage once."""
    ranks: dict[UUID, int] = {}
    best: dict[UUID, Candidate] = {}
    for ranking in found:
        for rank, candidate in enumerate(ranking):
            ranks[candidate.chunk_id] = min(rank, ranks.get(candidate.chunk_id, rank))
            known = best.setdefault(candidate.chunk_id, candidate)
            best[candidate.chunk_id] = max(known, candidate, key=lambda each: each.score)
    return sorted(best.values(), key=lambda each: (ranks[each.chunk_id], -each.score, each.path, each.position))


def _hits(candidates: Sequence[Candidate]) -> list[Hit]:
    chunks = (
        Chunk.objects.select_related("document")
        .defer("embedding", "lexemes", "weights")
        .in_bulk([each.chunk_id for each in candidates])
    )
    # A document that was replaced in this very moment has lost its old passages.
    return [_hit(chunks[each.chunk_id], each) for each in candidates if each.chunk_id in chunks]


def _hit(chunk: Chunk, found: Candidate) -> Hit:
    return Hit(
        document=chunk.document_id,
        path=chunk.document.path,
        title=chunk.document.title,
        heading=chunk.heading,
        chunk_id=chunk.id,
        score=found.score,
        vector=found.vector,
        lexical=found.lexical,
        good=found.score >= GOOD_SCORE,
        snippet=chunk.text,
    )
