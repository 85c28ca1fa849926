"""Orders to providers: intent first, then the call, then the truth as the provider tells it.

A callback is a wake-up like a poll: both end in :func:`refresh`, which asks the provider. Nothing here trusts what a
caller says about a job, and nothing repeats a request whose outcome is not known.
"""

from __future__ import annotations

import logging
import math
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from myloware.kernel.errors import (
    BudgetExceeded,
    Conflict,
    MylowareError,
    OutcomeUnknown,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    StoreUnavailable,
)
from myloware.kernel.lease import kept
from providers import registry, renders
from providers.base import Account, ClipOrder, Order, PublishOrder, RenderOrder, Report, State

from . import dispatch, family, money, services, store
from .models import ProviderJob, Run, Step
from .schemas import BUDGET, PublishDraft
from .states import ACTIVE_RUN, IN_FLIGHT_JOB, OPEN_JOB, JobStatus, RunStatus, StepStatus, before

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

log = logging.getLogger(__name__)

# Where the poster is taken from. A quarter would be a cut in a film of four, eight or twelve equal clips.
POSTER_AT = 0.2
# What passes by itself.
LATER = (RateLimited, ProviderUnavailable, StoreUnavailable)
PROVIDER_OF = {"clips": "kieai", "render": "shotstack", "publish": "upload-post"}


# --- Intent


@transaction.atomic
def order(step: Step, kind: str, requests: Sequence[dict[str, Any]]) -> list[ProviderJob]:
    """Commits one intent per request; asking again returns the same jobs, and renews only those that failed.

    Raises ``RateLimited`` when the run would queue more than it may, ``Conflict`` when it has ended meanwhile or
    another worker has taken the step over.
    """
    run = services.hold(step)
    existing = {job.index: job for job in run.jobs.filter(step=step, kind=kind)}
    _check_queue(run, kind, new=sum(index not in existing for index in range(len(requests))))
    return [_intent(step, kind, index, request, existing.get(index)) for index, request in enumerate(requests)]


def _check_queue(run: Run, kind: str, *, new: int) -> None:
    limit = settings.RUNS.clips_in_flight + settings.RUNS.clips_queued
    waiting = run.jobs.filter(kind=kind, status__in=OPEN_JOB).count()
    if waiting + new > limit:
        raise RateLimited(f"{waiting} {kind} are under way and {new} more would pass this run's limit of {limit}.")


def _intent(step: Step, kind: str, index: int, request: dict[str, Any], job: ProviderJob | None) -> ProviderJob:
    if job is None:
        return ProviderJob.objects.create(
            run=step.run, step=step, kind=kind, index=index, provider=PROVIDER_OF[kind], request=request
        )
    if job.status in {JobStatus.FAILED, JobStatus.INTENT}:
        renders.cancel([job.reference])
        job.retries += job.status == JobStatus.FAILED
        job.request, job.status, job.error, job.external_id, job.poll_at = request, JobStatus.INTENT, "", "", None
        job.save(update_fields=["request", "status", "error", "external_id", "poll_at", "retries"])
    return job


# --- The call


def carry_on(run_id: UUID | str, kind: str) -> None:
    """Sends what is left to send; when that would break a cap, the run's wait gives way to a decision."""
    try:
        submit_ready(run_id, kind)
    except BudgetExceeded as error:
        wait = Step.objects.filter(run_id=run_id, kind="wait", name=kind, status=StepStatus.WAITING).first()
        # Before the run has come to its wait there is time: the wait will ask.
        if wait:
            services.ask_for_money(wait, error)


def submit_ready(run_id: UUID | str, kind: str) -> None:
    """Sends the run's intents of ``kind``, as many as may be in flight.

    Raises ``BudgetExceeded`` when the next one would break a cap; it stays an intent.
    """
    taken = True
    while taken and (job := _take(run_id, kind)):
        with kept(partial(_extend, job), settings.RUNS.lease_s):
            taken = _submit(job)


