"""Brings a folder of documents into the knowledge base; unchanged files cost one comparison of hashes."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from uuid import uuid4

from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from pgvector import HalfVector
from psycopg.types.numeric import Int4

from myloware.kernel.errors import InvalidInput, NotFound

from .embeddings import Vector, current_model, embed
from .folders import Refused, Scope, Source, survey
from .formats import Text, read
from .models import Chunk, Document
from .passages import Passage, cut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path
    from uuid import UUID

# Passages that are embedded and stored at once. More share the counting of a word, which is one row for each batch.
BATCH = 1_024

T = TypeVar("T")

COPY = """
COPY kb_embeddings (id, document_id, position, heading, text, project, persona, embedding, embedding_model)
FROM STDIN (FORMAT BINARY)
"""


@dataclass
class Report:
    """What an ingest did, in documents. ``found``: files there are; ``chunks``: passages that were embedded."""

    found: int = 0
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    refused: list[Refused] = field(default_factory=list)
    chunks: int = 0
    seconds: float = 0.0

    @property
    def done(self) -> int:
        """Files dealt with so far."""
        return self.added + self.updated + self.unchanged + len(self.refused)


class Key(NamedTuple):
    """The identity of a document."""

    project: str
    persona: str
    path: str


class Draft(NamedTuple):
    """A document that is to be stored: who it is, its columns and its passages."""

    key: Key
    values: dict[str, Any]
    passages: list[Passage]


class Stored(NamedTuple):
    """What the database has of a document. ``searchable``: its passages are in the current model's space."""

    checksum: str
    folder: str
    searchable: bool


def ingest(
    root: Path,
    *,
    project: str | None = None,
    persona: str | None = None,
    prune: bool = False,
    dry_run: bool = False,
    writers: int = 1,
    on_progress: Callable[[Report], None] = lambda _: None,
) -> Report:
    """Reads every document below ``root``; files that cannot be read are reported and the rest is kept.

    ``project`` and ``persona`` are the scope of files whose path names none.  ``prune`` removes documents that were
    read from this folder before and whose file is gone.  ``writers`` is for ``store``.  ``on_progress`` sees the report
    after each file.  Raises ``NotFound`` without such a folder, ``InvalidInput`` for an impossible scope, and what the
    embedding model raises.
    """
    if not root.is_dir():
        raise NotFound(f"There is no folder {root}.")
    run = _Ingest(str(root.resolve()), on_progress, dry_run=dry_run, writers=writers)
    run.take(survey(root, Scope(project or "", persona or "")))
    if run.report.chunks >= BATCH and not dry_run:
        analyze()
    if prune:
        run.prune()
    return run.report


class _Ingest:
    def __init__(self, folder: str, on_progress: Callable[[Report], None], *, dry_run: bool, writers: int) -> None:
        self.folder = folder
        self.on_progress = on_progress
        self.dry_run = dry_run
        self.writers = writers
        self.model = current_model()
        self.report = Report()
        self.seen: set[str] = set()
        self.stored = _stored(self.model)
        self.drafts: list[Draft] = []

    def take(self, entries: Sequence[Source | Refused]) -> None:
        started = time.monotonic()
        self.report.found = len(entries)
        for passages in self._kept(self._batches(entries, started)):
            self.report.chunks += passages
        self.report.seconds = time.monotonic() - started

    def _kept(self, batches: Iterator[list[Draft]]) -> Iterator[int]:
        """Passages by batch; of a dry run those that would be."""
        if self.dry_run:
            return map(_passages, batches)
        return store(batches, model=self.model, writers=self.writers)

    def _batches(self, entries: Sequence[Source | Refused], started: float) -> Iterator[list[Draft]]:
        for entry in entries:
            self._look_at(entry)
            self.report.seconds = time.monotonic() - started
            self.on_progress(self.report)
            if _passages(self.drafts) >= BATCH:
                yield self.drafts
                self.drafts = []
        yield self.drafts

    def _look_at(self, entry: Source | Refused) -> None:
        self.seen.add(entry.path)
        if isinstance(entry, Refused):
            self.report.refused.append(entry)
            return
        try:
            self._take(entry)
        except InvalidInput as error:
            self.report.refused.append(Refused(entry.path, error.message))

    def _take(self, source: Source) -> None:
        content = _content(source)
        checksum = hashlib.sha256(content).hexdigest()
        key = Key(*source.scope, source.path)
        known = self.stored.get(key)
        if known and known.checksum == checksum and known.searchable:
            self.report.unchanged += 1
            self._claim(key, known)
            return
        text = read(content, path=source.path, content_type=source.content_type)
        self.drafts.append(Draft(key, self._values(text, source, checksum), cut(text.title, text.body)))
        if known:
            self.report.updated += 1
        else:
            self.report.added += 1

    def _claim(self, key: Key, known: Stored) -> None:
        if known.folder != self.folder and not self.dry_run:
            Document.objects.filter(**key._asdict()).update(folder=self.folder)

    def _values(self, text: Text, source: Source, checksum: str) -> dict[str, Any]:
        return {
            "title": text.title,
            "metadata": text.metadata,
            "folder": self.folder,
            "checksum": checksum,
            "content_type": source.content_type,
        }

    def prune(self) -> None:
        """A file that was refused is not gone: its last good version stays."""
        gone = Document.objects.filter(folder=self.folder).exclude(path__in=self.seen)
        self.report.removed = gone.count()
        if not self.dry_run:
            gone.delete()


