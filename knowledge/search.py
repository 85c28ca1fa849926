"""Finds passages: nearest by meaning, best by words, fused by rank."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from django.contrib.postgres.search import SearchQuery, SearchRank
from django.db import connection, transaction
from django.db.models import F
from pgvector import HalfVector
from pgvector.django import CosineDistance
from prometheus_client import Histogram
from pydantic import BaseModel, ConfigDict

from myloware.kernel.errors import InvalidInput

from .embeddings import current_model, embed
from .models import TEXT_SEARCH, Chunk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from django.db.models import QuerySet

    from .embeddings import Vector

MAX_HITS = 50
# How deep each leg is read, and how much the first ranks count for more than the later ones (Cormack et al. 2009: 60).
DEPTH = 50
RANK_OFFSET = 60

SEARCH_SECONDS = Histogram("kb_search_seconds", "Time of a knowledge base search", ["project", "persona"])


class Hit(BaseModel):
    """One passage. Hits come best first; ``score`` is the cosine similarity, 0-1, to the nearest of the queries."""

    model_config = ConfigDict(frozen=True)

    document: UUID
    path: str
    title: str
    heading: str
    chunk_id: UUID
    score: float
    snippet: str


class Candidate(NamedTuple):
    """A passage in one leg. ``path`` and ``position`` settle ties, so that equal scores always come in one order."""

    chunk_id: UUID
    distance: float
    path: str
    position: int


def search(queries: Sequence[str], *, k: int = 5, project: str | None = None, persona: str | None = None) -> list[Hit]:
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
        model = current_model()
        vectors = embed(wanted, model=model)
        with transaction.atomic():
            _scan_on()
            scope = _in_scope(model, project or "", persona or "")
            legs = [leg for query, vector in zip(wanted, vectors, strict=True) for leg in _legs(scope, query, vector)]
            return _hits(_fused(legs)[:k])


def _scan_on() -> None:
    """Lets an index scan go on until enough rows pass the filters; by default it stops after ``ef_search`` rows."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('hnsw.iterative_scan', 'strict_order', true)")


def _in_scope(model: str, project: str, persona: str) -> QuerySet[Chunk]:
    return Chunk.objects.order_by().filter(embedding_model=model, project__in={"", project}, persona__in={"", persona})


class AnyWord(SearchQuery):
    """Matches texts that share a word with the query, in any of its forms; ``SearchQuery`` would want them all."""

    template = "replace(%(function)s(%(expressions)s)::text, '&', '|')::tsquery"


def _legs(scope: QuerySet[Chunk], query: str, vector: Vector) -> Iterator[list[Candidate]]:
    """The passages nearest to the vector, and those that share the most words with the query."""
    distance = CosineDistance("embedding", HalfVector(vector))
    # An order by anything besides the distance would keep the vector index out, so ties are settled here.
    yield sorted(_candidates(scope, distance, "distance"), key=lambda each: each[1:])
    words = AnyWord(query, config=TEXT_SEARCH)
    # 2 divides by the passage's length: of 0, 1, 2 and 32 the best on our own documents.
    ranked = scope.filter(lexemes=words).annotate(rank=SearchRank(F("lexemes"), words, normalization=2))
    yield _candidates(ranked, distance, "-rank", "document__path", "position")


def _candidates(passages: QuerySet[Chunk], distance: CosineDistance, *order: str) -> list[Candidate]:
    measured = passages.annotate(distance=distance).order_by(*order)
    rows = measured.values_list("id", "distance", "document__path", "position")[:DEPTH]
    return [Candidate(*row) for row in rows]


def _fused(legs: Iterable[list[Candidate]]) -> list[Candidate]:
    """Reciprocal rank fusion: what stands high in several legs comes first; distances are the least of all legs."""
    points: dict[UUID, float] = defaultdict(float)
    nearest: dict[UUID, Candidate] = {}
    for leg in legs:
        for rank, candidate in enumerate(leg, start=1):
            points[candidate.chunk_id] += 1 / (RANK_OFFSET + rank)
            nearest[candidate.chunk_id] = min(nearest.get(candidate.chunk_id, candidate), candidate)
    return sorted(nearest.values(), key=lambda each: (-points[each.chunk_id], each.path, each.position))


def _hits(candidates: Sequence[Candidate]) -> list[Hit]:
    chunks = Chunk.objects.select_related("document").defer("embedding").in_bulk([each.chunk_id for each in candidates])
    # A document that was replaced in this very moment has lost its old passages.
    return [_hit(chunks[each.chunk_id], each.distance) for each in candidates if each.chunk_id in chunks]


def _hit(chunk: Chunk, distance: float) -> Hit:
    return Hit(
        document=chunk.document_id,
        path=chunk.document.path,
        title=chunk.document.title,
        heading=chunk.heading,
        chunk_id=chunk.id,
        score=min(max(1 - distance, 0.0), 1.0),
        snippet=chunk.text,
    )
