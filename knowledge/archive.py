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
    """A document: its path below the archive, title, and body in Markdown."""

    path: str
    title: str
    body: str


def keep(papers: Sequence[Paper], *, project: str, persona: str) -> None:
    """Makes these the archive of the project that ``persona`` finds. Unchanged ones cost a comparison of checksums."""
    old = Document.objects.filter(folder=FOLDER, project=project, persona=persona)
    known = dict(old.values_list("path", "checksum"))
    drafts = [_draft(paper, project, persona) for paper in papers]
    new = [draft for draft in drafts if known.get(draft.key.path) != draft.values["checksum"]]
    for _ in store([new], model=current_model()):
        pass
    old.exclude(path__in=[draft.key.path for draft in drafts]).delete()


def _draft(paper: Paper, project: str, persona: str) -> Draft:
    values = {
        "title": paper.title[:200],
        "metadata": DocumentMetadata(tags=(FOLDER,)),
        "folder": FOLDER,
        "checksum": hashlib.sha256("\n".join(paper).encode()).hexdigest(),
        "content_type": "text/markdown",
    }
    return Draft(Key(project, persona, f"{FOLDER}/{paper.path}"), values, cut(paper.title[:200], paper.body))