def _mine(job: ProviderJob) -> QuerySet[ProviderJob]:
    """The job's row, while nobody has taken it over since."""
    return ProviderJob.objects.filter(id=job.id, attempt=job.attempt)


def _extend(job: ProviderJob) -> bool:
    """Keeps a job that is being placed or collected; False when that is over."""
    return bool(_mine(job).filter(lease_until__isnull=False).update(lease_until=timezone.now() + _lease()))


def _lease() -> timedelta:
    return timedelta(seconds=settings.RUNS.lease_s)


@transaction.atomic
def _take(run_id: UUID | str, kind: str) -> ProviderJob | None:
    """Marks the next intent as being sent and holds its money; None when none is left, or enough are in flight."""
    run = Run.objects.select_for_update(no_key=True).get(id=run_id)
    jobs = services.current_jobs(run, kind)
    intents: list[ProviderJob] = list(jobs.filter(status=JobStatus.INTENT).select_related("step"))
    in_flight = jobs.filter(status__in=IN_FLIGHT_JOB).count()
    if not intents or not run.active or in_flight >= settings.RUNS.clips_in_flight:
        return None
    job = intents[0]
    job.step.run = run
    money.reserve(money.cost_of(job), beside=[money.cost_of(other) for other in intents[1:]])
    now = timezone.now()
    job.status = JobStatus.SUBMITTING
    job.attempt += 1
    job.lease_until = now + _lease()
    job.deadline = now + timedelta(seconds=getattr(settings.RUNS, f"{kind}_deadline_s"))
    job.poll_at = job.lease_until
    job.save(update_fields=["status", "attempt", "lease_until", "deadline", "poll_at"])
    return job


def _submit(job: ProviderJob) -> bool:
    """Places the order; False when the service takes none now, so that others need not be tried."""
    try:
        with _order(job) as order:
            submission = registry.adapter(job.provider).submit(
                order, key=job.key, callback_url=registry.callback_url(job.provider, job.reference)
            )
    except OutcomeUnknown as error:
        _unknown(job, error)
    except LATER as error:
        _postpone(job, error)
        return False
    except MylowareError as error:
        # Refused: nothing was started and nothing is billed.
        _finish(job, JobStatus.FAILED, error=error.message)
    else:
        _submitted(job, submission.external_id)
    return True


@contextmanager
def _order(job: ProviderJob) -> Iterator[Order]:
    """What is ordered, with its files at hand. Raises ``MediaError`` when one of them is missing or damaged."""
    if job.kind == "clips":
        yield ClipOrder(**job.request)
    elif job.kind == "render":
        _verify_sources(job)
        yield RenderOrder(edit=job.request["edit"])
    else:
        draft = PublishDraft.model_validate(job.request)
        with store.local(_approved_film(job, draft)) as film:
            family.forbid_second(job)
            yield _publish_order(job, draft, film)


def _verify_sources(job: ProviderJob) -> None:
    edit = str(job.request["edit"])
    files = job.run.artifacts.exclude(path="").values_list("path", flat=True).distinct()
    for path in files.order_by("path"):
        if path in edit:
            store.verify(path)


def _publish_order(job: ProviderJob, draft: PublishDraft, film: Path) -> PublishOrder:
    return PublishOrder(
        video=film,
        title=draft.title,
        caption=draft.caption,
        tags=draft.tags,
        profile=draft.account,
        platform=draft.platform,
        privacy=draft.privacy,
        request_id=job.key,
        is_aigc=draft.is_aigc,
    )


def _approved_film(job: ProviderJob, draft: PublishDraft) -> str:
    """The film's path, if it and the draft are what was approved; else ``Conflict``."""
    gates = job.run.steps.filter(kind="gate", status=StepStatus.SUCCEEDED, position__gt=job.step.position)
    gate = gates.exclude(name=BUDGET.id).last()
    if gate is None or (gate.output or {}).get("draft") != services.digest(job.request):
        raise Conflict("What would be published is not what was approved. Start a revision to approve it anew.")
    # Two renders may have come out the same, byte for byte.
    films = job.run.artifacts.filter(type="ffmpeg.normalized", checksum=draft.film, path__contains=draft.film)
    found = films.last()
    if found is None:
        raise Conflict("The film that was approved is not among the run's artifacts. Render it again.")
    return found.path


