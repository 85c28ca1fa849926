"""What comes too late, or speaks of something that has been done anew since; and services that cannot be asked."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import stamina
from django.db import OperationalError
from django.utils import timezone

from myloware.kernel.lease import kept
from providers import rendering
from providers.models import Render
from runs import jobs, services, sweeps
from runs.models import Outbox, ProviderJob, Run, Spend, Step
from runs.ports import Desk
from runs.states import JobStatus, RunStatus, StepStatus

from .journey import IDEAS, approve, ask_all, go, park, small, stage, to_clips, to_draft, to_render, videos

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import MakeRun

PAST = timedelta(seconds=-1)


def taken(run: Run) -> ProviderJob:
    """The first clip, as the worker knows it that is about to order it."""
    approve(run)
    services.complete(stage(run, "iggy"), IDEAS)
    riley = stage(run, "riley")
    jobs.order(riley, "clips", [Desk(riley)._clip_order(video) for video in videos()])
    job = jobs._take(run.id, "clips")
    assert job is not None
    return job


def take_over(job: ProviderJob) -> None:
    """Another worker finds the job without a holder."""
    ProviderJob.objects.filter(id=job.id).update(lease_until=timezone.now() + PAST)
    jobs.refresh(job.id)


# --- Late workers


def test_a_worker_that_lost_a_job_cannot_settle_it(run: Run) -> None:
    late = taken(run)
    take_over(late)
    assert not jobs._finish(late, JobStatus.FAILED, error="I was refused")
    assert ProviderJob.objects.get(id=late.id).status == JobStatus.UNKNOWN
    assert Spend.objects.get(job=late).status == "reserved"


def test_the_answer_to_an_order_counts_however_late_it_comes(run: Run) -> None:
    late = taken(run)
    take_over(late)
    jobs._submitted(late, "kie-1")
    found = ProviderJob.objects.get(id=late.id)
    assert (found.status, found.external_id) == (JobStatus.SUBMITTED, "kie-1")


# --- Earlier tries


def test_a_callback_of_an_earlier_try_is_not_taken_for_this_ones(run: Run) -> None:
    job = taken(run)
    earlier = job.reference
    jobs._submitted(job, "kie-1")
    jobs._finish(job, JobStatus.FAILED, error="refused by the filter")
    job.refresh_from_db()
    services.order_anew(job)
    again = jobs._take(run.id, "clips")
    assert again is not None
    assert again.id == job.id
    jobs.reported("kieai", ["kie-1"], earlier)
    job.refresh_from_db()
    assert (job.status, job.external_id) == (JobStatus.SUBMITTING, "")
    jobs.reported("kieai", ["kie-2"], again.reference)
    job.refresh_from_db()
    assert (job.status, job.external_id) == (JobStatus.SUBMITTED, "kie-2")


# --- Services that take nothing, or answer nothing of use


@pytest.fixture
def impatient() -> Iterator[None]:
    with stamina.set_testing(True, attempts=1):
        yield


@contextmanager
def answering(status: int) -> Iterator[str]:
    """A service that answers everything with ``status``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def reach(settings: Any, url: str, **modes: str) -> None:
    settings.PROVIDERS = settings.PROVIDERS.model_copy(update={"simulators_url": url, **modes})


@pytest.mark.usefixtures("impatient")
def test_orders_that_nobody_takes_are_put_off_and_hold_no_money(run: Run, settings: Any) -> None:
    approve(run)
    services.complete(stage(run, "iggy"), IDEAS)
    real = settings.PROVIDERS
    with answering(429) as busy:
        reach(settings, busy, kieai_mode="local")
        desk = Desk(stage(run, "riley"))
        told = desk.submit_clips("call-1", videos())
    assert [clip["status"] for clip in told["clips"]] == ["intent", "intent"]
    assert "takes no more requests" in told["clips"][0]["error"]
    # After one that was not taken the others are not tried.
    assert told["clips"][1]["error"] == ""
    assert [spend.status for spend in Spend.objects.all()] == ["released"]
    services.complete(desk.step, {})
    park(run)
    # The sweep tries again, each a while after the other.
    soon = timezone.now() + timedelta(minutes=1)
    assert jobs.stranded(soon) == [(run.id, "clips")]
    assert jobs.stranded(soon) == []
    settings.PROVIDERS = real
    jobs.carry_on(run.id, "clips")
    assert [job.error for job in run.jobs.all()] == ["", ""]
    ask_all(run)
    assert [job.status for job in run.jobs.all()] == [JobStatus.SUCCEEDED] * 2
    assert [spend.status for spend in Spend.objects.filter(job__isnull=False)] == ["settled"] * 2


