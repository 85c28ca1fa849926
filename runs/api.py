"""The HTTP API of runs and projects. Views read a request, call a service, and serialise; nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from pydantic import BaseModel, ValidationError
from rest_framework.response import Response
from rest_framework.views import APIView

from access.auth import KeyHolder, caller, holder
from access.models import Scope
from myloware.kernel.errors import NotFound, UnprocessableInput

from . import fork, services
from .models import Project, Run
from .schemas import RunInput, RunOptions
from .serializers import (
    ArtifactFilter,
    ArtifactRequest,
    ArtifactSerializer,
    EventFilter,
    EventSerializer,
    ForkPreview,
    ForkRequest,
    ProjectSerializer,
    ReasonRequest,
    RetryRequest,
    ReviseRequest,
    RunDetailSerializer,
    RunFilter,
    RunSerializer,
    StartAnswer,
    StartRequest,
)

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.serializers import Serializer

T = TypeVar("T", bound=BaseModel)

PAGE = 50


def parse(shape: type[T], value: dict[str, Any]) -> T:
    """``value`` as ``shape``; raises ``UnprocessableInput`` with every fault in words."""
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc'])) or 'input'}: {fault['msg']}" for fault in error.errors()]
        raise UnprocessableInput("; ".join(faults)) from error


def _query(shape: type[Serializer[Any]], request: Request) -> dict[str, Any]:
    """What the query string says, as ``shape`` wants it."""
    query = shape(data=request.query_params)
    query.is_valid(raise_exception=True)
    return dict(query.validated_data)


def visible(to: KeyHolder) -> QuerySet[Run]:
    """The runs that a key may see: its owner's, or with the scope admin all."""
    runs = Run.objects.select_related("project")
    return runs if to.sees_all else runs.filter(user_id=to.owner)


def find_run(run_id: UUID, request: Request) -> Run:
    """Raises ``NotFound``, also for a run that is somebody else's."""
    run = visible(holder(request)).filter(id=run_id).first()
    if run is None:
        raise NotFound(f"There is no run {run_id}.")
    return run


def find_project(slug: str) -> Project:
    project = Project.objects.filter(slug=slug).first()
    if project is None:
        known = ", ".join(Project.objects.values_list("slug", flat=True))
        raise NotFound(f"There is no project '{slug}'. Known: {known or 'none; run manage.py load_projects'}.")
    return project


class StartRun(APIView):
    @extend_schema(request=StartRequest, responses={201: StartAnswer})
    def post(self, request: Request) -> Response:
        """Starts a run. The key holder's call is the decision at the ``workflow`` gate."""
        body = StartRequest(data=request.data)
        body.is_valid(raise_exception=True)
        wanted = body.validated_data
        run = services.create_run(
            project=find_project(wanted["project"]),
            input=parse(RunInput, wanted["input"]),
            options=parse(RunOptions, wanted["options"]),
            user_id=holder(request).user_id(wanted["user_id"]),
            actor=caller(request),
            approved_by=caller(request),
        )
        return Response({"runId": run.id, "status": "started"}, status=201)


