"""How well the search finds, on judged queries in BEIR's file layout."""

from __future__ import annotations

import csv
import json
import math
import time
from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from django.db import connection, transaction

from myloware.kernel.errors import InvalidInput

from .embeddings import current_model
from .ingest import BATCH, Draft, Key, analyze, ingest, store
from .models import DocumentMetadata
from .passages import cut
from .search import GOOD_SCORE, combined, lexical_of, look, ranked, vector_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from uuid import UUID

    from .search import Candidate, Legs

LEGS = ("vector", "lexical", "fused")
# Of each leg so many ranks count as one (Cormack and others 2009).
RRF = 60
RESAMPLES = 2_000


class Query(NamedTuple):
    """A judged query. ``grades`` are 1-3 by document; without any, nothing answers it."""

    text: str
    kind: str
    scope: dict[str, str]
    grades: dict[str, int]


class Outcome(NamedTuple):
    """What one query gave: documents by ranking, best first, the best passage's score, and seconds by leg.

    ``exact`` is the share of the ten truly nearest passages among the ten that the vector index found.
    """

    query: Query
    rankings: dict[str, list[str]]
    best: float
    seconds: dict[str, float]
    exact: float


# --- Reading


def queries_in(folder: Path, split: str = "test") -> list[Query]:
    """The judged queries of ``queries.jsonl`` and ``qrels/<split>.tsv``. Raises ``InvalidInput`` without the files."""
    grades: dict[str, dict[str, int]] = defaultdict(dict)
    for row in _table(folder / "qrels" / f"{split}.tsv"):
        if int(row["score"]) > 0:
            grades[row["query-id"]][row["corpus-id"]] = int(row["score"])
    return [
        Query(line["text"], kind, _scope(line.get("metadata") or {}), grades.get(line["_id"], {}))
        for line in _lines(folder / "queries.jsonl")
        if (kind := (line.get("metadata") or {}).get("kind", "")) == "none" or line["_id"] in grades
    ]


def _scope(metadata: Mapping[str, str]) -> dict[str, str]:
    return {name: metadata[name] for name in ("project", "persona") if name in metadata}


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    with _open(file) as lines:
        yield from (json.loads(line) for line in lines if line.strip())


def _table(file: Path) -> Iterator[dict[str, str]]:
    with _open(file) as lines:
        yield from csv.DictReader(lines, delimiter="\t")


def _open(file: Path) -> Any:
    if not file.is_file():
        raise InvalidInput(f"There is no {file}: a corpus has corpus.jsonl, queries.jsonl and qrels/*.tsv.")
    return file.open(encoding="utf-8")


def load(folder: Path) -> None:
    """Stores ``corpus.jsonl``, or the documents below ``folder`` where there is none."""
    if (folder / "corpus.jsonl").is_file():
        for _ in store(_batches(_lines(folder / "corpus.jsonl")), model=current_model()):
            pass
    else:
        ingest(folder)
    # Autovacuum sees no temporary tables.
    analyze()


def _batches(lines: Iterator[dict[str, Any]]) -> Iterator[list[Draft]]:
    while batch := [_draft(line) for line in islice(lines, BATCH)]:
        yield batch


def _draft(line: dict[str, Any]) -> Draft:
    title = line.get("title") or ""
    return Draft(Key("", "", line["_id"]), _values(title), cut(title, line["text"] or title))


def _values(title: str) -> dict[str, Any]:
    return {"title": title[:200], "metadata": DocumentMetadata(), "folder": "", "checksum": "", "content_type": ""}


# --- Asking


def ask(query: Query) -> Outcome:
    """Searches once, and once more without the vector index."""
    started = time.perf_counter()
    legs = look(query.text, **query.scope)
    found = ranked(query.text, legs)
    took = time.perf_counter() - started
    rankings = {"vector": legs.vector, "lexical": legs.lexical, "fused": found} | _others(legs)
    return Outcome(
        query,
        {name: _documents(ranking) for name, ranking in rankings.items()},
        max((each.score for each in found), default=0.0),
        {"vector": legs.vector_s, "lexical": legs.lexical_s, "fused": took},
        exact_share(legs, query.text, query.scope),
    )


def _others(legs: Legs) -> dict[str, list[Candidate]]:
    """What else one could make of the two legs, by name."""
    every = legs.every
    vector, lexical = vector_of(every), lexical_of(every)
    ranks = _rrf(legs)
    return {
        "not reranked": legs.fused,
        "that, both alike": combined(every, (1, lexical), (1, vector)),
        "that, words twice": combined(every, (2, lexical), (1, vector)),
        "scores as they are": sorted(every, key=lambda each: -each.score),
        "ranks (RRF)": sorted(every, key=lambda each: -ranks[each.chunk_id]),
    }


def _rrf(legs: Legs) -> dict[UUID, float]:
    ranks: dict[UUID, float] = defaultdict(float)
    for leg in (legs.vector, legs.lexical):
        for rank, each in enumerate(leg, start=1):
            ranks[each.chunk_id] += 1 / (RRF + rank)
    return ranks


