"""How fast is the knowledge base? Searches among generated passages, on an embedded PostgreSQL of its own.

``python -m benchmarks.kb --chunks 50000 [--folder F] [--shared-buffers 512MB] [--queries 200]``

Passages are made from a known vocabulary, some ten thousand words that the local model knows: 2,000 topics of 40 words
each, and 2,000 words that all share, the frequent ones far more often than the rare (Zipf).  A passage has two words of
its topic for each common one, and a query five of a topic.  0.1 %, 1 % and 10 % of the passages belong to a project
each, the others to a fourth.  The folder keeps its passages; a second run with more chunks adds what is missing.

Printed: passages stored a second as ``kb_ingest`` does it (embedding included) without the vector index and with it,
seconds to build the index, and by filter: milliseconds of the vector leg, the lexical leg and the whole search,
embedding included (one query at a time), and the share of the ten truly nearest passages that the vector leg found.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from knowledge.ingest import Draft

TOPICS, OWN_WORDS, SHARED_WORDS, WORDS = 2_000, 40, 2_000, 70
CHUNKS_PER_DOCUMENT, BATCH = 8, 128
# With the vector index in place, so many of the passages are stored and timed.
INDEXED = 16_000
PROJECTS = {"thousandth": 0.001, "hundredth": 0.01, "tenth": 0.1}
REST = "rest"
INDEX = "CREATE INDEX kb_embedding_hnsw ON kb_embeddings USING hnsw (embedding halfvec_cosine_ops)"


class Vocabulary:
    """Words, and texts made of them; the same ones each time."""

    def __init__(self) -> None:
        words = sorted(_words())
        random.Random(1).shuffle(words)  # noqa: S311 - to be repeated, not to be secret
        self.shared, self._own = words[:SHARED_WORDS], words[SHARED_WORDS:]
        self._ranks = [1 / rank for rank in range(1, SHARED_WORDS + 1)]

    def topic(self, number: int) -> list[str]:
        return random.Random(f"topic {number}").sample(self._own, OWN_WORDS)  # noqa: S311 - to be repeated

    def text(self, dice: random.Random) -> str:
        topic = self.topic(dice.randrange(TOPICS))
        words = dice.choices(topic, k=WORDS * 2 // 3) + dice.choices(self.shared, self._ranks, k=WORDS // 3)
        dice.shuffle(words)
        return " ".join(words)

    def query(self, dice: random.Random) -> str:
        topic = self.topic(dice.randrange(TOPICS))
        return " ".join(dice.sample(topic, 5))


def _words() -> set[str]:
    """The whole words among the local model's tokens, some ten thousand."""
    import wordllama

    model = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True, dim=256)
    tokens = (token[1:] for token in model.tokenizer.get_vocab() if not token[:1].isalnum())
    return {token.lower() for token in tokens if token.isalpha() and token.isascii() and len(token) >= 4}


def drafts(vocabulary: Vocabulary, first: int, count: int) -> Iterator[Draft]:
    """Documents of eight passages each."""
    from knowledge.ingest import Draft, Key
    from knowledge.models import DocumentMetadata
    from knowledge.passages import Passage

    for number in range(first, first + count):
        dice = random.Random(number)  # noqa: S311 - to be repeated, not to be secret
        project = _project(dice.random())
        passages = [Passage(f"Document {number}", vocabulary.text(dice)) for _ in range(CHUNKS_PER_DOCUMENT)]
        values = {
            "title": str(number),
            "metadata": DocumentMetadata(),
            "folder": "",
            "checksum": "",
            "content_type": "",
        }
        yield Draft(Key(project, "", f"{number}.md"), values, passages)


def _project(chance: float) -> str:
    for name, share in PROJECTS.items():
        if chance < share:
            return name
        chance -= share
    return REST


# --- Filling


