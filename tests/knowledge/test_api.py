"""``GET /v1/kb/search``, the admin's pages and the command."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.test import Client

from knowledge.models import Document

from .conftest import SHIPPED

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django import Settings

    from .conftest import Write


@pytest.fixture
def api(settings: Settings) -> Client:
    """The holder of the API key."""
    settings.API_KEY = "key-of-the-tests"
    return Client(headers={"X-API-Key": settings.API_KEY})


def test_it_answers_with_passages(shipped: Path, api: Client) -> None:
    answer = api.get("/v1/kb/search", {"q": "whisper timing", "k": "2", "project": "aismr", "persona": "riley"})
    assert answer.status_code == 200
    hits = answer.json()["hits"]
    assert len(hits) == 2
    assert set(hits[0]) == {
        *("document", "path", "title", "heading", "chunk_id", "score", "vector", "lexical", "good", "snippet")
    }
    assert hits[0]["path"] == "craft/whisper-timing.md"


def test_it_wants_the_key(shipped: Path, api: Client) -> None:
    assert Client().get("/v1/kb/search", {"q": "light"}).status_code == 401
    assert Client(headers={"X-API-Key": "guess"}).get("/v1/kb/search", {"q": "light"}).status_code == 401


@pytest.mark.parametrize("query", ["", "q=", "q=x&k=0", "q=x&project=a+b", "q=%00"])
def test_it_says_what_is_wrong_with_a_query(db: None, api: Client, query: str) -> None:
    answer = api.get(f"/v1/kb/search?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_input"


def test_it_stands_in_the_openapi_document(api: Client) -> None:
    schema = api.get("/v1/schema", headers={"Accept": "application/json"}).json()
    parameters = {each["name"]: each for each in schema["paths"]["/v1/kb/search"]["get"]["parameters"]}
    assert set(parameters) == {"q", "project", "persona", "k"}
    assert parameters["q"]["required"]


def test_the_admin_finds_a_document_by_its_text_and_shows_its_passages(shipped: Path, admin_client: Client) -> None:
    page = admin_client.get("/admin/knowledge/document/", {"q": "pause in the movement"}).content.decode()
    document = Document.objects.get(path="craft/whisper-timing.md")
    assert document.path in page
    assert "craft/light.md" not in page
    assert f'<td class="field-chunk_count">{document.chunks.count()}</td>' in page
    detail = admin_client.get(f"/admin/knowledge/document/{document.id}/change/").content.decode()
    assert "Whisper timing &gt; Choosing the word" in detail


def test_the_admin_finds_a_document_by_its_tag(shipped: Path, admin_client: Client) -> None:
    page = admin_client.get("/admin/knowledge/document/", {"q": "oddly"}).content.decode()
    assert "platform/captions-and-hashtags.md" in page


def test_the_admin_searches_as_the_crew_does(shipped: Path, admin_client: Client) -> None:
    page = admin_client.get("/admin/knowledge/document/desk/", {"q": "whisper timing"}).content.decode()
    assert page.index("craft/whisper-timing.md") < page.index("craft/sound-design-and-asmr.md")
    assert "<td>aismr</td>" in page
    assert "weak" in admin_client.get("/admin/knowledge/document/desk/", {"q": "income tax"}).content.decode()


def test_the_admin_takes_files_and_names_those_it_refuses(db: None, admin_client: Client) -> None:
    files = [ContentFile(b"# New\n\ntext", "new.md"), ContentFile(b"\0", "../bad.md")]
    sent = {"documents": files, "project": "aismr", "persona": ""}
    page = admin_client.post("/admin/knowledge/document/upload/", sent, follow=True).content.decode()
    assert "Refused bad.md: binary" in page
    assert Document.objects.values_list("path", "project").get() == ("new.md", "aismr")
    assert (
        "This field is required"
        in admin_client.post("/admin/knowledge/document/upload/", {}, follow=True).content.decode()
    )


def test_only_who_may_add_documents_brings_them(db: None, client: Client) -> None:
    client.force_login(User.objects.create_user("reader", is_staff=True))
    answer = client.post("/admin/knowledge/document/upload/", {"documents": ContentFile(b"text", "a.md")})
    assert answer.status_code == 403
    assert not Document.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_command_tells_what_it_did() -> None:
    out = io.StringIO()
    call_command("kb_ingest", str(SHIPPED), stdout=out)
    assert f"{Document.objects.count()} added" in out.getvalue()


@pytest.mark.django_db(transaction=True)
def test_the_command_names_refused_files_and_fails_with_1(folder: Path, write: Write) -> None:
    write("good.md", "text")
    write("bad.md", b"\0")
    err = io.StringIO()
    with pytest.raises(CommandError) as failure:
        call_command("kb_ingest", str(folder), stderr=err, stdout=io.StringIO())
    assert failure.value.returncode == 1
    assert "bad.md: binary" in err.getvalue()
    assert Document.objects.get().path == "good.md"


def test_the_command_fails_with_2_without_a_folder(db: None, folder: Path) -> None:
    with pytest.raises(CommandError) as failure:
        call_command("kb_ingest", str(folder / "missing"))
    assert failure.value.returncode == 2