@pytest.mark.usefixtures("impatient")
def test_a_wait_that_was_in_vain_tells_what_was_heard_last(run: Run, settings: Any) -> None:
    approve(run)
    services.complete(stage(run, "iggy"), IDEAS)
    with answering(429) as busy:
        reach(settings, busy, kieai_mode="local")
        desk = Desk(stage(run, "riley"))
        desk.submit_clips("call-1", videos())
    services.complete(desk.step, {})
    park(run)
    assert sweeps.expired_waits(timezone.now() + timedelta(days=1)) == 1
    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert run.reason.endswith("Last heard: kie.ai takes no more requests now.")


def published(run: Run) -> ProviderJob:
    """The publish of a film, which the service has accepted."""
    to_draft(run)
    approve(run)
    park(run)
    jobs.submit_ready(run.id, "publish")
    return run.jobs.get(kind="publish")


def record_of(job: ProviderJob, settings: Any) -> Path:
    """What the service keeps of a publish, once it has called back and writes there no more."""
    record = Path(settings.DATA_DIR) / "simulators" / "upload-post" / f"{job.key}.json"
    deadline = time.monotonic() + 30
    while not json.loads(record.read_text())["told"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return record


def test_a_film_the_service_does_not_know_of_yet_is_not_taken_for_failed(run: Run, settings: Any) -> None:
    job = published(run)
    record = record_of(job, settings)
    hidden = record.rename(record.with_suffix(".hidden"))
    ask_all(run)
    job.refresh_from_db()
    assert job.status == JobStatus.SUBMITTED
    hidden.rename(record)
    ask_all(run)
    run.refresh_from_db()
    assert run.status == RunStatus.SUCCEEDED


def test_a_refused_question_does_not_fail_a_publish(run: Run, settings: Any) -> None:
    job = published(run)
    real = settings.PROVIDERS
    with answering(401) as closed:
        reach(settings, closed, upload_post_mode="local")
        ask_all(run)
    job.refresh_from_db()
    assert job.status == JobStatus.SUBMITTED
    assert "401" in job.error
    settings.PROVIDERS = real
    ask_all(run)
    run.refresh_from_db()
    assert run.status == RunStatus.SUCCEEDED
    assert run.artifacts.filter(type="publish.url").count() == 1


def test_a_publish_of_a_failed_run_stays_before_its_person(run: Run, settings: Any) -> None:
    job = published(run)
    record_of(job, settings).unlink()
    ProviderJob.objects.filter(id=job.id).update(status=JobStatus.UNKNOWN, external_id="")
    sweeps.expired_waits(timezone.now() + timedelta(days=1))
    jobs.refresh(job.id)
    assert [each.id for each in jobs.unsettled()] == [job.id]
    jobs.settle_by_hand(job.id, url="", actor="bob")
    assert ProviderJob.objects.get(id=job.id).status == JobStatus.FAILED


# --- Lost wake-ups


def test_a_wait_whose_last_wake_up_was_lost_ends_with_the_next_sweep(run: Run) -> None:
    desk = to_clips(run)
    services.complete(desk.step, {})
    park(run)
    for job in run.jobs.all():
        jobs.refresh(job.id)
    Outbox.objects.all().delete()
    assert sweeps.finished_waits() == 1
    assert sweeps.finished_waits() == 0
    cursor = run.cursor()
    assert cursor is not None
    assert cursor.name == "alex"


def test_a_heartbeat_survives_a_database_that_is_away_for_a_moment() -> None:
    beats: list[int] = []
    enough = threading.Event()

    def extend() -> bool:
        beats.append(1)
        if len(beats) == 1:
            raise OperationalError("the server is being started anew")
        enough.set()
        return len(beats) < 5

    with kept(extend, lease_s=0.03):
        assert enough.wait(5)


# --- Our own renderer


@pytest.fixture
def ours(settings: Any) -> None:
    settings.PROVIDERS = settings.PROVIDERS.model_copy(update={"renderer": "local"})


def test_a_render_that_is_ordered_anew_replaces_the_one_that_was_given_up(ours: None, run: Run) -> None:
    job = to_render(run)
    assert Render.objects.get().status == Render.Status.QUEUED
    ProviderJob.objects.filter(id=job.id).update(status=JobStatus.FAILED)
    services.settle(run.id)
    services.retry(run.id, actor="alice")
    park(run)
    jobs.carry_on(run.id, "render")
    assert sorted(Render.objects.values_list("reference", "status")) == [
        (f"{job.id}.0", Render.Status.CANCELLED),
        (f"{job.id}.1", Render.Status.QUEUED),
    ]


def test_a_render_that_waits_longer_than_its_run_keeps_its_place_and_takes_the_run_on(ours: None, run: Run) -> None:
    small(run)
    job = to_render(run)
    ProviderJob.objects.filter(id=job.id).update(deadline=timezone.now() + PAST)
    jobs.refresh(job.id)
    wait = run.steps.get(kind="wait", name="render")
    Step.objects.filter(id=wait.id).update(deadline=timezone.now() + PAST)
    assert sweeps.expired_waits(timezone.now()) == 1
    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert rendering.work() == "done"
    jobs.refresh(job.id)
    assert services.settle(run.id)
    run.refresh_from_db()
    assert (run.status, Render.objects.count()) == (RunStatus.RUNNING, 1)


def test_a_render_that_is_taken_after_its_run_was_cancelled_is_cancelled_too(ours: None, run: Run) -> None:
    job = to_render(run)
    services.cancel(run.id, actor="alice")
    assert Render.objects.get().status == Render.Status.CANCELLED
    # The answer to the order was still on its way.
    Render.objects.update(status=Render.Status.QUEUED)
    jobs._submitted(job, job.external_id)
    assert Render.objects.get().status == Render.Status.CANCELLED


# --- What was approved


def test_a_revision_back_to_the_ideas_shows_the_new_ideas_and_not_the_old_film(make_run: MakeRun) -> None:
    run = make_run()
    spec = run.project.spec.model_dump(mode="json", by_alias=True)
    spec["gates"].append({"id": "ideate", "title": "Ideas", "ask": "Are these the ideas?", "after": "iggy"})
    run.project.spec = type(run.project.spec).model_validate(spec)
    run.project.save()
    run = make_run()
    go(run, "prepublish")
    first = at_gate(run)
    assert "draft" in services.shown_at(first)
    services.revise(run.id, "iggy", "Something colder, please.", "bob")
    go(run, "ideate")
    shown = services.shown_at(at_gate(run))
    assert "draft" not in shown
    assert shown["ideas"]
    # What was decided before still shows what it showed then.
    assert "draft" in services.shown_at(first)
    go(run, "prepublish")
    assert services.shown_at(at_gate(run))["draft"]


def at_gate(run: Run) -> Step:
    step = run.cursor()
    assert step is not None
    services.park(step.id)
    step.refresh_from_db()
    assert (step.kind, step.status) == ("gate", StepStatus.WAITING)
    return step


def test_the_numbers_of_a_run_are_those_of_its_start(run: Run) -> None:
    spec = run.project.spec.model_dump(mode="json", by_alias=True)
    spec["specs"]["videoCount"] = 5
    run.project.spec = type(run.project.spec).model_validate(spec)
    run.project.save()
    gate = at_gate(run)
    assert services.shown_at(gate)["specs"]["videoCount"] == 2
    approve(run)
    services.complete(stage(run, "iggy"), IDEAS)
    desk = Desk(stage(run, "riley"))
    desk.submit_clips("call-1", videos())
    assert run.jobs.count() == 2


def test_a_dead_workers_run_passes_one_that_only_stands_in_the_queue(run: Run, make_run: MakeRun) -> None:
    approve(run)
    queued = make_run()
    approve(queued)
    stage(run, "iggy")
    Outbox.objects.all().delete()
    assert sweeps.lost_runs(timezone.now() + timedelta(seconds=7)) == 2
    assert {row.links[0][1][0]: row.urgent for row in Outbox.objects.all()} == {
        str(run.id): True,
        str(queued.id): False,
    }
