"""How well the search finds: measures as in the literature, our own floor, and corpora of others."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from knowledge.evaluation import interval, ndcg_at_10, queries_in, recall_at_20, reciprocal_rank
from knowledge.ingest import ingest
from knowledge.management.commands import kb_eval
from knowledge.models import EVERY, Chunk, Document, Term
from knowledge.sandbox import sandbox

from .conftest import SHIPPED

if TYPE_CHECKING:
    from .conftest import Write

OWN = SHIPPED.parent / "evals" / "kb"


def measured(*arguments: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command("kb_eval", "--json", *arguments, stdout=out)
    result: dict[str, Any] = json.loads(out.getvalue())
    return result


def test_measures_are_those_of_the_literature() -> None:
    grades = {"a": 3, "b": 1}
    assert ndcg_at_10(["a", "b"], grades) == 1
    # 1 / log2(2) + 3 / log2(3) over 3 / log2(2) + 1 / log2(3), by hand.
    assert ndcg_at_10(["b", "a"], grades) == pytest.approx(2.8928 / 3.6309, abs=1e-4)
    assert recall_at_20([*"xyz", "a"], grades) == 0.5
    assert reciprocal_rank(["x", "b"], grades) == 0.5
    assert reciprocal_rank(["x"], grades) == 0


def test_an_interval_holds_the_mean_and_is_the_same_each_time() -> None:
    differences = np.array([0.0, 0.1, 0.2, 0.3] * 20)
    first = interval(differences)
    assert first["mean"] == pytest.approx(0.15)
    assert first["low"] < 0.15 < first["high"]
    assert first == interval(differences)


def test_our_judgements_name_documents_that_exist() -> None:
    queries = queries_in(OWN)
    assert len(queries) >= 120
    assert {"plain", "paraphrase", "misspelling", "negation", "none"} == {query.kind for query in queries}
    for query in queries:
        assert (query.kind == "none") == (not query.grades)
        assert all((SHIPPED / path).is_file() and 1 <= grade <= 3 for path, grade in query.grades.items())


def test_the_search_is_as_good_as_promised(db: None) -> None:
    result = measured()
    assert result["fused"]["ndcg_at_10"] >= 0.85
    assert all(lead["low"] > 0 for lead in result["lead"].values())
    assert result["false_answer_rate"] <= 0.05
    assert result["filtered_recall_at_10"] >= 0.95
    assert set(result["lexical"]) == {"ndcg_at_10", "recall_at_20", "mrr", "p50_ms", "p95_ms"}
    assert not Document.objects.exists()


def test_a_worse_search_fails(db: None, tmp_path: Path) -> None:
    expected = json.loads((OWN / "expected.json").read_text())
    worse = json.loads(json.dumps(expected))
    worse["fused"]["mrr"] -= 0.02
    worse["false_answer_rate"] += 0.02
    assert kb_eval.regressions(expected, OWN / "expected.json") == []
    assert len(kb_eval.regressions(worse, OWN / "expected.json")) == 2


def test_it_reads_a_corpus_in_beirs_layout(folder: Path, write: Write) -> None:
    corpus = [("d1", "Wax", "A candle melts slowly."), ("d2", "", "The train leaves at noon.")]
    write("corpus.jsonl", "\n".join(json.dumps({"_id": i, "title": t, "text": x}) for i, t, x in corpus))
    write("queries.jsonl", '{"_id": "1", "text": "melting candle"}\n{"_id": "2", "text": "not judged"}\n')
    write("qrels/test.tsv", "query-id\tcorpus-id\tscore\n1\td1\t1\n1\td2\t0\n")
    result = measured("--corpus", str(folder))
    assert result["queries"] == 1
    assert {result[leg]["ndcg_at_10"] for leg in ("vector", "lexical", "fused")} == {1.0}


def test_it_says_what_a_corpus_lacks(folder: Path) -> None:
    with pytest.raises(CommandError, match=r"qrels.*corpus\.jsonl"):
        measured("--corpus", str(folder))


def test_a_sandbox_leaves_the_knowledge_base_alone(shipped: Path, folder: Path, write: Write) -> None:
    write("other.md", "# Other\n\nunheardof")
    before = (Document.objects.count(), Chunk.objects.count(), Term.objects.count())
    with sandbox():
        assert not Chunk.objects.exists()
        ingest(folder)
        assert Chunk.objects.count() == 1
        assert Term.objects.get(lexeme=EVERY).passages == 1
    assert before == (Document.objects.count(), Chunk.objects.count(), Term.objects.count())
    assert not Term.objects.filter(lexeme="unheardof").exists()
