"""A run's history as server-sent events, for whoever watches it live."""

from __future__ import annotations

import asyncio
import json
import math
from typing import TYPE_CHECKING, Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import HttpRequest, JsonResponse, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from access import limits
from access.auth import holder_of
from access.models import Scope
from myloware.kernel.errors import MylowareError, NotFound, Unauthenticated
from myloware.kernel.requests import error_body

from .api import visible
from .models import Run, RunEvent
from .serializers import EventSerializer
from .states import ACTIVE_RUN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from django.http.response import HttpResponseBase

POLL_S = 0.5


@csrf_exempt
@require_safe
async def stream(request: HttpRequest, run_id: UUID) -> HttpResponseBase:
    """``text/event-stream`` of a run's events, resumable by ``Last-Event-ID``, closed when the run has ended."""
    try:
        await sync_to_async(_admit)(request, run_id)
    except MylowareError as error:
        wait_s = getattr(error, "retry_after_s", None)
        headers = {"Retry-After": str(math.ceil(wait_s))} if wait_s else {}
        return JsonResponse(error_body(request, error.code, error.message), status=error.status, headers=headers)
    last = request.headers.get("Last-Event-ID", "0")
    events = _events(run_id, int(last) if last.isdecimal() else 0)
    return StreamingHttpResponse(
        events, content_type="text/event-stream", headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )


def _admit(request: HttpRequest, run_id: UUID) -> None:
    """As the views of the API: a valid key, its scope, its rate, and a run that is its owner's."""
    holder = holder_of(request)
    if holder is None:
        raise Unauthenticated("Send a valid API key in X-API-Key.")
    holder.require(Scope.RUNS_READ)
    limits.take(holder.name, limiter="run-stream")
    if not visible(holder).filter(id=run_id).exists():
        raise NotFound(f"There is no run {run_id}.")


async def _events(run_id: UUID, last: int) -> AsyncIterator[str]:
    while True:
        # Read before the events: what happens in between is caught by the last turn.
        ended = not await Run.objects.filter(id=run_id, status__in=ACTIVE_RUN).aexists()
        for event in await _after(run_id, last):
            last = event["id"]
            yield f"id: {last}\nevent: {event['subject']}\ndata: {json.dumps(event)}\n\n"
        if ended:
            return
        await asyncio.sleep(POLL_S)
        yield ": still here\n\n"


@sync_to_async
def _after(run_id: UUID, last: int) -> list[dict[str, Any]]:
    return list(EventSerializer(RunEvent.objects.filter(run_id=run_id, id__gt=last), many=True).data)