def _submitted(job: ProviderJob, external_id: str) -> None:
    now = timezone.now()
    # Whoever learns the id of this try is welcome, a worker that was given up for dead as much as a callback.
    same_try = ProviderJob.objects.filter(id=job.id, retries=job.retries)
    taken = same_try.filter(status__in=before(JobStatus.SUBMITTED)).update(
        status=JobStatus.SUBMITTED,
        external_id=external_id,
        error="",
        submitted_at=now,
        lease_until=None,
        poll_at=now + timedelta(seconds=settings.RUNS.poll_s),
    )
    if not taken and same_try.filter(status=JobStatus.CANCELLED).exists():
        renders.cancel([job.reference])
    services.record_artifact(
        run=job.run,
        step=job.step,
        type={"clips": "kieai.job", "render": "shotstack.timeline"}.get(job.kind, "publish.job"),
        metadata={"index": job.index, "external_id": external_id, "request": job.request},
    )


def _unknown(job: ProviderJob, error: OutcomeUnknown) -> None:
    _mine(job).filter(status__in=before(JobStatus.UNKNOWN)).update(
        status=JobStatus.UNKNOWN,
        error=error.message,
        lease_until=None,
        poll_at=timezone.now() + timedelta(seconds=settings.RUNS.poll_s),
    )


@transaction.atomic
def _postpone(job: ProviderJob, error: RateLimited | ProviderUnavailable | StoreUnavailable) -> None:
    """Nobody took the order, after the client's own retries: it is wanted still, and its money is free meanwhile."""
    Run.objects.select_for_update(no_key=True).get(id=job.run_id)
    pause_s = (error.retry_after_s if isinstance(error, RateLimited) else None) or settings.RUNS.poll_s
    put_off = _mine(job).filter(status=JobStatus.SUBMITTING)
    if put_off.update(
        status=JobStatus.INTENT,
        error=error.message,
        lease_until=None,
        deadline=None,
        poll_at=timezone.now() + timedelta(seconds=pause_s),
    ):
        money.release(job.key)
        services.note(
            job.run, job.step, f"{job.kind} {job.index}", old=job.status, new=JobStatus.INTENT, reason=error.message
        )


# --- The truth


def refresh(job_id: UUID | str) -> None:
    """Asks the provider about a job and keeps what it finished; a second caller at the same time does nothing."""
    job = _hold(job_id)
    if job is not None:
        with kept(partial(_extend, job), settings.RUNS.lease_s):
            _refresh(job)


def _refresh(job: ProviderJob) -> None:
    try:
        report = _ask(job)
    except (ProviderError, RateLimited) as error:
        # A question that failed says nothing of the order: what was taken may be made, or out, all the same.
        log.warning("a provider cannot tell", extra={"job": str(job.id), "reason": error.message})
        _look_again(job, error=error.message)
        return
    if report is None:
        _look_again(job)
    elif report.state == State.ACCEPTED and not _make_do(job, report):
        _look_again(job, error="")
    elif report.state == State.FAILED:
        _failed(job, report)
    else:
        _keep(job, report)


def _make_do(job: ProviderJob, report: Report) -> bool:
    """Whether a better file is to come, and there is no time to wait for it."""
    return bool(report.urls and job.deadline and job.deadline < timezone.now())


def _keep(job: ProviderJob, report: Report) -> None:
    try:
        _collect(job, report)
    except LATER as error:
        _look_again(job, error=error.message)
    except MylowareError as error:
        # Made, and of no use.
        _finish(job, JobStatus.FAILED, error=error.message, billed=True)