def _content(source: Source) -> bytes:
    try:
        return source.file.read_bytes()
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}") from error


def _stored(model: str) -> dict[Key, Stored]:
    in_space = Chunk.objects.filter(document=OuterRef("pk"), embedding_model=model)
    rows = Document.objects.order_by().annotate(searchable=Exists(in_space))
    return {
        Key(*row[:3]): Stored(*row[3:])
        for row in rows.values_list("project", "persona", "path", "checksum", "folder", "searchable")
    }


def _passages(drafts: Sequence[Draft]) -> int:
    return sum(len(draft.passages) for draft in drafts)


def store(batches: Iterable[Sequence[Draft]], *, model: str, writers: int = 1) -> Iterator[int]:
    """Replaces the documents and their passages, and tells how many passages it embedded; a batch is a transaction.

    A passage that stood in the document before keeps its vector.  A thread embeds the next batch while the database
    writes: outside of the transaction, as it may need a network.  Several ``writers`` store as many batches side by
    side, each over a connection of its own: no transaction of the caller holds them, and no temporary table.
    """
    with ThreadPoolExecutor(1) as thread:
        embedding = _ahead((_Batch(drafts, model, thread) for drafts in filter(None, batches)), 1)
        if writers == 1:
            yield from (batch.write() for batch in embedding)
            return
        with ThreadPoolExecutor(writers) as pool:
            for written in _ahead((pool.submit(batch.write_apart) for batch in embedding), writers):
                yield written.result()


def analyze() -> None:
    """Lets PostgreSQL count after much has come: it plans searches by what it knows, and autovacuum takes a minute."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE kb_documents, kb_embeddings, kb_terms")


def _ahead(items: Iterable[T], count: int) -> Iterator[T]:
    """The same items, each when ``count`` more have been begun."""
    begun: deque[T] = deque()
    for item in items:
        begun.append(item)
        if len(begun) > count:
            yield begun.popleft()
    yield from begun


class _Batch:
    """Documents whose new passages are being embedded."""

    def __init__(self, drafts: Sequence[Draft], model: str, thread: ThreadPoolExecutor) -> None:
        self.drafts = drafts
        self.model = model
        self.known = _vectors(drafts, model)
        self.new = [passage for draft in drafts for passage in draft.passages if (draft.key, passage) not in self.known]
        texts = [passage.embedded for passage in self.new]
        self.made: Future[list[Vector]] = thread.submit(embed, texts, model=model)

    def write(self) -> int:
        made = dict(zip(self.new, self.made.result(), strict=True))
        with transaction.atomic():
            documents = _replaced(self.drafts)
            with connection.cursor() as cursor, cursor.copy(COPY) as copy:
                for draft in self.drafts:
                    for position, passage in enumerate(draft.passages):
                        vector = self.known.get((draft.key, passage)) or HalfVector(made[passage])
                        copy.write_row(_row(documents[draft.key], draft.key, position, passage, vector, self.model))
        return len(self.new)

    def write_apart(self) -> int:
        """For a thread, which has a connection of its own."""
        try:
            return self.write()
        finally:
            connection.close()


def _replaced(drafts: Sequence[Draft]) -> dict[Key, UUID]:
    """The documents, without their old passages."""
    Document.objects.bulk_create(
        [Document(**draft.key._asdict(), **draft.values, updated_at=timezone.now()) for draft in drafts],
        update_conflicts=True,
        unique_fields=Key._fields,
        update_fields=["title", "metadata", "folder", "checksum", "content_type", "updated_at"],
    )
    # The rows are locked now, so that two ingests at once leave one complete set of passages.
    documents = _documents(drafts)
    Chunk.objects.filter(document__in=documents.values()).delete()
    return documents


def _documents(drafts: Sequence[Draft]) -> dict[Key, UUID]:
    wanted = {draft.key for draft in drafts}
    rows = Document.objects.order_by().filter(**_any_of(drafts)).values_list(*Key._fields, "pk")
    found = {Key(*row[:3]): row[3] for row in rows}
    return {key: found[key] for key in wanted}


def _vectors(drafts: Sequence[Draft], model: str) -> dict[tuple[Key, Passage], HalfVector]:
    """Vectors that the passages of these documents have already."""
    wanted = Chunk.objects.order_by().filter(**_any_of(drafts, "document__"), embedding_model=model)
    rows = wanted.values_list("project", "persona", "document__path", "heading", "text", "embedding")
    return {(Key(*row[:3]), Passage(*row[3:5])): row[5] for row in rows}


def _any_of(drafts: Sequence[Draft], prefix: str = "") -> dict[str, set[str]]:
    """A filter that lets other combinations pass, too, but finds them by the index of keys."""
    return {f"{prefix}{name}__in": {getattr(draft.key, name) for draft in drafts} for name in Key._fields}


def _row(document: UUID, key: Key, position: int, passage: Passage, vector: HalfVector, model: str) -> tuple[Any, ...]:
    """In the order of ``COPY``; a vector's own binary form, which psycopg does not know."""
    place = (uuid4(), document, Int4(position))
    return (*place, passage.heading, passage.text, key.project, key.persona, vector.to_binary(), model)
