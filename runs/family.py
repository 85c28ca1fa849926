"""Runs that share finished work because one was forked from the other, and what that forbids: publishing it twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Q

from myloware.kernel.errors import Conflict

from . import services
from .models import ProviderJob, Run
from .states import IN_FLIGHT_JOB, JobStatus

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

# A publish that was cancelled after it had been taken to be sent may have reached the platform all the same.
_OUT = Q(status__in=[*IN_FLIGHT_JOB, JobStatus.SUCCEEDED]) | Q(status=JobStatus.CANCELLED, deadline__isnull=False)


def family(run: Run) -> set[UUID]:
    """The run, all it descends from, and all that was forked from any of those."""
    first = run
    while first.forked_from:
        first = first.forked_from
    found, generation = {first.id}, {first.id}
    while generation:
        generation = set(Run.objects.filter(forked_from__in=generation).values_list("id", flat=True))
        found |= generation
    return found


def origin(job: ProviderJob) -> dict[str, Any]:
    """Where a job was really carried out, as its copies keep it: run, job, external_id, cost_microusd."""
    copied: dict[str, Any] = job.report.get("forked_from", {})
    return copied or {
        "run": str(job.run_id),
        "job": str(job.id),
        "external_id": job.external_id,
        "cost_microusd": job.cost_microusd,
    }


def publications(render: ProviderJob) -> QuerySet[ProviderJob]:
    """Publishes of the film that ``render`` made which have reached the platform, or may have; the oldest first.

    A film is one render, however often it was handed on: another render is another film, and was approved as such.
    """
    made = origin(render)["job"]
    sharing = ProviderJob.objects.filter(Q(id=made) | Q(report__forked_from__job=made), run__in=family(render.run))
    out = ProviderJob.objects.filter(_OUT, kind="publish", run__in=sharing.values("run"))
    return out.order_by("created_at")


def told(publish: ProviderJob) -> str:
    """What became of a publish, as a sentence without its full stop."""
    if publish.status == JobStatus.SUCCEEDED:
        return f"this film is already published, by run {publish.run_id}"
    return f"run {publish.run_id} may have published this film: its outcome is not known"


def forbid_second(publish: ProviderJob) -> None:
    """Raises ``Conflict`` when another publish of the same film, by this run or its family, is out.

    Each publish is committed as under way before it asks: of two at once at least one sees the other, and none is sent
    twice.
    """
    render = services.current_jobs(publish.run, "render").first()
    other = publications(render).exclude(id=publish.id).first() if render else None
    if other:
        raise Conflict(f"Not sent: {told(other)}. Cancel this run, or fork it from an earlier step for another film.")
