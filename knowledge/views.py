"""The knowledge base over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from .search import MAX_HITS, search

if TYPE_CHECKING:
    from rest_framework.request import Request


class SearchRequest(serializers.Serializer[Any]):
    """Query of ``GET /v1/kb/search``."""

    q = serializers.CharField(max_length=400, help_text="what to look for, in plain words")
    project = serializers.SlugField(required=False, max_length=64, help_text="also what is for this project")
    persona = serializers.SlugField(required=False, max_length=64, help_text="also what is for this persona")
    k = serializers.IntegerField(required=False, default=5, min_value=1, max_value=MAX_HITS)


class HitAnswer(serializers.Serializer[Any]):
    """One passage, best first."""

    document = serializers.UUIDField()
    path = serializers.CharField()
    title = serializers.CharField()
    heading = serializers.CharField()
    chunk_id = serializers.UUIDField()
    score = serializers.FloatField(help_text="mean of the next two, 0-1")
    vector = serializers.FloatField(help_text="cosine similarity, 0-1")
    lexical = serializers.FloatField(help_text="BM25's share of what the query's words could give, 0-1")
    good = serializers.BooleanField(help_text="whether the passage is likely to answer")
    snippet = serializers.CharField()


class SearchAnswer(serializers.Serializer[Any]):
    hits = HitAnswer(many=True)


class SearchKnowledge(APIView):
    @extend_schema(parameters=[SearchRequest], responses=SearchAnswer)
    def get(self, request: Request) -> Response:
        """The passages that fit a question, as the crew would find them."""
        query = SearchRequest(data=request.query_params)
        query.is_valid(raise_exception=True)
        wanted = dict(query.validated_data)
        hits = search([wanted.pop("q")], **wanted)
        return Response({"hits": [hit.model_dump() for hit in hits]})
