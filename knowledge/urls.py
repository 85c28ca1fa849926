"""URLs of knowledge."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from .views import SearchKnowledge

urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/kb/search", SearchKnowledge.as_view(), name="kb-search"),
]
