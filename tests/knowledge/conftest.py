"""The shipped documents, and an empty folder to write others into."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pytest

from knowledge.ingest import ingest

SHIPPED = Path(__file__).parents[2] / "fixtures" / "knowledge"


class Write(Protocol):
    def __call__(self, path: str, content: str | bytes) -> Path: ...


@pytest.fixture
def shipped(db: None) -> Path:
    """The documents that come with the project, ingested."""
    ingest(SHIPPED)
    return SHIPPED


@pytest.fixture
def folder(db: None, tmp_path: Path) -> Path:
    """A folder of documents, empty."""
    folder = tmp_path / "documents"
    folder.mkdir()
    return folder


@pytest.fixture
def write(folder: Path) -> Write:
    """Writes a document into the folder."""

    def write(path: str, content: str | bytes) -> Path:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    return write
