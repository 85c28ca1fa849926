"""How chat and decisions look over HTTP."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from runs.models import Approval
from runs.states import Verdict


class ChatRequest(serializers.Serializer[Any]):
    """Body of ``POST /v1/chat/brendan``; ``options`` are those of a run and win over what Brendan would choose."""

    message = serializers.CharField(max_length=4000)
    user_id = serializers.CharField(required=False, default="", max_length=128, allow_blank=True)
    project = serializers.SlugField(required=False, default=None, allow_null=True)
    options = serializers.DictField(required=False, default=dict)


class ChatAnswer(serializers.Serializer[Any]):
    """``run_ids`` are the runs the answer is about; ``citations`` the passages it rests on."""

    response = serializers.CharField()
    run_ids = serializers.ListField(child=serializers.UUIDField())
    citations = serializers.ListField(child=serializers.DictField())


class LinkAnswer(serializers.Serializer[Any]):
    """``digest`` is of what the gate shows now; an approval over HTTP has to name it."""

    gate = serializers.CharField()
    url = serializers.URLField()
    digest = serializers.CharField()
    expires_at = serializers.DateTimeField()


class IdeaEditRequest(serializers.Serializer[Any]):
    """What becomes of one idea, named by the ``index`` that the gate shows; absent keys stay as they are."""

    index = serializers.IntegerField(min_value=0, max_value=99)
    drop = serializers.BooleanField(required=False, help_text="leave it out: the film has one clip less")
    subject = serializers.CharField(required=False, max_length=120)
    header = serializers.CharField(required=False, max_length=60)
    title = serializers.CharField(required=False, max_length=120)
    concept = serializers.CharField(required=False, min_length=20, max_length=800)


class EditsRequest(serializers.Serializer[Any]):
    """What a reviewer may change: title, caption and tags of a draft, or the ideas. Absent keys stay as they are."""

    title = serializers.CharField(required=False, allow_blank=True, max_length=200)
    caption = serializers.CharField(required=False, max_length=2200)
    tags = serializers.ListField(required=False, child=serializers.CharField(max_length=100), max_length=30)
    ideas = serializers.ListField(required=False, child=IdeaEditRequest(), max_length=100)


class DecisionRequest(serializers.Serializer[Any]):
    """Body of ``POST /v1/hitl/decide/{runId}/{gate}``.

    ``stage`` is the persona a revision goes back to. ``digest`` is of what the caller has looked at, as told by
    ``GET /v1/hitl/{runId}/link`` and the gate's newest ``hitl.request`` artifact: the decision counts only if the gate
    still shows that. An approval needs it.
    """

    verdict = serializers.ChoiceField(choices=[verdict.value for verdict in Verdict])
    comment = serializers.CharField(required=False, default="", allow_blank=True, max_length=2000)
    edits = EditsRequest(required=False, default=dict)
    stage = serializers.CharField(required=False, default="", allow_blank=True, max_length=64)
    digest = serializers.RegexField(r"^[0-9a-f]{64}$", required=False, default="", allow_blank=True)


class ApprovalSerializer(serializers.ModelSerializer[Approval]):
    runId = serializers.UUIDField(source="run_id", read_only=True)
    decided_at = serializers.DateTimeField(source="created_at", read_only=True)

    class Meta:
        model = Approval
        fields = ("runId", "gate", "verdict", "comment", "edits", "actor", "channel", "decided_at")


class VoteAnswer(serializers.Serializer[Any]):
    """An approval that was counted; the gate opens when ``needed`` people have approved."""

    gate = serializers.CharField()
    approved_by = serializers.ListField(child=serializers.CharField())
    needed = serializers.IntegerField()
