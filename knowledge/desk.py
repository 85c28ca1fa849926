"""The knowledge base's page in the admin: try a search, bring documents, see what is covered."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.decorators import permission_required
from django.db.models import Count, F, Q
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from myloware.kernel.errors import InvalidInput, MylowareError

from .ingest import ingest
from .models import Document, Gap
from .search import find

if TYPE_CHECKING:
    from django.core.files.uploadedfile import UploadedFile
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse

    from .ingest import Report
    from .search import Hit

MAX_FILES = 20
# Rows of a list on the desk; the admin's own lists have them all.
SHOWN = 12


class SearchForm(forms.Form):
    q = forms.CharField(max_length=400, label="What to look for")
    project = forms.SlugField(required=False)
    persona = forms.SlugField(required=False)


class _FilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class _FilesField(forms.FileField):
    widget = _FilesInput

    def clean(self, data: Any, initial: Any = None) -> Any:
        return [super(_FilesField, self).clean(each, initial) for each in data or [None]]


class UploadForm(forms.Form):
    documents = _FilesField(help_text="Markdown, JSON, text or PDF; a file of the same name and scope is replaced")
    project = forms.SlugField(required=False, help_text="blank: every project")
    persona = forms.SlugField(required=False, help_text="blank: every persona")


def desk(request: HttpRequest) -> HttpResponse:
    """A search as the crew would make it, which is not counted as one; what is missing, and what there is for whom."""
    form = SearchForm(request.GET or None)
    unread = Document.objects.filter(found_at=None).defer("metadata")
    context = admin.site.each_context(request) | {
        "title": "What the crew knows",
        "form": form,
        "hits": _hits(request, form),
        "upload": UploadForm(auto_id="upload_%s"),
        "may_upload": request.user.has_perm("knowledge.add_document"),
        "coverage": _coverage(),
        "unread": unread[:SHOWN],
        "more_unread": max(unread.count() - SHOWN, 0),
        "gaps": Gap.objects.all()[:SHOWN],
        "more_gaps": max(Gap.objects.count() - SHOWN, 0),
    }
    return render(request, "admin/knowledge/document/desk.html", context)


def _hits(request: HttpRequest, form: SearchForm) -> list[Hit] | None:
    if not form.is_valid():
        return None
    wanted = dict(form.cleaned_data)
    try:
        return find([wanted.pop("q")], k=10, **wanted).hits
    except MylowareError as error:
        messages.error(request, error.message)
        return None


def _coverage() -> QuerySet[Document, Any]:
    """Documents and passages of each scope; ``unread``: those that no search of the crew has found."""
    scopes = Document.objects.order_by().values("project", "persona", model=F("chunks__embedding_model"))
    counted = scopes.annotate(
        documents=Count("pk", distinct=True),
        passages=Count("chunks"),
        unread=Count("pk", distinct=True, filter=Q(found_at=None)),
    )
    return counted.order_by("project", "persona", "model")


@require_POST
@permission_required("knowledge.add_document", raise_exception=True)
def upload(request: HttpRequest) -> HttpResponse:
    """Ingests the files, and says what was refused and why."""
    form = UploadForm(request.POST, request.FILES)
    if form.is_valid():
        wanted = dict(form.cleaned_data)
        try:
            _tell(request, _ingested(wanted.pop("documents"), **wanted))
        except MylowareError as error:
            messages.error(request, error.message)
    else:
        messages.error(request, "; ".join(f"{name}: {faults.as_text()}" for name, faults in form.errors.items()))
    return redirect("admin:knowledge_document_desk")


def _ingested(files: list[UploadedFile[bytes]], *, project: str, persona: str) -> Report:
    if len(files) > MAX_FILES:
        raise InvalidInput(f"{len(files)} files; at most {MAX_FILES} at once. Use manage.py kb_ingest for folders.")
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            # Django has taken folders out of the name.
            Path(folder, str(file.name)).write_bytes(file.read())
        return ingest(Path(folder), project=project, persona=persona)


def _tell(request: HttpRequest, report: Report) -> None:
    messages.info(request, f"{report.added} added, {report.updated} updated, {report.unchanged} unchanged")
    for path, reason in report.refused:
        messages.error(request, f"refused {path}: {reason}")