def exact_share(legs: Legs, text: str, scope: dict[str, str]) -> float:
    """The share of the ten truly nearest passages among the ten that the vector leg found."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_indexscan = off")
        exact = look(text, **scope)
    return _share(_ten(legs), _ten(exact))


def _ten(legs: Legs) -> list[UUID]:
    return [each.chunk_id for each in legs.vector[:10]]


def _share(found: Sequence[Any], wanted: Sequence[Any]) -> float:
    return len(set(found) & set(wanted)) / len(wanted) if wanted else 1.0


def _documents(found: Sequence[Candidate]) -> list[str]:
    return list(dict.fromkeys(each.path for each in found))


# --- Measuring


def ndcg_at_10(ranking: Sequence[str], grades: Mapping[str, int]) -> float:
    """Discounted gain of the first ten over that of the best possible ten; gains are the grades, as in trec_eval."""
    best = sorted(grades.values(), reverse=True)
    return _gain(grades.get(each, 0) for each in ranking[:10]) / _gain(iter(best[:10]))


def _gain(grades: Iterator[int]) -> float:
    return sum(grade / math.log2(rank + 1) for rank, grade in enumerate(grades, start=1))


def recall_at_20(ranking: Sequence[str], grades: Mapping[str, int]) -> float:
    return _share(ranking[:20], list(grades))


def reciprocal_rank(ranking: Sequence[str], grades: Mapping[str, int]) -> float:
    return next((1 / rank for rank, each in enumerate(ranking, start=1) if each in grades), 0.0)


MEASURES: dict[str, Callable[[Sequence[str], Mapping[str, int]], float]] = {
    "ndcg_at_10": ndcg_at_10,
    "recall_at_20": recall_at_20,
    "mrr": reciprocal_rank,
}


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Means by leg, milliseconds, the lead of the fused ranking with 95 % intervals, and how often silence was right.

    ``fused`` is what a search returns, and ``compared`` the nDCG@10 of other ways to fuse the same passages.

    ``false_answer_rate``: unanswerable queries with a good passage; ``missed_answer_rate``: answerable ones without.
    """
    answerable = [each for each in outcomes if each.query.grades]
    none = [each for each in outcomes if not each.query.grades]
    result: dict[str, Any] = {leg: _leg(leg, answerable, outcomes) for leg in LEGS}
    gains = {leg: np.array([_measured("ndcg_at_10", leg, each) for each in answerable]) for leg in LEGS}
    result["lead"] = {leg: interval(gains["fused"] - gains[leg]) for leg in ("vector", "lexical")}
    result["compared"] = {name: _ndcg(name, answerable) for name in outcomes[0].rankings if name not in LEGS}
    result["false_answer_rate"] = _rate(none, lambda each: each.best >= GOOD_SCORE)
    result["missed_answer_rate"] = _rate(answerable, lambda each: each.best < GOOD_SCORE)
    result["exact_recall_at_10"] = float(np.mean([each.exact for each in outcomes]))
    filtered = [each.exact for each in outcomes if each.query.scope]
    result["filtered_recall_at_10"] = float(np.mean(filtered)) if filtered else None
    result["by_kind"] = {kind: _by_kind(kind, answerable) for kind in sorted({each.query.kind for each in answerable})}
    result["queries"] = len(outcomes)
    return result


def _leg(leg: str, answerable: Sequence[Outcome], outcomes: Sequence[Outcome]) -> dict[str, float]:
    means = {name: float(np.mean([_measured(name, leg, each) for each in answerable])) for name in MEASURES}
    times = np.array([each.seconds[leg] * 1000 for each in outcomes])
    return means | {f"p{share}_ms": float(np.percentile(times, share)) for share in (50, 95)}


def _by_kind(kind: str, answerable: Sequence[Outcome]) -> dict[str, float]:
    of_kind = [each for each in answerable if each.query.kind == kind]
    return {leg: _ndcg(leg, of_kind) for leg in LEGS}


def _ndcg(ranking: str, answerable: Sequence[Outcome]) -> float:
    return float(np.mean([_measured("ndcg_at_10", ranking, each) for each in answerable]))


def _measured(name: str, leg: str, outcome: Outcome) -> float:
    return MEASURES[name](outcome.rankings[leg], outcome.query.grades)


def _rate(outcomes: Sequence[Outcome], wrong: Callable[[Outcome], bool]) -> float | None:
    return sum(map(wrong, outcomes)) / len(outcomes) if outcomes else None


def interval(differences: Any) -> dict[str, float]:
    """Mean of paired differences and its 95 % interval, from resampled queries; the same each time."""
    dice = np.random.default_rng(0)
    means = dice.choice(differences, (RESAMPLES, len(differences))).mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return {"mean": float(np.mean(differences)), "low": float(low), "high": float(high)}
