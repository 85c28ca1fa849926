"""Brings a folder of documents into the knowledge base; unchanged files cost one comparison of hashes."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from django.db import transaction
from django.db.models import Exists, OuterRef

from myloware.kernel.errors import InvalidInput, NotFound

from .embeddings import Vector, current_model, embed
from .folders import Refused, Scope, Source, survey
from .formats import Text, read
from .models import Chunk, Document
from .passages import Passage, cut

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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

    def take(self, entry: Source | Refused) -> None:
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
        passages = cut(text.title, text.body)
        if not self.dry_run:
            _store(key, self._values(text, source, checksum), passages, model=self.model)
        self.report.chunks += len(passages)
        if known:
            self.report.updated += 1
        else:
            self.report.added += 1

    def _claim(self, key: Key, known: Stored) -> None:
        if known.folder != self.folder and not self.dry_run:
            Document.objects.filter(**key._asdict()).update(folder=self.folder)

    def _values(self, text: Text, source: Source, checksum: str) -> dict[str, object]:
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


def _store(key: Key, values: dict[str, object], passages: list[Passage], *, model: str) -> None:
    """Replaces the document's passages in one transaction; vectors are made before it, as they may need a network."""
    vectors = embed([f"{passage.heading}\n{passage.text}" for passage in passages], model=model)
    with transaction.atomic():
        # Locks the row, so that two ingests at once leave one complete set of passages.
        document, _ = Document.objects.update_or_create(**key._asdict(), defaults=values)
        document.chunks.all().delete()
        Chunk.objects.bulk_create(
            _chunk(document, position, passage, vector, model)
            for position, (passage, vector) in enumerate(zip(passages, vectors, strict=True))
        )


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
