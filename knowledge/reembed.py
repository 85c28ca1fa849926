"""Brings every passage into the space of the current embedding model, while the search goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from .embeddings import current_model, embed
from .models import Chunk
from .passages import Passage

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH = 256


def reembed(on_progress: Callable[[int], None] = lambda _: None) -> int:
    """Embeds what another model embedded, and tells how many passages that were.

    A passage is found in the old space until its batch is committed, and in the new one from then on: the search asks
    each model that has passages.  May be stopped and started again.  Raises what the embedding model raises.
    """
    model, done = current_model(), 0
    others = Chunk.objects.exclude(embedding_model=model).order_by("pk")
    while batch := list(others.only("heading", "text")[:BATCH]):
        vectors = embed([Passage(chunk.heading, chunk.text).embedded for chunk in batch], model=model)
        for chunk, vector in zip(batch, vectors, strict=True):
            chunk.embedding, chunk.embedding_model = vector, model
        with transaction.atomic():
            # One that an ingest has replaced meanwhile is gone, and has its new vector.
            Chunk.objects.bulk_update(batch, ["embedding", "embedding_model"])
        done += len(batch)
        on_progress(done)
    return done
