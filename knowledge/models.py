"""What the crew can look up: documents, and the passages they are searched by."""

from __future__ import annotations

import uuid

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from pgvector.django import HalfVectorField, HnswIndex, SparseVectorField
from pydantic import BaseModel, ConfigDict

from myloware.kernel.fields import SchemaField

from .embeddings import DIMENSIONS

# Fixed in the generated column: PostgreSQL lets only an immutable configuration stand there.
TEXT_SEARCH = "english"

# Places for words in the sparse vectors: so many that two words of a query hardly ever share one.
TERM_DIMENSIONS = 2**28

# No word: PostgreSQL makes none of a sign alone.
EVERY = "*"


class DocumentMetadata(BaseModel):
    """What a document says about itself. ``sources`` tell where its outside facts come from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tags: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


class Document(models.Model):
    """One file of the knowledge base. Its scope (project, persona) and path are its identity and never change."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    path = models.CharField(max_length=512, help_text="relative to the folder it was read from")
    title = models.CharField(max_length=200)
    project = models.CharField(max_length=64, blank=True, help_text="slug; blank: every project")
    persona = models.CharField(max_length=64, blank=True, help_text="name; blank: every persona")
    folder = models.TextField(help_text="read from here last; --prune looks at this folder only")
    checksum = models.CharField(max_length=64, help_text="SHA-256 of the file, hex")
    content_type = models.CharField(max_length=64)
    metadata = SchemaField(schema=DocumentMetadata)
    found_at = models.DateTimeField(null=True, editable=False, help_text="the crew found it last, to the hour")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "kb_documents"
        ordering = ["project", "persona", "path"]
        constraints = [models.UniqueConstraint(fields=["project", "persona", "path"], name="kb_path_once_per_scope")]

    def __str__(self) -> str:
        return self.title


class Chunk(models.Model):
    """One passage and its embedding.

    The scope repeats the document's, so that a filtered vector search stays within one table.  Vectors of different
    models share the column and never a search: ``embedding_model`` tells them apart.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="chunks")
    position = models.PositiveIntegerField(help_text="place within the document, from 0")
    heading = models.CharField(max_length=400, help_text="title and headings above the passage, outermost first")
    text = models.TextField()
    project = models.CharField(max_length=64, blank=True)
    persona = models.CharField(max_length=64, blank=True)
    embedding = HalfVectorField(dimensions=DIMENSIONS)
    embedding_model = models.CharField(max_length=64)
    lexemes = models.GeneratedField(
        expression=SearchVector("heading", weight="A", config=TEXT_SEARCH)
        + SearchVector("text", weight="B", config=TEXT_SEARCH),
        output_field=SearchVectorField(),
        db_persist=True,
    )
    weights = models.GeneratedField(
        expression=models.Func("heading", "text", function="kb_weights"),
        output_field=SparseVectorField(dimensions=TERM_DIMENSIONS),
        db_persist=True,
    )

    class Meta:
        db_table = "kb_embeddings"
        ordering = ["document", "position"]
        constraints = [models.UniqueConstraint(fields=["document", "position"], name="kb_position_once_per_document")]
        indexes = [
            HnswIndex(name="kb_embedding_hnsw", fields=["embedding"], opclasses=["halfvec_cosine_ops"]),
            GinIndex(name="kb_lexemes_gin", fields=["lexemes"]),
            # With the vectors, so that a small scope is searched without its rows.
            models.Index(
                name="kb_scope", fields=["embedding_model", "project", "persona"], include=["id", "embedding"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.heading} ({self.position})"


class Term(models.Model):
    """How many passages have a word. Triggers keep it.

    The row ``EVERY`` counts all passages, and a row "*project*persona" those of that scope.
    """

    lexeme = models.TextField(primary_key=True)
    passages = models.BigIntegerField()

    class Meta:
        db_table = "kb_terms"

    def __str__(self) -> str:
        return self.lexeme


class Gap(models.Model):
    """A question to which no passage is likely to be the answer: what the documents lack, or say in other words."""

    query = models.CharField(max_length=400, help_text="in lower case, spaces made one")
    project = models.CharField(max_length=64, blank=True)
    persona = models.CharField(max_length=64, blank=True)
    times = models.PositiveIntegerField(default=1, help_text="how often it was asked")
    asked_at = models.DateTimeField(help_text="last time")

    class Meta:
        db_table = "kb_gaps"
        ordering = ["-times", "-asked_at"]
        constraints = [models.UniqueConstraint(fields=["query", "project", "persona"], name="kb_gap_once_per_scope")]
        indexes = [models.Index(name="kb_gap_age", fields=["asked_at"])]

    def __str__(self) -> str:
        return self.query
