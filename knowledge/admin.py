"""Documents in the admin: to be read and found. Their text comes from files, also from here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.urls import path

from myloware.kernel.admin import ReadOnly

from .desk import desk, upload
from .models import Chunk, Document, Gap, Term

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.contrib.admin.views.main import ChangeList
    from django.http import HttpRequest
    from django.urls import URLPattern


class ScopeFilter(admin.AllValuesFieldListFilter):
    """The values that there are; what is blank holds for everybody."""

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        for choice in super().choices(changelist):
            yield {**choice, "display": choice["display"] or "everybody"}


class ChunkInline(admin.TabularInline[Chunk, Document]):
    model = Chunk
    fields = readonly_fields = ("position", "heading", "text", "embedding_model")
    extra = 0
    can_delete = False
    ordering = ("position",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Chunk]:
        return super().get_queryset(request).defer("embedding", "lexemes", "weights")

    def has_add_permission(self, request: HttpRequest, obj: Document | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Document)
class DocumentAdmin(ReadOnly[Document]):
    list_display = ("title", "path", "project", "persona", "chunk_count", "found_at", "updated_at")
    list_filter = (
        ("project", ScopeFilter),
        ("persona", ScopeFilter),
        ("found_at", admin.EmptyFieldListFilter),
        "content_type",
    )
    search_fields = ("title", "path", "metadata", "chunks__heading", "chunks__text")
    search_help_text = "Words of the title, the path, the tags or the text"
    inlines = (ChunkInline,)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("desk/", view(desk), name="knowledge_document_desk"),
            path("upload/", view(upload), name="knowledge_document_upload"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Document]:
        # A subquery, because a search joins the passages that match and would spoil a plain count.
        chunks = Chunk.objects.filter(document=OuterRef("pk")).order_by().values("document")
        count = Subquery(chunks.annotate(count=Count("id")).values("count"))
        documents: QuerySet[Document] = super().get_queryset(request)
        return documents.annotate(chunk_count=count)

    @admin.display(description="chunks", ordering="chunk_count")
    def chunk_count(self, document: Document) -> int:
        return int(getattr(document, "chunk_count", None) or 0)


@admin.register(Term)
class TermAdmin(ReadOnly[Term]):
    list_display = ("lexeme", "passages")
    ordering = ("-passages", "lexeme")
    search_fields = ("lexeme",)


@admin.register(Gap)
class GapAdmin(ReadOnly[Gap]):
    list_display = ("query", "project", "persona", "times", "asked_at")
    list_filter = (("project", ScopeFilter), ("persona", ScopeFilter))
    search_fields = ("query",)

    def has_delete_permission(self, request: HttpRequest, obj: Gap | None = None) -> bool:
        """Who has written what was missing takes it off the list."""
        return request.user.has_perm("knowledge.delete_gap")