def _hold(job_id: UUID | str) -> ProviderJob | None:
    """Leases an open job to this worker."""
    now = timezone.now()
    ProviderJob.objects.filter(id=job_id, status=JobStatus.SUBMITTING, lease_until__lt=now).update(
        status=JobStatus.UNKNOWN, error="the worker died while it was placing the order", lease_until=None
    )
    free = ProviderJob.objects.filter(
        Q(lease_until=None) | Q(lease_until__lt=now), id=job_id, status__in=[JobStatus.SUBMITTED, JobStatus.UNKNOWN]
    )
    if not free.update(lease_until=now + _lease(), attempt=F("attempt") + 1):
        return None
    return ProviderJob.objects.select_related("run", "step").get(id=job_id)


def _ask(job: ProviderJob) -> Report | None:
    """The provider's word on the job; None when it cannot be asked because we never learnt the job's id."""
    adapter = registry.adapter(job.provider)
    if not job.external_id:
        found = adapter.find(job.key)
        if found is None:
            _unfound(job)
            return None
        _submitted(job, found.external_id)
        job.external_id = found.external_id
    return adapter.status(job.external_id)


def _unfound(job: ProviderJob) -> None:
    if registry.adapter(job.provider).idempotent:
        # The service keeps our key: placing the order again cannot make a second one.
        lost = _mine(job).filter(status=JobStatus.UNKNOWN, run__status__in=ACTIVE_RUN)
        if lost.update(status=JobStatus.INTENT, lease_until=None, poll_at=None):
            dispatch.enqueue_task("jobs.submit", job.run_id, job.kind)
    elif job.deadline and job.deadline < timezone.now():
        raise OutcomeUnknown("The answer to the order was lost and no callback came; it may have been billed.")


def _look_again(job: ProviderJob, *, error: str | None = None) -> None:
    """Leaves the job for the next poll. ``error`` is why it could not be asked, "" when it could."""
    now = timezone.now()
    late = job.deadline and job.deadline < now and job.kind != "publish"
    # Our own renderer has a limit of its own, and what waits for it has its place in the line.
    if late and not renders.progress(job.reference):
        reason = "the provider did not finish in time."
        _finish(job, JobStatus.FAILED, error=f"{reason} Last heard: {error}" if error else reason, billed=True)
        return
    poll_at = now + timedelta(seconds=settings.RUNS.poll_s)
    heard = F("error") if error is None else error
    _mine(job).filter(status__in=OPEN_JOB).update(lease_until=None, poll_at=poll_at, error=heard)


def _collect(job: ProviderJob, report: Report) -> None:
    """Copies the result into the media store at once, because the provider's URLs expire."""
    with store.workspace() as folder:
        artifacts = {"clips": _clip, "render": _film, "publish": _published}[job.kind](job, report, folder)
    with transaction.atomic():
        if not _finish(job, JobStatus.SUCCEEDED, report=report):
            return
        for artifact in artifacts:
            services.record_artifact(run=job.run, step=job.step, **artifact)


def _clip(job: ProviderJob, report: Report, folder: Path) -> list[dict[str, Any]]:
    # PyAV and Pillow are loaded by who looks at media.
    from providers.media.probe import probe

    source = registry.download(job.provider, report.urls, folder / "clip.mp4")
    seen = probe(source)
    stored = store.keep(source)
    return [
        {
            "type": "kieai.clip",
            "url": report.urls[0],
            "path": stored.path,
            "checksum": stored.checksum,
            "metadata": {"index": job.index, "duration_s": seen.duration_s, "prompt": job.request["prompt"]},
        }
    ]


def _film(job: ProviderJob, report: Report, folder: Path) -> list[dict[str, Any]]:
    from providers.media.normalise import normalise
    from providers.media.poster import poster

    source = registry.download(job.provider, report.urls, folder / "render.mp4")
    size = job.run.payload.specs.resolution
    normalised = normalise(source, folder / "film.mp4", width_px=size.width, height_px=size.height, fps=size.fps)
    poster(folder / "film.mp4", folder / "poster.jpg", at_s=normalised.probe.duration_s * POSTER_AT)
    picture, stored = store.keep(folder / "poster.jpg"), store.keep(folder / "film.mp4")
    return [
        {"type": "poster", "path": picture.path, "checksum": picture.checksum},
        {"type": "render.url", "url": report.urls[0], "metadata": {"external_id": job.external_id}},
        {
            "type": "ffmpeg.normalized",
            "path": stored.path,
            "checksum": stored.checksum,
            "metadata": {"probe": asdict(normalised.probe), "loudness": _finite(asdict(normalised.loudness))},
        },
    ]


