"""A run's history as server-sent events, for whoever watches it live."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import HttpRequest, JsonResponse, StreamingHttpResponse

from myloware.kernel.apikey import ApiKeyAuthentication
from myloware.kernel.requests import error_body

from .models import Run, RunEvent
from .serializers import EventSerializer
from .states import ACTIVE_RUN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from django.http.response import HttpResponseBase

POLL_S = 0.5


async def stream(request: HttpRequest, run_id: UUID) -> HttpResponseBase:
    """``text/event-stream`` of a run's events, resumable by ``Last-Event-ID``, closed when the run has ended."""
    if not ApiKeyAuthentication().accepts(request):
        return JsonResponse(error_body(request, "unauthenticated", "Send the API key in X-API-Key."), status=401)
    if not await Run.objects.filter(id=run_id).aexists():
        return JsonResponse(error_body(request, "not_found", f"There is no run {run_id}."), status=404)
    last = request.headers.get("Last-Event-ID", "0")
    events = _events(run_id, int(last) if last.isdecimal() else 0)
    return StreamingHttpResponse(
        events, content_type="text/event-stream", headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )


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