def fill(vocabulary: Vocabulary, chunks: int) -> dict[str, Any]:
    """Stores what is missing; the last part with the vector index in place."""
    from knowledge.models import Document

    have, wanted = Document.objects.count(), chunks // CHUNKS_PER_DOCUMENT
    late = min(INDEXED // CHUNKS_PER_DOCUMENT, wanted)
    if have >= wanted:
        return {}
    execute("DROP INDEX IF EXISTS kb_embedding_hnsw")
    bulk = stored(batches(vocabulary, have, wanted - late - have), wanted - late - have)
    execute("SET maintenance_work_mem = '2GB'")
    started = time.monotonic()
    execute(INDEX)
    built_s = time.monotonic() - started
    # Made beforehand, so that no text is being written while it is timed; the many before would need too much memory.
    indexed = stored(list(batches(vocabulary, wanted - late, late)), late)
    started = time.monotonic()
    execute("VACUUM ANALYZE")
    return {
        "chunks_per_s": round(bulk),
        "index_s": round(built_s, 1),
        "chunks_per_s_with_index": round(indexed),
        "vacuum_s": round(time.monotonic() - started, 1),
    }


def batches(vocabulary: Vocabulary, first: int, count: int) -> Iterator[list[Draft]]:
    for begin in range(first, first + count, BATCH):
        yield list(drafts(vocabulary, begin, min(BATCH, first + count - begin)))


def stored(batches: Iterable[list[Draft]], count: int) -> float:
    """Passages a second."""
    from knowledge.embeddings import current_model
    from knowledge.ingest import store
    from knowledge.management.commands.kb_ingest import WRITERS

    started = time.monotonic()
    for _ in store(batches, model=current_model(), writers=WRITERS):
        pass
    return count * CHUNKS_PER_DOCUMENT / (time.monotonic() - started)


def execute(statement: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement)


# --- Searching


def searched(vocabulary: Vocabulary, project: str, queries: int) -> dict[str, Any]:
    """Milliseconds by leg, and recall of the vector leg against a search of every passage."""
    from knowledge.evaluation import exact_share
    from knowledge.search import look, ranked

    dice = random.Random(2)  # noqa: S311 - to be repeated, not to be secret
    texts = [vocabulary.query(dice) for _ in range(queries)]
    for text in texts[:20]:
        look(text, project=project)
    times: dict[str, list[float]] = {"vector": [], "lexical": [], "fused": []}
    fullest = 0
    found = []
    for text in texts:
        started = time.perf_counter()
        legs = look(text, project=project)
        hits = ranked(text, legs)
        times["fused"].append(time.perf_counter() - started)
        times["vector"].append(legs.vector_s)
        times["lexical"].append(legs.lexical_s)
        fullest = max(fullest, len(hits))
        found.append((legs, text))
    recall = statistics.mean(exact_share(*each, {"project": project}) for each in found[:50])
    measured: dict[str, Any] = {leg: milliseconds(each) for leg, each in times.items()}
    return measured | {
        "recall_at_10": round(recall, 3),
        "most_hits": fullest,
    }


def milliseconds(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(each * 1000 for each in seconds)
    return {"p50": round(ordered[len(ordered) // 2], 1), "p95": round(ordered[len(ordered) * 95 // 100], 1)}


def measure(chunks: int, queries: int) -> dict[str, Any]:
    """All numbers, on the database of the settings."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from knowledge.models import Chunk

    call_command("migrate", verbosity=0)
    vocabulary = Vocabulary()
    filled = fill(vocabulary, chunks)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size('kb_embeddings'), pg_relation_size('kb_embedding_hnsw')")
        total, index = cursor.fetchone()
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "chunks": Chunk.objects.count(),
        "mb": {"all": total // 10**6, "vector_index": index // 10**6},
        "filling": filled,
        "searching": {name: searched(vocabulary, name, queries) for name in (REST, *PROJECTS)},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=50_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--shared-buffers", default="1GB", help="of PostgreSQL; ours has 64MB unless told otherwise")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "myloware-benchmark-kb")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    # Under root PostgreSQL runs as another account, which has to pass through.
    options.folder.chmod(0o711)
    os.environ.update(
        MYLOWARE_DATA_DIR=str(options.folder.resolve()), DB_URL="", DJANGO_SETTINGS_MODULE="myloware.settings"
    )
    from myloware.embedded import postgres
    from myloware.embedded.supervisor import Supervisor

    program = postgres.program(options.folder.resolve(), durable=False)
    program = replace(program, argv=(*program.argv, "-c", f"shared_buffers={options.shared_buffers}"))
    supervisor = Supervisor(lambda _name, _line: None)
    try:
        supervisor.start(program)
        supervisor.wait_ready()
        print(json.dumps(measure(options.chunks, options.queries), indent=2))
    finally:
        supervisor.stop()


if __name__ == "__main__":
    main()