class RunList(APIView):
    @extend_schema(parameters=[RunFilter], responses=RunSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The newest 50 runs, filtered."""
        runs = visible(holder(request)).filter(**_query(RunFilter, request))[:PAGE]
        return Response(RunSerializer(runs, many=True).data)


class RunDetail(APIView):
    @extend_schema(responses=RunDetailSerializer)
    def get(self, request: Request, run_id: UUID) -> Response:
        """One run with its steps, provider jobs and result."""
        return Response(RunDetailSerializer(find_run(run_id, request)).data)


class ContinueRun(APIView):
    @extend_schema(request=None, responses=RunDetailSerializer)
    def post(self, request: Request, run_id: UUID) -> Response:
        """Wakes a run: retries a failed one, otherwise sends its wake-up again. Gates stay closed."""
        run = find_run(run_id, request)
        run = services.retry(run.id, actor=caller(request)) if run.status == "failed" else services.resume(run.id)
        return Response(RunDetailSerializer(run).data)


class CancelRun(APIView):
    @extend_schema(request=ReasonRequest, responses=RunDetailSerializer)
    def post(self, request: Request, run_id: UUID) -> Response:
        """Cancels a run that has not ended."""
        run = find_run(run_id, request)
        body = ReasonRequest(data=request.data)
        body.is_valid(raise_exception=True)
        reason = body.validated_data["reason"] or "cancelled"
        run = services.cancel(run.id, actor=caller(request), reason=reason)
        return Response(RunDetailSerializer(run).data)


class RetryRun(APIView):
    @extend_schema(request=RetryRequest, responses=RunDetailSerializer)
    def post(self, request: Request, run_id: UUID) -> Response:
        """Sends what failed to work again, or with ``clip`` that one clip alone; what is finished is kept.

        409 when nothing failed, or the clip did not.
        """
        run = find_run(run_id, request)
        body = RetryRequest(data=request.data)
        body.is_valid(raise_exception=True)
        run = services.retry(run.id, actor=caller(request), clip=body.validated_data["clip"])
        return Response(RunDetailSerializer(run).data)


class ReviseRun(APIView):
    scope = Scope.HITL

    @extend_schema(request=ReviseRequest, responses=RunDetailSerializer)
    def post(self, request: Request, run_id: UUID) -> Response:
        """Sends the run back from its open gate to ``stage``, with a comment that the stage has to heed.

        409 when no gate is open.
        """
        run = find_run(run_id, request)
        body = ReviseRequest(data=request.data)
        body.is_valid(raise_exception=True)
        run = services.revise(run.id, **body.validated_data, actor=caller(request))
        return Response(RunDetailSerializer(run).data)


class ForkRun(APIView):
    @extend_schema(
        parameters=[ForkRequest],
        responses=ForkPreview,
    )
    def get(self, request: Request, run_id: UUID) -> Response:
        """What a fork from ``step`` would reuse, order again at what cost, or may not do; changes nothing.

        404 for a step the run does not have, 409 when work before it is not finished.
        """
        run = find_run(run_id, request)
        return Response(forecast(run, _query(ForkRequest, request)["step"]))

    @extend_schema(request=ForkRequest, responses={201: RunDetailSerializer})
    def post(self, request: Request, run_id: UUID) -> Response:
        """Starts a new run that stands at ``step`` with everything before it taken from this one.

        409 when work before the step is not finished, or when it would publish a film that is out already.
        """
        run = find_run(run_id, request)
        body = ForkRequest(data=request.data)
        body.is_valid(raise_exception=True)
        new = fork.fork(run, body.validated_data["step"], caller(request))
        return Response(RunDetailSerializer(new).data, status=201)


def forecast(run: Run, step: str) -> dict[str, Any]:
    """A :func:`fork.preview` as the API gives it."""
    effects = fork.preview(run, step)
    told: dict[str, Any] = ForkPreview(
        {
            "step": step,
            "forbidden": fork.forbidden(effects),
            "cost_microusd": fork.total_microusd(effects),
            "effects": effects,
        }
    ).data
    return told


class RunEvents(APIView):
    @extend_schema(parameters=[EventFilter], responses=EventSerializer(many=True))
    def get(self, request: Request, run_id: UUID) -> Response:
        """The run's history in order; ``after`` is the last id the caller has seen."""
        events = find_run(run_id, request).events.filter(id__gt=_query(EventFilter, request)["after"])
        return Response(EventSerializer(events[:500], many=True).data)


class RunArtifacts(APIView):
    @extend_schema(parameters=[ArtifactFilter], responses=ArtifactSerializer(many=True))
    def get(self, request: Request, run_id: UUID) -> Response:
        """What the run produced."""
        artifacts = find_run(run_id, request).artifacts.filter(**_query(ArtifactFilter, request))
        return Response(ArtifactSerializer(artifacts, many=True).data)

    @extend_schema(request=ArtifactRequest, responses={201: ArtifactSerializer})
    def post(self, request: Request, run_id: UUID) -> Response:
        """Adds evidence to the run. Files come only from providers, so ``path`` cannot be set."""
        run = find_run(run_id, request)
        body = ArtifactRequest(data=request.data)
        body.is_valid(raise_exception=True)
        artifact = services.record_artifact(run=run, **body.validated_data)
        return Response(ArtifactSerializer(artifact).data, status=201)


class ProjectList(APIView):
    @extend_schema(responses=ProjectSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Every project that films can be made for."""
        return Response(ProjectSerializer(Project.objects.all(), many=True).data)


class ProjectDetail(APIView):
    @extend_schema(responses=ProjectSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """One project."""
        return Response(ProjectSerializer(find_project(slug)).data)
