"""The engine's services on the real database: turns, fences, gates, waits."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from myloware.kernel.errors import Conflict, NotFound, UnprocessableInput
from runs import jobs, services
from runs.models import ProviderJob, Run, RunEvent, Step
from runs.services import Decision
from runs.states import JobStatus, RunStatus, StepStatus, Verdict

if TYPE_CHECKING:
    from .conftest import MakeRun


def gate(run: Run) -> Step:
    step = run.cursor()
    assert step is not None
    assert step.kind == "gate"
    return step


def decide(run: Run, verdict: Verdict = Verdict.APPROVE, **values: object) -> None:
    step = gate(run)
    values.setdefault("digest", services.digest_of(step))
    services.decide(step.id, Decision(verdict, actor="bob", channel="page", **values))  # type: ignore[arg-type]
    run.refresh_from_db()


def work(run: Run, output: dict[str, object] | None = None) -> Step:
    """Does the cursor's stage as a worker would."""
    cursor = run.cursor()
    assert cursor is not None
    step = services.claim(cursor.id)
    assert step is not None
    assert services.complete(step, output or {})
    run.refresh_from_db()
    return step


def test_it_stands_at_the_workflow_gate_after_the_start(run: Run) -> None:
    assert run.status == RunStatus.WAITING
    assert gate(run).name == "workflow"
    assert run.result.status == "awaiting_approval"


def test_it_moves_on_when_approved(run: Run) -> None:
    decide(run)
    assert run.status == RunStatus.RUNNING
    cursor = run.cursor()
    assert cursor is not None
    assert cursor.name == "iggy"


def test_a_rejection_ends_the_run_with_its_reason(run: Run) -> None:
    decide(run, Verdict.REJECT, comment="off brand")
    assert (run.status, run.reason) == (RunStatus.REJECTED, "off brand")
    assert run.finished_at is not None


def test_a_second_decision_is_told_who_was_first(run: Run) -> None:
    step = gate(run)
    decide(run)
    with pytest.raises(Conflict, match="Already decided: approve by bob"):
        services.decide(step.id, Decision(Verdict.REJECT, actor="carol", channel="page", digest=""))


def test_a_decision_about_something_else_is_refused(run: Run) -> None:
    with pytest.raises(Conflict, match="has changed"):
        decide(run, digest="0" * 64)


def test_a_step_can_be_claimed_once(run: Run) -> None:
    decide(run)
    cursor = run.cursor()
    assert cursor is not None
    assert services.claim(cursor.id) is not None
    assert services.claim(cursor.id) is None


def test_a_later_step_cannot_be_claimed_out_of_turn(run: Run) -> None:
    decide(run)
    assert services.claim(run.steps.get(name="riley").id) is None


def test_an_expired_lease_is_taken_over_and_the_late_worker_is_fenced_off(run: Run) -> None:
    decide(run)
    cursor = run.cursor()
    assert cursor is not None
    late = services.claim(cursor.id)
    taken = services.claim(cursor.id, now=timezone.now() + timedelta(minutes=1))
    assert late is not None
    assert taken is not None
    assert not services.heartbeat(late)
    assert not services.complete(late, {"from": "late"})
    assert not services.fail(late, "late")
    assert services.complete(taken, {"from": "taken"})
    cursor.refresh_from_db()
    assert cursor.output == {"from": "taken"}


def test_a_step_that_kills_its_workers_fails_in_the_end(run: Run) -> None:
    decide(run)
    cursor = run.cursor()
    assert cursor is not None
    now = timezone.now()
    for attempt in range(services.MAX_ATTEMPTS + 1):
        services.claim(cursor.id, now=now + timedelta(minutes=attempt))
    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert "5 workers died" in run.reason


def to_wait(run: Run, count: int = 2) -> list[ProviderJob]:
    """Brings the run to its wait for clips with jobs at the provider."""
    decide(run)
    work(run)
    riley = services.claim(run.steps.get(name="riley").id)
    assert riley is not None
    requests = [{"prompt": f"clip {index}"} for index in range(count)]
    ordered = jobs.order(riley, "clips", requests)
    ProviderJob.objects.filter(run=run).update(status=JobStatus.SUBMITTED)
    services.complete(riley, {})
    run.refresh_from_db()
    return ordered


def park(run: Run) -> Step:
    cursor = run.cursor()
    assert cursor is not None
    services.park(cursor.id)
    run.refresh_from_db()
    cursor.refresh_from_db()
    return cursor


def test_a_wait_ends_when_its_last_job_does(run: Run) -> None:
    first, second = to_wait(run)
    wait = park(run)
    ProviderJob.objects.filter(id=first.id).update(status=JobStatus.SUCCEEDED)
    assert not services.settle(run.id)
    ProviderJob.objects.filter(id=second.id).update(status=JobStatus.SUCCEEDED)
    assert services.settle(run.id)
    wait.refresh_from_db()
    assert wait.status == StepStatus.SUCCEEDED
    cursor = run.cursor()
    assert cursor is not None
    assert cursor.name == "alex"


