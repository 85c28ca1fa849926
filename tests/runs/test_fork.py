"""Forks: what is taken over, what is done again, and that no film is published twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from myloware.kernel.errors import Conflict, NotFound
from runs import fork as forks
from runs import jobs, services, store
from runs.models import ProviderJob, Run
from runs.services import Decision
from runs.states import JobStatus, RunStatus, StepStatus, Verdict

from .journey import approve, go

if TYPE_CHECKING:
    from .conftest import MakeRun


def fork(run: Run, step: str) -> Run:
    return forks.fork(run, step, "carol")


def fates(run: Run, step: str) -> dict[str, str]:
    return {str(effect): str(effect.fate) for effect in forks.preview(run, step)}


def standing(run: Run) -> str:
    step = run.cursor()
    assert step is not None
    return step.name


def refuse(run: Run, verdict: Verdict, **values: Any) -> None:
    gate = run.cursor()
    assert gate is not None
    services.park(gate.id)
    decision = Decision(verdict, actor="bob", channel="page", digest=services.digest_of(gate), **values)
    services.decide(gate.id, decision)
    run.refresh_from_db()


def at_its_step(run: Run, step: str) -> Run:
    """A fork, looked over: all before its step is there as it was, nothing behind it, and nothing that collides."""
    new = fork(run, step)
    assert standing(new) == step
    assert new.active
    assert (new.payload, new.user_id, new.forked_from) == (run.payload, run.user_id, run)
    done = list(new.steps.filter(status=StepStatus.SUCCEEDED))
    assert [each.name for each in done] == [planned.name for planned in run.payload.graph_spec.steps[: len(done)]]
    for each in done:
        old = run.steps.filter(name=each.name).last()
        assert old is not None
        assert (each.output, each.notes) == (old.output, old.notes)
    assert not new.jobs.exclude(external_id="").exists()
    assert str(run.id) in new.events.filter(subject="run").first().reason  # type: ignore[union-attr]
    assert new.artifacts.get(type="run.fork").metadata["run"] == str(run.id)
    for artifact in new.artifacts.exclude(path=""):
        store.verify(artifact.path)
    return new


def test_a_fork_of_a_published_film_starts_before_its_film_or_not_at_all(run: Run) -> None:
    go(run)
    assert run.status == RunStatus.SUCCEEDED
    for step in ("workflow", "iggy", "riley", "clips", "alex"):
        at_its_step(run, step)
    for step in ("render", "quinn", "prepublish", "publish"):
        assert fates(run, step)["publish"] == "forbidden"
        with pytest.raises(Conflict, match=f"already published, by run {run.id}.*from 'alex' or earlier"):
            fork(run, step)
    assert Run.objects.count() == 1 + 5


@pytest.mark.parametrize("project", ["test_video_gen", "aismr"])
def test_every_step_of_both_projects_starts_a_fork(make_run: MakeRun, project: str) -> None:
    run = make_run(project)
    go(run, "prepublish")
    refuse(run, Verdict.REJECT, comment="too dark")
    for planned in run.payload.graph_spec.steps[:-1]:
        at_its_step(run, planned.name)
    with pytest.raises(Conflict, match="'prepublish' before it is rejected"):
        fork(run, "publish")


def test_what_is_finished_is_reused_and_the_rest_is_made_again(run: Run) -> None:
    go(run)
    clips = run.jobs.filter(kind="clips")
    assert fates(run, "riley") == {"clips 0": "redo", "clips 1": "redo", "render": "redo", "publish": "redo"}
    assert fates(run, "alex") == {"clips 0": "reuse", "clips 1": "reuse", "render": "redo", "publish": "redo"}
    new = fork(run, "alex")
    assert [job.status for job in new.jobs.all()] == [JobStatus.SUCCEEDED] * 2
    assert [job.report["forked_from"]["external_id"] for job in new.jobs.order_by("index")] == [
        job.external_id for job in clips.order_by("index")
    ]
    assert {job.cost_microusd for job in new.jobs.all()} == {0}
    go(new)
    assert new.status == RunStatus.SUCCEEDED
    assert len(new.result.publish_urls) == 1
    assert new.jobs.filter(kind="clips").exclude(external_id="").count() == 0
    assert new.approvals.get(gate="prepublish").channel == "page"
    assert new.approvals.get(gate="workflow").channel == "fork"


def test_the_cost_of_a_redo_is_what_it_cost_before_also_in_a_fork_of_a_fork(run: Run) -> None:
    go(run, "alex")
    ProviderJob.objects.filter(run=run).update(cost_microusd=400_000)
    assert forks.total_microusd(forks.preview(run, "riley")) == 800_000
    assert forks.total_microusd(forks.preview(run, "alex")) == 0
    assert forks.total_microusd(forks.preview(fork(run, "alex"), "riley")) == 800_000
    run.jobs.filter(index=1).update(cost_microusd=None)
    assert forks.total_microusd(forks.preview(run, "riley")) == 800_000
    run.jobs.update(cost_microusd=None)
    assert forks.total_microusd(forks.preview(run, "riley")) is None


def test_a_fork_at_the_wait_orders_only_the_clip_that_is_missing(run: Run) -> None:
    go(run, "clips")
    first, second = run.jobs.order_by("index")
    jobs.refresh(first.id)
    ProviderJob.objects.filter(id=second.id).update(status=JobStatus.FAILED, error="refused by the filter")
    step = run.cursor()
    assert step is not None
    services.park(step.id)
    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert fates(run, "clips") == {"clips 0": "reuse", "clips 1": "redo"}
    new = at_its_step(run, "clips")
    assert [job.status for job in new.jobs.order_by("index")] == [JobStatus.SUCCEEDED, JobStatus.INTENT]
    go(new, "prepublish")
    assert standing(new) == "prepublish"


def test_a_running_run_goes_on_beside_its_fork(run: Run) -> None:
    go(run, "alex")
    held = services.claim(run.steps.get(name="alex").id)
    assert held is not None
    at_its_step(run, "riley")
    assert services.complete(held, {})
    assert run.jobs.filter(status=JobStatus.SUCCEEDED).count() == 2
    assert run.events.filter(subject="fork").count() == 1


def test_a_cancelled_run_is_taken_up_again_by_a_fork(run: Run) -> None:
    go(run, "render")
    services.cancel(run.id, actor="bob")
    new = at_its_step(run, "render")
    assert fates(run, "render")["render"] == "redo"
    go(new)
    assert new.status == RunStatus.SUCCEEDED


def test_of_a_revised_run_the_newest_pass_counts(make_run: MakeRun) -> None:
    run = make_run("aismr")
    go(run, "ideate")
    refuse(run, Verdict.REVISE, comment="less wax")
    go(run, "riley")
    newest = run.steps.filter(name="iggy").last()
    assert newest is not None
    newest.output = {"ideas": [{"index": 0, "subject": "the newest"}]}
    newest.save()
    new = at_its_step(run, "riley")
    assert new.steps.get(name="iggy").output == newest.output
    assert new.steps.get(name="iggy").notes == "less wax"
    assert at_its_step(run, "ideate").cursor() is not None


def test_clips_that_were_revised_away_are_not_taken_over(run: Run) -> None:
    go(run, "prepublish")
    refuse(run, Verdict.REVISE, comment="another light", stage="riley")
    go(run, "prepublish")
    assert run.jobs.filter(kind="clips").count() == 4
    new = at_its_step(run, "prepublish")
    assert new.jobs.filter(kind="clips").count() == 2
    assert new.artifacts.filter(type="kieai.clip").count() == 2
    approve(new)
    go(new)
    assert new.status == RunStatus.SUCCEEDED


def test_a_stage_that_a_revision_has_reached_again_must_be_finished_again(run: Run) -> None:
    go(run, "prepublish")
    refuse(run, Verdict.REVISE, comment="another cut", stage="alex")
    with pytest.raises(Conflict, match=r"'alex' before it is pending\. Fork from 'alex' or earlier"):
        fork(run, "quinn")
    at_its_step(run, "alex")


def test_a_step_the_run_does_not_have_is_named_with_those_it_has(run: Run) -> None:
    with pytest.raises(NotFound, match=r"no step 'sparkle'\. It has: workflow, iggy, riley"):
        forks.preview(run, "sparkle")


# --- Nothing is published twice


def lost_publish(run: Run) -> ProviderJob:
    go(run, "publish")
    jobs.submit_ready(run.id, "publish")
    job = run.jobs.get(kind="publish")
    ProviderJob.objects.filter(id=job.id).update(status=JobStatus.UNKNOWN, external_id="", lease_until=None)
    return job


def test_a_film_whose_publish_is_open_is_not_published_by_a_fork(run: Run) -> None:
    job = lost_publish(run)
    for status in (JobStatus.SUBMITTING, JobStatus.SUBMITTED, JobStatus.UNKNOWN):
        ProviderJob.objects.filter(id=job.id).update(status=status)
        with pytest.raises(Conflict, match=r"may have published this film.*Fork from 'alex'"):
            fork(run, "quinn")
    services.cancel(run.id, actor="bob")
    with pytest.raises(Conflict, match="may have published this film"):
        fork(run, "quinn")
    at_its_step(run, "alex")


def test_a_publish_that_surely_failed_can_be_taken_up_by_a_fork(run: Run) -> None:
    job = lost_publish(run)
    jobs.settle_by_hand(job.id, url="", actor="bob")
    new = at_its_step(run, "publish")
    go(new)
    assert new.status == RunStatus.SUCCEEDED


def test_of_two_forks_with_the_same_film_only_one_publishes(run: Run) -> None:
    go(run, "prepublish")
    first, second = fork(run, "quinn"), fork(fork(run, "prepublish"), "quinn")
    go(first)
    assert first.status == RunStatus.SUCCEEDED
    for late in (second, run):
        approve_from(late)
        assert (late.status, late.jobs.get(kind="publish").external_id) == (RunStatus.FAILED, "")
        assert f"already published, by run {first.id}" in late.reason
    with pytest.raises(Conflict, match=f"already published, by run {first.id}"):
        fork(run, "prepublish")


def approve_from(run: Run) -> None:
    go(run, "publish")
    step = run.cursor()
    assert step is not None
    services.park(step.id)
    jobs.submit_ready(run.id, "publish")
    services.settle(run.id)
    run.refresh_from_db()


def test_another_film_of_the_same_family_may_be_published(run: Run) -> None:
    go(run)
    new = fork(run, "alex")
    go(new)
    assert new.status == RunStatus.SUCCEEDED
    # The mock renders the same clips to the same bytes; they are a film of their own all the same.
    assert new.result.publish_urls != run.result.publish_urls
    with pytest.raises(Conflict, match=f"already published, by run {new.id}"):
        fork(new, "quinn")