def _finite(levels: dict[str, float]) -> dict[str, float | None]:
    """JSON knows no infinity, which is how loud silence is."""
    return {name: level if math.isfinite(level) else None for name, level in levels.items()}


def _published(job: ProviderJob, report: Report, folder: Path) -> list[dict[str, Any]]:
    return [
        {
            "type": "publish.url",
            "url": url,
            "metadata": {
                "platform": job.request["platform"],
                "account": job.request["account"],
                "external_id": job.external_id,
            },
        }
        for url in report.page_urls
    ]


@transaction.atomic
def _failed(job: ProviderJob, report: Report) -> None:
    """Settles a job the provider failed at. A clip is ordered anew as often as the policy says; then people decide."""
    if not _finish(job, JobStatus.FAILED, error=report.error or "the provider gave no reason", report=report):
        return
    job.refresh_from_db()
    if job.kind == "clips" and job.run.active and job.retries < settings.RUNS.clip_retries:
        services.order_anew(job)
        services.note(job.run, job.step, f"clips {job.index}", old=JobStatus.FAILED, new=job.status, reason="retry")


@transaction.atomic
def _finish(
    job: ProviderJob, status: JobStatus, *, error: str = "", report: Report | None = None, billed: bool = False
) -> bool:
    """Settles the job once; the run is locked first, as everywhere, so parallel callbacks queue up.

    ``billed``: we give up on an order that the provider has, or may have, and will charge for all the same.
    """
    run = Run.objects.select_for_update(no_key=True).get(id=job.run_id)
    settled = (
        _mine(job)
        .filter(status__in=before(status))
        .update(
            status=status,
            error=error,
            report=report.raw if report else job.report,
            cost_microusd=report.cost_microusd if report else None,
            lease_until=None,
            poll_at=None,
            finished_at=timezone.now(),
        )
    )
    if not settled:
        return False
    _pay(job, report, billed=billed or status == JobStatus.SUCCEEDED)
    services.note(run, job.step, f"{job.kind} {job.index}", old=job.status, new=status, reason=error)
    if status == JobStatus.FAILED:
        kind = {"clips": "kieai.error", "render": "shotstack.error"}.get(job.kind, "publish.error")
        services.record_artifact(run=run, step=job.step, type=kind, metadata={"index": job.index, "error": error})
    dispatch.enqueue_task("jobs.settled", run.id, job.kind)
    return True


def _pay(job: ProviderJob, report: Report | None, *, billed: bool) -> None:
    """Settles what the order cost by the provider's word, else by the estimate, or gives back what was held."""
    told = report.cost_microusd if report else None
    if billed or told is not None:
        money.settle(money.cost_of(job, told))
    else:
        money.release(job.key)


# --- People


@transaction.atomic
def settle_by_hand(job_id: UUID | str, *, url: str, actor: str) -> None:
    """Records what a person saw on the account: the film at ``url``, or, with "", that nothing was published.

    The run then goes on, or stands failed and can be retried. Raises ``Conflict`` unless the job is a publish whose
    outcome is open.
    """
    # The run first, as everywhere; then the job, so that no poll takes it over meanwhile.
    Run.objects.select_for_update(no_key=True).get(jobs__id=job_id)
    job = ProviderJob.objects.select_related("run", "step").select_for_update(of=("self",)).get(id=job_id)
    if job.kind != "publish" or job.status not in {JobStatus.SUBMITTED, JobStatus.UNKNOWN}:
        raise Conflict(f"Only a publish whose outcome is open can be settled by hand; this {job.kind} is {job.status}.")
    if not url:
        found = f"{actor} found that nothing was published"
        _finish(job, JobStatus.FAILED, error=found)
        # What they stopped for is known now.
        job.run.steps.filter(status=StepStatus.FAILED, kind="wait", name=job.kind).update(error=found)
        Run.objects.filter(id=job.run_id, status=RunStatus.FAILED).update(reason=found)
        return
    seen = Report(state=State.SUCCEEDED, page_urls=(url,), raw={"settled_by": actor})
    if _finish(job, JobStatus.SUCCEEDED, report=seen):
        for artifact in _published(job, seen, Path()):
            services.record_artifact(run=job.run, step=job.step, **artifact)