def test_a_callback_that_beats_the_park_is_not_lost(run: Run) -> None:
    to_wait(run)
    ProviderJob.objects.filter(run=run).update(status=JobStatus.SUCCEEDED)
    assert not services.settle(run.id)
    assert park(run).status == StepStatus.SUCCEEDED


def test_one_failed_clip_keeps_the_others_and_a_retry_orders_it_alone(run: Run) -> None:
    first, second = to_wait(run)
    park(run)
    ProviderJob.objects.filter(id=first.id).update(status=JobStatus.SUCCEEDED)
    ProviderJob.objects.filter(id=second.id).update(status=JobStatus.FAILED, error="refused by the filter")
    services.settle(run.id)
    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert "refused by the filter" in run.reason
    services.retry(run.id, actor="bob")
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, second.status) == (JobStatus.SUCCEEDED, JobStatus.INTENT)


def test_ordering_twice_is_one_order(run: Run) -> None:
    decide(run)
    work(run)
    riley = services.claim(run.steps.get(name="riley").id)
    assert riley is not None
    once = jobs.order(riley, "clips", [{"prompt": "a"}, {"prompt": "b"}])
    ProviderJob.objects.filter(run=run).update(status=JobStatus.SUBMITTED)
    assert jobs.order(riley, "clips", [{"prompt": "again"}, {"prompt": "again"}]) == once
    assert {job.request["prompt"] for job in run.jobs.all()} == {"a", "b"}


def test_a_late_worker_orders_nothing(run: Run) -> None:
    decide(run)
    work(run)
    late = services.claim(run.steps.get(name="riley").id)
    assert late is not None
    newer = services.claim(late.id, now=timezone.now() + timedelta(minutes=1))
    assert newer is not None
    with pytest.raises(Conflict, match="not this worker's any more"):
        jobs.order(late, "clips", [{"prompt": "late"}])
    jobs.order(newer, "clips", [{"prompt": "newer"}])
    services.complete(newer, {})
    with pytest.raises(Conflict, match="not this worker's any more: it is succeeded"):
        jobs.order(newer, "clips", [{"prompt": "after the end"}])
    assert [job.request["prompt"] for job in run.jobs.all()] == ["newer"]


def test_a_revision_appends_fresh_steps_and_keeps_history(make_run: MakeRun) -> None:
    run = make_run("aismr")
    decide(run)
    work(run, {"ideas": [{"index": 0, "subject": "candle"}]})
    park(run)
    decide(run, Verdict.REVISE, comment="less wax")
    again = run.cursor()
    assert again is not None
    assert (again.name, again.notes) == ("iggy", "less wax")
    assert run.steps.filter(name="iggy").count() == 2
    assert run.steps.get(name="iggy", position=1).status == StepStatus.SUCCEEDED
    assert [step.name for step in run.steps.filter(status=StepStatus.PENDING)][1:3] == ["ideate", "riley"]


def test_a_revision_needs_a_comment_and_work_to_go_back_to(run: Run) -> None:
    with pytest.raises(UnprocessableInput, match="needs a comment"):
        decide(run, Verdict.REVISE)
    with pytest.raises(UnprocessableInput, match="could be revised"):
        decide(run, Verdict.REVISE, comment="another plan")


def test_a_cancelled_run_cannot_be_reopened(run: Run) -> None:
    first, _second = to_wait(run)
    park(run)
    services.cancel(run.id, actor="bob")
    ProviderJob.objects.filter(id=first.id).update(status=JobStatus.SUCCEEDED)
    assert not services.settle(run.id)
    with pytest.raises(Conflict, match="ended already"):
        services.cancel(run.id, actor="bob")
    with pytest.raises(Conflict, match="Nothing failed"):
        services.retry(run.id, actor="bob")


def test_the_wait_that_outlives_its_deadline_fails_in_words(run: Run) -> None:
    to_wait(run)
    wait = park(run)
    assert not services.expire(wait.id, now=timezone.now())
    assert services.expire(wait.id, now=timezone.now() + timedelta(days=1))
    run.refresh_from_db()
    assert "did not finish in time" in run.reason


def test_every_change_leaves_a_line(run: Run) -> None:
    decide(run)
    lines = [(event.subject, event.new, event.actor) for event in RunEvent.objects.filter(run=run)]
    assert ("workflow", "succeeded", "bob") in lines
    assert lines[0] == ("run", "pending", "alice")


def test_an_unknown_step_is_not_found(db: None) -> None:
    with pytest.raises(NotFound, match="no step"):
        services.claim("00000000-0000-0000-0000-000000000000")
