"""Brings a folder of documents into the knowledge base; unchanged files cost one comparison of hashes."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from myloware.kernel.errors import InvalidInput, NotFound

from .embeddings import Vector, current_model, embed
from .folders import Refused, Scope, Source, survey
from .formats import Text, read
from .models import Chunk, Document
from .passages import Passage, cut

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

# Passages that are embedded and stored at once.
BATCH = 256


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
    on_progress: Callable[[Report], None] = lambda _: None,
) -> Report:
    """Reads every document below ``root``; files that cannot be read are reported and the rest is kept.

    ``project`` and ``persona`` are the scope of files whose path names none.  ``prune`` removes documents that were
    read from this folder before and whose file is gone.  ``on_progress`` sees the report after each file.  Raises
    ``NotFound`` without such a folder, ``InvalidInput`` for an impossible scope, and what the embedding model raises.
    """
    if not root.is_dir():
        raise NotFound(f"There is no folder {root}.")
    run = _Ingest(str(root.resolve()), dry_run=dry_run)
    started = time.monotonic()
    entries = survey(root, Scope(project or "", persona or ""))
    run.report.found = len(entries)
    for entry in entries:
        run.take(entry)
        run.report.seconds = time.monotonic() - started
        on_progress(run.report)
    run.flush()
    if prune:
        run.prune()
    run.report.seconds = time.monotonic() - started
    return run.report


class _Ingest:
    def __init__(self, folder: str, *, dry_run: bool) -> None:
        self.folder = folder
        self.dry_run = dry_run
        self.model = current_model()
        self.report = Report()
        self.seen: set[str] = set()
        self.stored = _stored(self.model)
        self.drafts: list[Draft] = []

    def take(self, entry: Source | Refused) -> None:
        self.seen.add(entry.path)
        if isinstance(entry, Refused):
            self.report.refused.append(entry)
            return
        try:
            self._take(entry)
        except InvalidInput as error:
            self.report.refused.append(Refused(entry.path, error.message))
        if sum(len(draft.passages) for draft in self.drafts) >= BATCH:
            self.flush()

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

    def flush(self) -> None:
        """Stores what was read so far."""
        drafts, self.drafts = self.drafts, []
        if self.dry_run:
            self.report.chunks += sum(len(draft.passages) for draft in drafts)
        elif drafts:
            self.report.chunks += store(drafts, model=self.model)

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


def store(drafts: Sequence[Draft], *, model: str) -> int:
    """Replaces the documents and their passages in one transaction, and tells how many passages it embedded.

    A passage that stood in the document before keeps its vector.  Vectors are made before the transaction, as they may
    need a network.
    """
    known = _vectors(drafts, model)
    new = [passage for draft in drafts for passage in draft.passages if (draft.key, passage) not in known]
    made = dict(zip(new, embed([passage.embedded for passage in new], model=model), strict=True))
    with transaction.atomic():
        Document.objects.bulk_create(
            [Document(**draft.key._asdict(), **draft.values, updated_at=timezone.now()) for draft in drafts],
            update_conflicts=True,
            unique_fields=Key._fields,
            update_fields=["title", "metadata", "folder", "checksum", "content_type", "updated_at"],
        )
        # The rows are locked now, so that two ingests at once leave one complete set of passages.
        documents = _documents(drafts)
        Chunk.objects.filter(document__in=documents.values()).delete()
        Chunk.objects.bulk_create(
            _chunk(documents[draft.key], position, passage, known.get((draft.key, passage)) or made[passage], model)
            for draft in drafts
            for position, passage in enumerate(draft.passages)
        )
    return len(new)


def _documents(drafts: Sequence[Draft]) -> dict[Key, Document]:
    wanted = {draft.key for draft in drafts}
    rows = Document.objects.filter(path__in=[key.path for key in wanted])
    found = {Key(row.project, row.persona, row.path): row for row in rows}
    return {key: found[key] for key in wanted}


def _vectors(drafts: Sequence[Draft], model: str) -> dict[tuple[Key, Passage], Any]:
    """Vectors that the passages of these documents have already."""
    wanted = Chunk.objects.filter(document__path__in=[draft.key.path for draft in drafts], embedding_model=model)
    rows = wanted.values_list("project", "persona", "document__path", "heading", "text", "embedding")
    return {(Key(*row[:3]), Passage(*row[3:5])): row[5] for row in rows}


def _chunk(document: Document, position: int, passage: Passage, vector: Vector, model: str) -> Chunk:
    return Chunk(
        document=document,
        position=position,
        heading=passage.heading,
        text=passage.text,
        project=document.project,
        persona=document.persona,
        embedding=vector,
        embedding_model=model,
    )
