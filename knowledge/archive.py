"""What a project has made, as documents of the knowledge base that come from rows instead of files."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from .embeddings import current_model
from .ingest import Draft, Key, store
from .models import Document, DocumentMetadata
from .passages import cut

if TYPE_CHECKING:
    from collections.abc import Sequence

# In place of a folder: ``kb_ingest --prune`` leaves these alone.
FOLDER = "archive"


class Paper(NamedTuple):
    """A document: its name in the archive, title of at most 200 characters, and body in Markdown."""

    name: str
    title: str
    body: str

    @property
    def path(self) -> str:
        return f"{FOLDER}/{self.name}"

    @property
    def checksum(self) -> str:
        return hashlib.sha256("\n".join(self).encode()).hexdigest()


def keep(papers: Sequence[Paper], *, project: str, persona: str) -> None:
    """Makes these the archive of the project that ``persona`` finds. Unchanged ones cost a comparison of checksums."""
    old = Document.objects.filter(folder=FOLDER, project=project, persona=persona)
    known = dict(old.values_list("path", "checksum"))
    new = [_draft(paper, project, persona) for paper in papers if known.get(paper.path) != paper.checksum]
    for _ in store([new], model=current_model()):
        pass
    old.exclude(path__in=[paper.path for paper in papers]).delete()


def _draft(paper: Paper, project: str, persona: str) -> Draft:
    values = {
        "title": paper.title,
        "metadata": DocumentMetadata(tags=(FOLDER,)),
        "folder": FOLDER,
        "checksum": paper.checksum,
        "content_type": "text/markdown",
    }
    return Draft(Key(project, persona, paper.path), values, cut(paper.title, paper.body))
