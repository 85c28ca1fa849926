"""Files become documents: once each, again when they change, and never half."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

import knowledge.ingest
from knowledge import folders
from knowledge.ingest import Report, ingest
from knowledge.models import Chunk, Document, Term
from knowledge.passages import Passage
from myloware.kernel.errors import InvalidInput, NotFound

from .conftest import SHIPPED
from .papers import bomb

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from .conftest import Write


def counts(report: Report) -> tuple[int, int, int, int]:
    return report.added, report.updated, report.unchanged, report.removed


def chunk_ids() -> set[UUID]:
    return set(Chunk.objects.values_list("id", flat=True))


def test_it_reads_every_shipped_document(db: None) -> None:
    report = ingest(SHIPPED)
    assert report.added == report.found == len(list(SHIPPED.rglob("*.md"))) >= 12
    assert report.refused == []
    assert report.chunks == Chunk.objects.count()
    for document in Document.objects.all():
        assert document.metadata.tags
        assert 250 <= sum(len(chunk.text.split()) for chunk in document.chunks.all()) <= 750


def test_it_changes_nothing_the_second_time(shipped: Path) -> None:
    before = chunk_ids()
    report = ingest(shipped)
    assert counts(report) == (0, 0, Document.objects.count(), 0)
    assert report.chunks == 0
    assert chunk_ids() == before


def test_it_replaces_the_passages_of_a_changed_file_only(folder: Path, write: Write) -> None:
    write("changes.md", "# Old\n\n## One\n\nold\n\n## Two\n\nold")
    write("stays.md", "# Stays\n\nas it was")
    ingest(folder)
    document = Document.objects.get(path="changes.md")
    kept = set(Chunk.objects.filter(document__path="stays.md").values_list("id", flat=True))

    write("changes.md", "# New\n\nnew")
    assert counts(ingest(folder)) == (0, 1, 1, 0)
    document.refresh_from_db()
    assert document.title == "New"
    assert [chunk.text for chunk in document.chunks.all()] == ["new"]
    assert kept < chunk_ids()


def test_it_embeds_again_what_another_model_embedded(folder: Path, write: Write) -> None:
    write("a.md", "# A\n\ntext")
    ingest(folder)
    Chunk.objects.update(embedding_model="text-embedding-3-small")
    assert counts(ingest(folder)) == (0, 1, 0, 0)
    assert Chunk.objects.get().embedding_model == "wordllama-uncased"


def test_it_prunes_only_what_is_gone_from_this_folder(folder: Path, write: Write, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "theirs.md").write_text("theirs")
    ingest(elsewhere)
    gone, broken = write("gone.md", "gone"), write("broken.md", "good once")
    write("stays.md", "stays")
    ingest(folder)
    gone.unlink()
    broken.write_bytes(b"\0")

    assert ingest(folder).removed == 0
    assert ingest(folder, prune=True, dry_run=True).removed == 1
    assert ingest(folder, prune=True).removed == 1
    assert set(Document.objects.values_list("path", flat=True)) == {"theirs.md", "broken.md", "stays.md"}


def everything() -> tuple[Any, ...]:
    """Passages and the counts of their words."""
    chunks = Chunk.objects.order_by("document__path", "position").values_list("document__path", "position", "text")
    return list(chunks), dict(Term.objects.filter(passages__gt=0).values_list("lexeme", "passages"))


@pytest.mark.django_db(transaction=True)
def test_several_writers_leave_what_one_does(folder: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knowledge.ingest, "BATCH", 4)
    for number in range(40):
        write(f"{number:02}.md", f"# {number}\n\n## One\n\ncandle {number}\n\n## Two\n\nwax")
    assert ingest(folder, writers=3).chunks == 80
    for number in range(0, 40, 3):
        write(f"{number:02}.md", f"# {number}\n\n## Two\n\nwax and a wick")
    report = ingest(folder, writers=3)
    assert counts(report) == (0, 14, 26, 0)
    stored = everything()
    Document.objects.all().delete()
    ingest(folder)
    assert stored == everything()


@pytest.mark.django_db(transaction=True)
def test_a_writer_that_fails_leaves_whole_documents(
    folder: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(knowledge.ingest, "BATCH", 4)
    for number in range(20):
        write(f"{number:02}.md", f"# {number}\n\n## One\n\ncandle\n\n## Two\n\nwax")
    # PostgreSQL refuses the character zero, which no reader lets through.
    monkeypatch.setattr(
        knowledge.ingest, "cut", lambda title, body: [Passage(title, body + "\0" * ("11" in title))] * 2
    )
    with pytest.raises(psycopg.DataError):
        ingest(folder, writers=3)
    assert not Document.objects.filter(path="11.md").exists()
    assert all(document.chunks.count() == 2 for document in Document.objects.all())
    monkeypatch.undo()
    ingest(folder, writers=3)
    assert Document.objects.count() == 20


def test_it_only_tells_when_run_dry(folder: Path, write: Write) -> None:
    write("a.md", "text")
    report = ingest(folder, dry_run=True)
    assert (report.added, report.chunks) == (1, 1)
    assert not Document.objects.exists()


def test_it_takes_the_scope_from_the_path_else_from_the_caller(folder: Path, write: Write) -> None:
    for path in ("a.md", "projects/aismr/a.md", "personas/iggy/a.md", "projects/aismr/personas/riley/a.md"):
        write(path, "text")
    ingest(folder, project="films", persona="quinn")
    assert set(Document.objects.values_list("path", "project", "persona")) == {
        ("a.md", "films", "quinn"),
        ("projects/aismr/a.md", "aismr", "quinn"),
        ("personas/iggy/a.md", "films", "iggy"),
        ("projects/aismr/personas/riley/a.md", "aismr", "riley"),
    }


def test_it_keeps_one_path_apart_in_two_scopes(folder: Path, write: Write) -> None:
    write("a.md", "text")
    assert ingest(folder, project="one").added == 1
    assert ingest(folder, project="two").added == 1
    assert ingest(folder, project="one").unchanged == 1


HOSTILE: dict[str, tuple[bytes, str]] = {
    "binary.md": (b"\x89PNG\0\0", "binary"),
    "latin1.md": ("Gef\u00fchl".encode("latin-1"), "UTF-8"),
    "long-line.md": (b"x" * 10_000_000, "bytes"),
    "open.md": (b"---\ntitle: never closed\n", "closing ---"),
    "broken.md": (b"---\ntitle: [\n---\ntext", "front matter"),
    "list.md": (b"---\n- a\n---\ntext", "front matter"),
    "wrong-type.md": (b"---\ntitle: [a]\n---\ntext", "title"),
    "date.md": (b"---\ntitle: 2024-99-99\n---\ntext", "front matter"),
    "bomb.md": (b"---\na: &a [x, x]\nb: &b [*a, *a]\ntags: [*b, *b]\n---\ntext", "aliases"),
    "deep.md": (b"---\na: " + b"[" * 10_000 + b"\n---\ntext", "nested"),
    "deeper.json": (b"[" * 200_000, "nested"),
    "half.json": (rb'{"text": "\ud800"}', "surrogate"),
    "zero.json": (rb'{"text": "a\u0000b"}', "character zero"),
    "not.json": (b"{", "JSON"),
    "number.json": (b"9" * 10_000, "JSON"),
    "empty.md": (b"---\ntitle: nothing\n---\n \n", "no text"),
    "picture.png": (b"text", "not one of"),
    "bomb.pdf": (bomb(2, 100_000_000), "unpacks to too much"),
    "projects/no slug/a.md": (b"text", "slug"),
}


def test_it_names_and_skips_hostile_files_and_keeps_the_rest(folder: Path, write: Write) -> None:
    for path, (content, _) in HOSTILE.items():
        write(path, content)
    write("good.md", "# Good\n\ntext")
    report = ingest(folder)
    reasons = dict(report.refused)
    assert set(reasons) == set(HOSTILE)
    assert {path: word for path, (_, word) in HOSTILE.items() if word not in reasons[path]} == {}
    assert list(Document.objects.values_list("path", flat=True)) == ["good.md"]


def test_it_stays_in_the_folder(folder: Path, write: Write, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.md").write_text("secret")
    (folder / "file.md").symlink_to(outside / "secret.md")
    (folder / "dir").symlink_to(outside)
    (folder / "circle.md").symlink_to(folder / "circle.md")
    (folder / "nowhere.md").symlink_to(folder / "missing.md")
    os.mkfifo(folder / "pipe.md")
    write(".hidden.md", "hidden")
    write(".git/config.md", "hidden")
    report = ingest(folder)
    assert {path for path, _ in report.refused} == {"file.md", "dir", "circle.md", "nowhere.md", "pipe.md"}
    assert not Document.objects.exists()


def test_it_takes_at_most_so_many_bytes(folder: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MAX_TOTAL_BYTES", 10)
    for name in "abc":
        write(f"{name}.md", "12345")
    report = ingest(folder)
    assert report.added == 2
    assert [path for path, _ in report.refused] == ["c.md"]


def test_it_survives_a_file_at_the_limit_without_a_single_break(folder: Path, write: Write) -> None:
    write("line.md", "word" * (folders.MAX_FILE_BYTES // 4))
    report = ingest(folder)
    assert report.added == 1
    assert report.seconds < 10


def test_it_refuses_a_folder_or_scope_that_cannot_be(folder: Path) -> None:
    with pytest.raises(NotFound):
        ingest(folder / "missing")
    with pytest.raises(InvalidInput):
        ingest(folder, project="no slug")


def test_it_shows_its_progress(folder: Path, write: Write) -> None:
    for name in "abc":
        write(f"{name}.md", "text")
    seen: list[tuple[int, int]] = []
    ingest(folder, on_progress=lambda report: seen.append((report.done, report.found)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