def unsettled() -> QuerySet[ProviderJob]:
    """Publishes that wait for a person: their run has given up waiting and nobody knows what became of them."""
    return ProviderJob.objects.filter(
        kind="publish", status__in=[JobStatus.SUBMITTED, JobStatus.UNKNOWN], run__status=RunStatus.FAILED
    )


# --- Callbacks and the sweep


def reported(
    provider: str, external_ids: Sequence[str], reference: str | None = None, account: Account | None = None
) -> None:
    """A provider called: has the jobs refreshed that it may speak of. When there are none, it is ignored."""
    jobs = ProviderJob.objects.filter(provider=provider)
    found = _referred_to(jobs, reference, external_ids) if reference else _named(jobs, external_ids, account)
    if not found:
        log.warning("callback for no job of ours", extra={"provider": provider, "external_ids": external_ids})
    for job in found:
        dispatch.enqueue_task("media.refresh", job.id)


def _referred_to(jobs: QuerySet[ProviderJob], reference: str, external_ids: Sequence[str]) -> list[ProviderJob]:
    """The job that a callback URL of ours names; an order whose answer was lost learns its id from the callback."""
    job_id, _, retries = reference.partition(".")
    # What a provider says of an earlier try must not be taken for this one's.
    found = list(jobs.filter(id=job_id, retries=retries))
    for job in found:
        if external_ids and not job.external_id and job.status in {JobStatus.SUBMITTING, JobStatus.UNKNOWN}:
            _submitted(job, external_ids[0])
    return found


def _named(jobs: QuerySet[ProviderJob], external_ids: Sequence[str], account: Account | None) -> list[ProviderJob]:
    """The jobs with these ids; when the service has others for them, all that are open on the account.

    Those are few: TikTok takes 15 posts of an account a day.
    """
    found = list(jobs.filter(external_id__in=external_ids))
    if found or account is None:
        return found
    there = jobs.filter(request__account=account.profile, request__platform=account.platform)
    return list(there.filter(kind="publish", status__in=IN_FLIGHT_JOB))


def due(now: datetime) -> list[UUID]:
    """Open jobs nobody has reported on in time; each is handed out once per poll interval."""
    soon = now + timedelta(seconds=settings.RUNS.poll_s)
    silent = ProviderJob.objects.filter(status__in=IN_FLIGHT_JOB, poll_at__lte=now)
    ids = list(silent.values_list("id", flat=True)[:200])
    ProviderJob.objects.filter(id__in=ids, poll_at__lte=now).update(poll_at=soon)
    return ids


def stranded(now: datetime) -> list[tuple[UUID, str]]:
    """(run, kind) of waits that have intents left to send; each is handed out once per poll interval."""
    left = ProviderJob.objects.filter(
        Q(poll_at=None) | Q(poll_at__lte=now),
        status=JobStatus.INTENT,
        run__steps__kind="wait",
        run__steps__status=StepStatus.WAITING,
        run__steps__name=F("kind"),
    )
    found = list(left.values_list("id", "run_id", "kind")[:500])
    soon = now + timedelta(seconds=settings.RUNS.poll_s)
    ProviderJob.objects.filter(id__in=[job for job, _, _ in found], status=JobStatus.INTENT).update(poll_at=soon)
    return sorted({(run, kind) for _, run, kind in found})
