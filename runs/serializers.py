"""How runs look over HTTP."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from providers import renders

from .fork import Fate
from .models import Artifact, Project, ProviderJob, Run, RunEvent, Step
from .states import IN_FLIGHT_JOB


class StartRequest(serializers.Serializer[Any]):
    """Body of ``POST /v1/runs/start``; ``input`` and ``options`` are checked by their pydantic shapes."""

    project = serializers.SlugField()
    input = serializers.DictField(required=False, default=dict)
    options = serializers.DictField(required=False, default=dict)
    user_id = serializers.CharField(required=False, default="", max_length=128)


class RunFilter(serializers.Serializer[Any]):
    """Query of ``GET /v1/runs``."""

    status = serializers.CharField(required=False, allow_blank=True)
    project = serializers.CharField(required=False, allow_blank=True, source="project__slug")
    user_id = serializers.CharField(required=False, allow_blank=True)


class EventFilter(serializers.Serializer[Any]):
    """Query of ``GET /v1/runs/{runId}/events``."""

    after = serializers.IntegerField(
        required=False, default=0, min_value=0, max_value=2**63 - 1, help_text="the last id that the caller has seen"
    )


class ArtifactFilter(serializers.Serializer[Any]):
    """Query of ``GET /v1/runs/{runId}/artifacts``."""

    type = serializers.CharField(required=False, allow_blank=True)


class StartAnswer(serializers.Serializer[Any]):
    runId = serializers.UUIDField()
    status = serializers.CharField()


class ReasonRequest(serializers.Serializer[Any]):
    reason = serializers.CharField(required=False, default="", max_length=500, allow_blank=True)


class RetryRequest(serializers.Serializer[Any]):
    """Body of ``POST /v1/runs/{runId}/retry``; without ``clip`` all that failed."""

    clip = serializers.IntegerField(
        required=False, default=None, allow_null=True, min_value=0, help_text="index of the one clip to order anew"
    )


class ReviseRequest(serializers.Serializer[Any]):
    """Body of ``POST /v1/runs/{runId}/revise``."""

    stage = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=64, help_text="default: the last one before the gate"
    )
    comment = serializers.CharField(max_length=2000, help_text="what should be different")


class ForkRequest(serializers.Serializer[Any]):
    """Body of ``POST /v1/runs/{runId}/fork``."""

    step = serializers.CharField(max_length=64, help_text="the first step that is done again")


class EffectSerializer(serializers.Serializer[Any]):
    """What becomes of one order that the old run placed outside."""

    kind = serializers.CharField()
    index = serializers.IntegerField()
    provider = serializers.CharField()
    fate = serializers.ChoiceField(choices=[fate.value for fate in Fate])
    cost_microusd = serializers.IntegerField(allow_null=True, help_text="micro-dollars; null: nobody knows")
    reason = serializers.CharField()


class ForkPreview(serializers.Serializer[Any]):
    step = serializers.CharField()
    forbidden = serializers.CharField(help_text="why this fork is refused; empty when it is not")
    cost_microusd = serializers.IntegerField(allow_null=True, help_text="of all effects; null: nobody knows")
    effects = EffectSerializer(many=True)


class StepSerializer(serializers.ModelSerializer[Step]):
    duration_s = serializers.SerializerMethodField()

    class Meta:
        model = Step
        fields = (
            "id",
            "position",
            "kind",
            "name",
            "status",
            "attempt",
            "error",
            "started_at",
            "finished_at",
            "duration_s",
        )

    def get_duration_s(self, step: Step) -> float | None:
        return step.seconds(timezone.now())


class ProgressSerializer(serializers.Serializer[Any]):
    """How far our own renderer is."""

    status = serializers.CharField(help_text="in Shotstack's words: queued, fetching, preprocessing, rendering, ...")
    percent = serializers.IntegerField()
    fps = serializers.FloatField(allow_null=True, help_text="frames made in a second")
    left_s = serializers.FloatField(allow_null=True, help_text="how long it will take from now on, in seconds")
    reason = serializers.CharField(help_text="why it is queued; empty: for a free renderer")


class JobSerializer(serializers.ModelSerializer[ProviderJob]):
    progress = serializers.SerializerMethodField()

    class Meta:
        model = ProviderJob
        fields = (
            "id",
            "kind",
            "index",
            "provider",
            "status",
            "external_id",
            "error",
            "submitted_at",
            "finished_at",
            "progress",
        )

    @extend_schema_field(ProgressSerializer(allow_null=True))
    def get_progress(self, job: ProviderJob) -> Any:
        seen = renders.progress(job.reference) if job.kind == "render" and job.status in IN_FLIGHT_JOB else None
        return ProgressSerializer(seen).data if seen else None


class ArtifactSerializer(serializers.ModelSerializer[Artifact]):
    media_url = serializers.CharField(read_only=True)

    class Meta:
        model = Artifact
        fields = ("id", "type", "url", "path", "media_url", "checksum", "metadata", "created_at")


class EventSerializer(serializers.ModelSerializer[RunEvent]):
    class Meta:
        model = RunEvent
        fields = ("id", "subject", "old", "new", "reason", "actor", "created_at")


class RunSerializer(serializers.ModelSerializer[Run]):
    """A run in a list."""

    runId = serializers.UUIDField(source="id", read_only=True)
    project = serializers.CharField(source="project.slug", read_only=True)
    brief = serializers.CharField(source="payload.input.brief", read_only=True)

    class Meta:
        model = Run
        fields = (
            "runId",
            "project",
            "brief",
            "status",
            "reason",
            "user_id",
            "forked_from",
            "created_at",
            "finished_at",
        )


class RunDetailSerializer(RunSerializer):
    """One run with its steps, jobs and result."""

    result = serializers.JSONField(read_only=True)
    payload = serializers.JSONField(read_only=True)
    steps = StepSerializer(many=True, read_only=True)
    jobs = JobSerializer(many=True, read_only=True)

    class Meta(RunSerializer.Meta):
        fields = (*RunSerializer.Meta.fields, "payload", "result", "steps", "jobs")  # type: ignore[assignment]

    def to_representation(self, run: Run) -> dict[str, Any]:
        shown = super().to_representation(run)
        shown["payload"] = run.payload.model_dump(mode="json", by_alias=True)
        shown["result"] = run.result.model_dump(mode="json")
        return shown


class ProjectSerializer(serializers.ModelSerializer[Project]):
    spec = serializers.SerializerMethodField()

    class Meta:
        model = Project
        fields = ("slug", "title", "description", "spec")

    def get_spec(self, project: Project) -> dict[str, Any]:
        spec: dict[str, Any] = project.spec.model_dump(mode="json", by_alias=True)
        return spec


# Those without a dot that the engine writes, and reads again: a false one would be taken for its own.
OURS = frozenset({"citations", "idea", "poster", "prompt", "script", "trace"})


class ArtifactRequest(serializers.Serializer[Any]):
    """Body of ``POST /v1/runs/{runId}/artifacts``: evidence from outside, under a word that is not the engine's."""

    type = serializers.RegexField(r"^[a-z][a-z0-9_-]*$", max_length=32)
    url = serializers.URLField(required=False, default="", allow_blank=True, max_length=2000)
    metadata = serializers.DictField(required=False, default=dict)

    def validate_type(self, word: str) -> str:
        if word in OURS:
            raise serializers.ValidationError(f"'{word}' is what the engine calls papers of its own.")
        return word
