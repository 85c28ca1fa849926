"""What the crew asks tells which documents are found, and what they lack."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone

from knowledge import usage
from knowledge.ingest import ingest
from knowledge.models import Document, Gap
from knowledge.search import search
from knowledge.usage import note_found, note_gap

if TYPE_CHECKING:
    from pathlib import Path

    from django.test import Client

DESK = "/admin/knowledge/document/desk/"


def test_a_question_without_a_good_answer_is_one_row_however_it_is_written(shipped: Path) -> None:
    search(["Income  tax", "whisper timing"], project="aismr")
    search(["income TAX"], project="aismr")
    search(["income tax"], project="aismr", persona="iggy")
    assert set(Gap.objects.values_list("query", "project", "persona", "times")) == {
        ("income tax", "aismr", "", 2),
        ("income tax", "aismr", "iggy", 1),
    }


def test_the_questions_asked_longest_ago_make_room(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "MAX_GAPS", 2)
    for query in ("one", "two", "one", "three", "word " * 200):
        note_gap(query, project="", persona="")
    assert list(Gap.objects.order_by("asked_at").values_list("times", flat=True)) == [1, 1]
    assert not Gap.objects.filter(query__in=["one", "two"]).exists()


def test_what_is_found_is_noted_once_an_hour(shipped: Path) -> None:
    assert not Document.objects.exclude(found_at=None).exists()
    (hit,) = search(["whisper timing"], k=1)
    (first,) = Document.objects.exclude(found_at=None)
    assert first.id == hit.document
    search(["whisper timing"], k=1)
    again = Document.objects.get(id=hit.document)
    assert again.found_at == first.found_at
    Document.objects.update(found_at=timezone.now() - timedelta(hours=2))
    note_found([hit.document])
    again.refresh_from_db()
    assert again.found_at is not None
    assert first.found_at is not None
    assert again.found_at > first.found_at
    assert Document.objects.filter(found_at__lt=first.found_at).count() == Document.objects.count() - 1


def test_a_document_that_is_brought_again_stays_found(shipped: Path, folder: Path) -> None:
    (folder / "a.md").write_text("# Obsidian\n\nA mirror of obsidian.")
    ingest(folder)
    search(["obsidian mirror"])
    (folder / "a.md").write_text("# Obsidian\n\nAnother mirror.")
    ingest(folder)
    assert Document.objects.get(path="a.md").found_at is not None


def test_the_desk_tells_what_was_missing_and_what_is_never_found(shipped: Path, admin_client: Client) -> None:
    search(["income tax"], project="aismr")
    search(["whisper timing"], k=1)
    page = admin_client.get(DESK).content.decode()
    assert 'href="?q=income%20tax&amp;project=aismr&amp;persona="' in page
    unread = page[page.index("Never found by the crew") :]
    assert "Whisper timing" not in unread
    assert f"{Document.objects.filter(found_at=None).count() - 12} more" in unread
    assert admin_client.get("/admin/knowledge/document/", {"found_at__isempty": "1"}).status_code == 200


def test_trying_a_search_on_the_desk_is_not_the_crew_asking(shipped: Path, admin_client: Client) -> None:
    before = Document.objects.filter(found_at=None).count()
    for query in ("income tax", "whisper timing"):
        assert admin_client.get(DESK, {"q": query}).status_code == 200
    assert not Gap.objects.exists()
    assert Document.objects.filter(found_at=None).count() == before


def test_a_gap_that_was_filled_is_taken_off_the_list_by_whom_it_is_allowed(db: None, client: Client) -> None:
    note_gap("income tax", project="", persona="")
    gap = Gap.objects.get()
    editor = User.objects.create_user("editor", is_staff=True)
    client.force_login(editor)
    delete = f"/admin/knowledge/gap/{gap.pk}/delete/"
    assert client.post(delete, {"post": "yes"}).status_code == 403
    editor.user_permissions.add(Permission.objects.get(codename="delete_gap"))
    assert client.post(delete, {"post": "yes"}).status_code == 302
    assert not Gap.objects.exists()
