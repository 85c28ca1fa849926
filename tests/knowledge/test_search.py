"""What the crew finds: the right passages, of its own scope, in one order."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from prometheus_client import REGISTRY

from knowledge.embeddings import DIMENSIONS, current_model, embed
from knowledge.ingest import ingest
from knowledge.models import Chunk, Document, DocumentMetadata
from knowledge.search import search
from myloware.kernel.errors import InvalidInput, Misconfigured

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django import Settings

    from .conftest import Write

# Questions in other words than the documents', with the document that answers each.
QUESTIONS = {
    "whisper timing": "craft/whisper-timing.md",
    "at which second should the voice be heard": "craft/whisper-timing.md",
    "how many hashtags": "platform/captions-and-hashtags.md",
    "tiktok AI disclosure": "platform/tiktok-requirements-and-ai-disclosure.md",
    "bottom buttons cover pixels": "platform/vertical-framing-and-safe-zones.md",
    "extra fingers": "craft/veo-3-pitfalls.md",
    "dolly versus zoom": "craft/shots-and-camera-movement.md",
    "golden hour": "craft/light.md",
    "foley of honey and crackling": "craft/sound-design-and-asmr.md",
    "why do viewers leave": "craft/hooks-and-retention.md",
    "cross-fade needs two tracks": "editing/shotstack-timelines.md",
}


def chunks_of(project: str, vectors: list[list[float]], *, model: str = "wordllama-uncased") -> list[Chunk]:
    """Passages with vectors of our choice, in one document of their own."""
    document = Document.objects.create(
        path=f"{project or 'all'}-{model}.md", title=project, project=project, metadata=DocumentMetadata()
    )
    return Chunk.objects.bulk_create(
        Chunk(
            document=document,
            position=position,
            heading=project,
            text="zzz",
            project=project,
            embedding=vector,
            embedding_model=model,
        )
        for position, vector in enumerate(vectors)
    )


@pytest.mark.parametrize(("question", "path"), QUESTIONS.items())
def test_it_finds_the_document_that_answers(shipped: Path, question: str, path: str) -> None:
    assert path in {hit.path for hit in search([question], k=3)}


def test_it_finds_whisper_timing_first_and_says_where_it_stands(shipped: Path) -> None:
    first = search(["whisper timing"])[0]
    chunk = Chunk.objects.get(id=first.chunk_id)
    assert (first.title, first.document, first.snippet) == ("Whisper timing", chunk.document_id, chunk.text)
    assert first.heading.startswith("Whisper timing")
    assert 0.4 < first.score <= 1


def test_it_shows_each_scope_its_own(folder: Path, write: Write) -> None:
    for scope in ("", "projects/aismr/", "projects/other/", "personas/iggy/", "projects/aismr/personas/riley/"):
        write(f"{scope}candles.md", f"# Candles {scope}\n\nA candle burns.")
    ingest(folder)

    def found(**scope: str) -> set[str]:
        return {hit.path.removesuffix("candles.md") for hit in search(["candle"], k=9, **scope)}

    assert found() == {""}
    assert found(project="aismr") == {"", "projects/aismr/"}
    assert found(persona="iggy") == {"", "personas/iggy/"}
    assert found(project="aismr", persona="riley") == {"", "projects/aismr/", "projects/aismr/personas/riley/"}


def test_it_answers_several_queries_together_and_each_passage_once(shipped: Path) -> None:
    hits = search(["whisper timing", "how many hashtags", "whisper timing"], k=10)
    assert len({hit.chunk_id for hit in hits}) == len(hits) == 10
    assert {"craft/whisper-timing.md", "platform/captions-and-hashtags.md"} <= {hit.path for hit in hits[:4]}


def test_it_orders_equal_passages_by_path_and_position(folder: Path, write: Write) -> None:
    for name in "cab":
        write(f"{name}.md", "# Same\n\n## One\n\nsame words\n\n## One\n\nsame words\n")
    ingest(folder)
    orders = [[(hit.path, hit.chunk_id) for hit in search(["same words"], k=6)] for _ in range(3)]
    assert [path for path, _ in orders[0]] == ["a.md", "a.md", "b.md", "b.md", "c.md", "c.md"]
    assert orders[0] == orders[1] == orders[2]


def test_it_never_mixes_two_embedding_spaces(db: None) -> None:
    (nearest,) = embed(["candle"], model=current_model())
    chunks_of("", [nearest], model="text-embedding-3-small")
    (ours,) = chunks_of("", [[1.0] * DIMENSIONS])
    assert [hit.chunk_id for hit in search(["candle"], k=9)] == [ours.id]


@pytest.mark.parametrize("few", [0, 20_000])
def test_it_finds_the_few_that_pass_a_filter_behind_many_that_do_not(
    db: None, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    # With the vector index, and without it.
    monkeypatch.setattr("knowledge.search.FEW", few)
    monkeypatch.setattr("knowledge.search.MANY", few)
    (query,) = embed(["candle"], model=current_model())
    dice = random.Random(1)

    def around(spread: float, count: int) -> list[list[float]]:
        return [[number + dice.gauss(0, spread) for number in query] for _ in range(count)]

    chunks_of("other", around(0.05, 200))
    wanted = chunks_of("mine", around(0.06, 3))
    chunks_of("", around(0.05, 200), model="text-embedding-3-small")
    with connection.cursor() as cursor:
        # Other tests left rows that were rolled back, which stay in the graph.
        cursor.execute("REINDEX INDEX kb_embedding_hnsw")
        # Few rows as there are here, PostgreSQL would rather not use the vector index.
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off")
    assert {hit.chunk_id for hit in search(["candle"], k=5, project="mine")} == {chunk.id for chunk in wanted}


@pytest.mark.parametrize("query", ["the", "&|!():*'\\", "a.com/?b=1&c=2", "\0", "💡", "word " * 300])
def test_it_takes_any_query(shipped: Path, query: str) -> None:
    assert search([query, "light"], k=3)


def test_it_refuses_to_search_for_nothing(db: None) -> None:
    with pytest.raises(InvalidInput):
        search(["", " \0"])
    with pytest.raises(InvalidInput):
        search(["light"], k=0)


def test_it_finds_nothing_in_an_empty_base(db: None) -> None:
    assert search(["light"]) == []


def test_it_measures_each_search(shipped: Path) -> None:
    labels = {"project": "aismr", "persona": "quinn"}
    before = REGISTRY.get_sample_value("kb_search_seconds_count", labels) or 0
    search(["light"], project="aismr", persona="quinn")
    assert REGISTRY.get_sample_value("kb_search_seconds_count", labels) == before + 1


def test_it_says_which_key_is_missing(db: None, settings: Settings) -> None:
    settings.KNOWLEDGE = settings.KNOWLEDGE.model_copy(update={"embeddings_model": "text-embedding-3-small"})
    with pytest.raises(Misconfigured, match="OPENAI_API_KEY"):
        search(["light"])
