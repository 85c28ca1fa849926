"""The HTTP API of chat and decisions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import APIView

from access.auth import caller, holder
from access.models import Scope
from myloware.kernel.errors import Conflict, NotFound, UnprocessableInput
from runs import services
from runs.api import find_run
from runs.models import Run, Step
from runs.policies import policy_of
from runs.states import StepStatus, Verdict

from . import links
from .chat import admit, talk
from .serializers import ApprovalSerializer, ChatAnswer, ChatRequest, DecisionRequest, LinkAnswer, VoteAnswer
from .stream import EVENTS, EventStream, streamed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http.response import HttpResponseBase
    from rest_framework.request import Request


class ChatBrendan(APIView):
    scope = Scope.CHAT
    renderer_classes = (JSONRenderer, EventStream)

    @extend_schema(
        request=ChatRequest,
        responses={
            (200, "application/json"): ChatAnswer,
            (200, "text/event-stream"): OpenApiResponse(str, description=EVENTS),
        },
    )
    def post(self, request: Request) -> HttpResponseBase:
        """One message to Brendan. A film he proposes waits for a person at its ``workflow`` gate.

        With ``Accept: text/event-stream`` the answer comes as server-sent events while it is made. 429 while the user's
        last message is being answered.
        """
        body = ChatRequest(data=request.data)
        body.is_valid(raise_exception=True)
        said = body.validated_data
        user_id = holder(request).user_id(said["user_id"]) or caller(request)
        given = {"user_id": user_id, "project": said["project"], "options": said["options"]}
        turn = partial(talk, said["message"], **given)
        if isinstance(request.accepted_renderer, EventStream):
            admit(**given)
            return streamed(turn, request)
        return Response(turn().model_dump(mode="json"))

    def handle_exception(self, exc: Exception) -> Response:
        """What goes wrong before the first event is answered in JSON."""
        self.request.accepted_renderer = JSONRenderer()
        self.request.accepted_media_type = JSONRenderer.media_type
        return super().handle_exception(exc)


class GateLink(APIView):
    scope = Scope.HITL

    @extend_schema(responses=LinkAnswer)
    def get(self, request: Request, run_id: UUID) -> Response:
        """A fresh approval link for the gate at which the run waits now; 409 when it waits at none."""
        gate = _open(find_run(run_id, request))
        url, expires_at = links.fresh_link(gate)
        digest = services.digest_of(gate)
        answer = {"gate": gate.name, "url": url, "digest": digest, "expires_at": expires_at}
        return Response(LinkAnswer(answer).data)


class RevokeLinks(APIView):
    scope = Scope.HITL

    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request, run_id: UUID) -> Response:
        """Makes every link to the open gate void, wherever it was sent; 409 when no gate is open."""
        gate = _open(find_run(run_id, request))
        links.revoke(gate, actor=caller(request))
        return Response(status=204)


class DecideGate(APIView):
    scope = Scope.HITL

    @extend_schema(request=DecisionRequest, responses={200: ApprovalSerializer, 202: VoteAnswer})
    def post(self, request: Request, run_id: UUID, gate: str) -> Response:
        """Decides at a gate. One decision counts; a second is told with 409 who was first.

        202 when more people have to approve, 403 when the gate's policy leaves it to others.
        """
        step = _newest(find_run(run_id, request), gate)
        body = DecisionRequest(data=request.data)
        body.is_valid(raise_exception=True)
        wanted = body.validated_data
        decision = services.Decision(
            Verdict(wanted["verdict"]),
            actor=caller(request),
            channel="api",
            digest=_digest(wanted, step),
            comment=wanted["comment"],
            edits=dict(wanted["edits"]),
            stage=wanted["stage"],
        )
        approval = services.decide(step.id, decision)
        if approval is None:
            told = {"gate": gate, "approved_by": sorted(services.voters(step)), "needed": policy_of(step).quorum}
            return Response(VoteAnswer(told).data, status=202)
        return Response(ApprovalSerializer(approval).data)


def _open(run: Run) -> Step:
    gate = links.open_gate(run)
    if gate is None:
        raise Conflict(f"No gate is open: the run is {run.status}.", status=run.status)
    return gate


def _digest(wanted: Mapping[str, Any], step: Step) -> str:
    """Of what the caller has looked at. Only who approves has to prove it: no other verdict sets anything going."""
    if not wanted["digest"] and wanted["verdict"] == Verdict.APPROVE and step.status == StepStatus.WAITING:
        raise UnprocessableInput(
            "Say what you approve: send the digest from the gate's newest hitl.request artifact.", field="digest"
        )
    return wanted["digest"] or services.digest_of(step)


def _newest(run: Run, gate: str) -> Step:
    """The run's gate of this name; after a revision there are several, and the last one counts."""
    step = run.steps.filter(kind="gate", name=gate).last()
    if step is None:
        raise NotFound(f"Run {run.id} has no gate '{gate}'.")
    return step
