"""Orders to the mock providers: real adapters, real files, no callbacks, so every result comes by asking."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from myloware.kernel.errors import Conflict, InvalidInput, Misconfigured, RateLimited
from personas.ports import PublishRequest
from providers import rendering, renders
from providers.base import Account, Report, State
from providers.models import Render
from runs import jobs, services, store
from runs.models import Outbox, ProviderJob, Run
from runs.ports import Desk
from runs.services import Decision
from runs.states import JobStatus, RunStatus, Verdict

from .journey import IDEAS, approve, ask_all, park, small, stage, to_clips, to_draft, to_film, to_render, videos

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django.fixtures import Settings

    from .conftest import MakeRun
    from .places import Place


def test_a_film_is_made_and_published_without_one_callback(run: Run) -> None:
    to_draft(run)
    approve(run)
    park(run)
    jobs.submit_ready(run.id, "publish")
    ask_all(run)
    run.refresh_from_db()
    assert (run.status, run.result.status) == (RunStatus.SUCCEEDED, "published")
    assert len(run.result.publish_urls) == 1
    film = run.artifacts.get(type="ffmpeg.normalized")
    with store.local(film.path) as file:
        assert store.checksum_of(file) == film.checksum
    assert film.metadata["loudness"]["integrated_lufs"] == pytest.approx(-14, abs=1)
    assert set(run.artifacts.values_list("type", flat=True)) >= {
        "run.start",
        "hitl.request",
        "hitl.approval",
        "kieai.job",
        "kieai.clip",
        "shotstack.timeline",
        "render.url",
        "ffmpeg.normalized",
        "publish.draft",
        "publish.url",
    }


def test_submitting_again_orders_nothing_new(run: Run) -> None:
    desk = to_clips(run)
    before = sorted(run.jobs.values_list("external_id", flat=True))
    desk.submit_clips("call-9", videos())
    assert sorted(run.jobs.values_list("external_id", flat=True)) == before


def test_refreshing_twice_keeps_one_clip(run: Run) -> None:
    to_clips(run)
    job = run.jobs.first()
    assert job is not None
    jobs.refresh(job.id)
    jobs.refresh(job.id)
    assert run.artifacts.filter(type="kieai.clip").count() == 1


def test_no_more_clips_than_allowed_are_in_flight(make_run: MakeRun) -> None:
    run = make_run("aismr")
    approve(run)
    services.complete(stage(run, "iggy"), {"ideas": []})
    park(run)
    approve(run)
    riley = stage(run, "riley")
    requests = [videos()[0].model_copy(update={"index": i}) for i in range(12)]
    Desk(riley).submit_clips("call-1", requests)
    assert run.jobs.filter(status=JobStatus.SUBMITTED).count() == 4
    assert run.jobs.filter(status=JobStatus.INTENT).count() == 8
    first = run.jobs.filter(status=JobStatus.SUBMITTED).first()
    assert first is not None
    jobs.refresh(first.id)
    jobs.submit_ready(run.id, "clips")
    assert run.jobs.filter(status=JobStatus.SUBMITTED).count() == 4


def test_a_queue_that_is_full_says_so(run: Run) -> None:
    approve(run)
    services.complete(stage(run, "iggy"), IDEAS)
    with pytest.raises(RateLimited, match="limit of 20"):
        jobs.order(stage(run, "riley"), "clips", [{"prompt": str(i)} for i in range(21)])


def test_the_wrong_number_of_clips_is_refused_in_words(run: Run) -> None:
    approve(run)
    services.complete(stage(run, "iggy"), IDEAS)
    with pytest.raises(InvalidInput, match=r"each index 0\.\.1"):
        Desk(stage(run, "riley")).submit_clips("call-1", videos()[:1])


def test_nothing_is_sent_to_the_publisher_before_the_approval(run: Run) -> None:
    to_draft(run)
    assert run.jobs.get(kind="publish").status == JobStatus.INTENT


def test_an_edited_caption_is_what_is_published(run: Run) -> None:
    to_draft(run)
    approve(run, edits={"caption": "Better words.", "film": "0" * 64, "account": "somebody"})
    draft = run.jobs.get(kind="publish").request
    assert draft["caption"] == "Better words."
    assert draft["account"] != "somebody"
    park(run)
    jobs.submit_ready(run.id, "publish")
    ask_all(run)
    run.refresh_from_db()
    assert run.status == RunStatus.SUCCEEDED


def test_a_caption_changed_after_the_approval_is_not_published(run: Run) -> None:
    to_draft(run)
    approve(run)
    job = run.jobs.get(kind="publish")
    job.request["caption"] += "!"
    job.save()
    park(run)
    jobs.submit_ready(run.id, "publish")
    job.refresh_from_db()
    assert job.status == JobStatus.FAILED
    assert "not what was approved" in job.error


def test_a_film_changed_after_the_approval_is_not_published(run: Run) -> None:
    to_draft(run)
    approve(run)
    film = Path(default_storage.path(run.artifacts.get(type="ffmpeg.normalized").path))
    film.write_bytes(film.read_bytes() + b"\0")
    park(run)
    jobs.submit_ready(run.id, "publish")
    assert "file has changed" in run.jobs.get(kind="publish").error


def test_a_rejection_publishes_nothing(run: Run) -> None:
    gate = to_draft(run)
    decision = Decision(
        Verdict.REJECT, actor="bob", channel="page", digest=services.digest_of(gate), comment="too dark"
    )
    services.decide(gate.id, decision)
    jobs.submit_ready(run.id, "publish")
    run.refresh_from_db()
    assert (run.status, run.reason) == (RunStatus.REJECTED, "too dark")
    assert run.jobs.get(kind="publish").external_id == ""
    assert not run.artifacts.filter(type="publish.url").exists()


def test_a_project_without_account_cannot_publish(run: Run) -> None:
    to_film(run)
    run.project.socials.clear()
    with pytest.raises(Misconfigured, match="no primary social account"):
        Desk(stage(run, "quinn")).draft_publish("call-3", PublishRequest(caption="The moon is hungry."))


def test_a_publish_whose_answer_was_lost_is_looked_up_and_not_repeated(run: Run) -> None:
    to_draft(run)
    approve(run)
    park(run)
    jobs.submit_ready(run.id, "publish")
    job = run.jobs.get(kind="publish")
    # The worker died between the service's answer and our note of it.
    ProviderJob.objects.filter(id=job.id).update(
        status=JobStatus.SUBMITTING, external_id="", lease_until=timezone.now() - timedelta(seconds=1)
    )
    ask_all(run)
    run.refresh_from_db()
    assert run.status == RunStatus.SUCCEEDED
    assert run.artifacts.filter(type="publish.url").count() == 1


def test_a_clip_whose_answer_was_lost_is_found_by_its_callback(run: Run) -> None:
    to_clips(run)
    job = run.jobs.get(index=0)
    task = job.external_id
    ProviderJob.objects.filter(id=job.id).update(status=JobStatus.UNKNOWN, external_id="")
    jobs.refresh(job.id)
    job.refresh_from_db()
    assert job.status == JobStatus.UNKNOWN
    jobs.reported("kieai", [task], job.reference)
    jobs.refresh(job.id)
    job.refresh_from_db()
    assert (job.status, job.external_id) == (JobStatus.SUCCEEDED, task)


def test_a_callback_for_nobody_changes_nothing(run: Run) -> None:
    jobs.reported("kieai", ["unheard-of"])
    jobs.reported("kieai", [])


def test_a_callback_under_the_services_own_id_wakes_what_is_open_on_its_account(run: Run) -> None:
    to_draft(run)
    approve(run)
    park(run)
    jobs.submit_ready(run.id, "publish")
    job = run.jobs.get(kind="publish")
    Outbox.objects.all().delete()

    def woken(profile: str, platform: str) -> list[Any]:
        jobs.reported("upload-post", ["an id of its own"], account=Account(profile, platform))
        return list(Outbox.objects.values_list("links", flat=True))

    account = job.request["account"]
    assert woken("somebody", "tiktok") == woken(account, "youtube") == []
    assert woken(account, "tiktok") == [[["media.refresh", [str(job.id)]]]]
    ask_all(run)
    Outbox.objects.all().delete()
    assert woken(account, "tiktok") == []


def fail_clip(run: Run, index: int) -> ProviderJob:
    """The provider reports that it could not make the clip."""
    job = run.jobs.get(kind="clips", index=index)
    ProviderJob.objects.filter(id=job.id).update(lease_until=None)
    jobs._failed(job, Report(state=State.FAILED, error="the model was too busy"))
    job.refresh_from_db()
    return job


def test_a_clip_the_provider_failed_to_make_is_ordered_anew_once(run: Run) -> None:
    to_clips(run)
    first = run.jobs.get(kind="clips", index=1).key
    job = fail_clip(run, 1)
    assert (job.status, job.retries) == (JobStatus.INTENT, 1)
    assert job.key != first
    jobs.submit_ready(run.id, "clips")
    assert fail_clip(run, 1).status == JobStatus.FAILED
    assert run.jobs.get(kind="clips", index=0).status != JobStatus.FAILED


def lost_publish(run: Run) -> ProviderJob:
    """A publish whose answer was lost, and whose run has given up waiting."""
    to_draft(run)
    approve(run)
    park(run)
    jobs.submit_ready(run.id, "publish")
    job = run.jobs.get(kind="publish")
    ProviderJob.objects.filter(id=job.id).update(status=JobStatus.UNKNOWN, external_id="", lease_until=None)
    step = run.cursor()
    assert step is not None
    assert services.expire(step.id, now=timezone.now() + timedelta(days=1))
    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert "nobody knows whether the film was published" in run.reason
    assert list(jobs.unsettled()) == [job]
    return job


def test_a_person_says_where_the_film_is_and_the_run_ends_well(run: Run) -> None:
    job = lost_publish(run)
    jobs.settle_by_hand(job.id, url="https://www.tiktok.com/@demo/video/1", actor="bob")
    services.settle(run.id)
    park(run)
    run.refresh_from_db()
    assert (run.status, run.result.publish_urls) == (RunStatus.SUCCEEDED, ("https://www.tiktok.com/@demo/video/1",))
    with pytest.raises(Conflict, match="succeeded"):
        jobs.settle_by_hand(job.id, url="", actor="bob")


def test_a_person_says_nothing_was_published_and_a_retry_sends_it_under_a_fresh_key(run: Run) -> None:
    job = lost_publish(run)
    jobs.settle_by_hand(job.id, url="", actor="bob")
    assert services.settle(run.id) is False
    services.retry(run.id, actor="bob")
    fresh = ProviderJob.objects.get(id=job.id)
    assert (fresh.status, fresh.key == job.key) == (JobStatus.INTENT, False)


def test_a_retry_of_a_publish_that_may_have_happened_only_asks_again(run: Run) -> None:
    job = lost_publish(run)
    services.retry(run.id, actor="bob")
    park(run)
    jobs.submit_ready(run.id, "publish")
    job.refresh_from_db()
    assert (job.status, job.retries) == (JobStatus.UNKNOWN, 0)


def test_a_result_that_comes_late_takes_the_run_on(run: Run) -> None:
    lost_publish(run)
    ask_all(run)
    park(run)
    run.refresh_from_db()
    assert run.status == RunStatus.SUCCEEDED


def test_the_admin_asks_what_became_of_a_publish(admin_client: Client, run: Run) -> None:
    job = lost_publish(run)
    page = f"/admin/runs/providerjob/{job.id}/"
    assert "Yes (1)" in admin_client.get("/admin/runs/providerjob/", {"unsettled": "yes"}).content.decode()
    assert "Nobody knows" in admin_client.get(f"{page}change/").content.decode()
    wrong = admin_client.post(f"{page}settle/", {"found": "film", "url": "somewhere"}, follow=True)
    assert "beginning with https://" in wrong.content.decode()
    admin_client.post(f"{page}settle/", {"found": "film", "url": "https://www.tiktok.com/@demo/video/1"})
    job.refresh_from_db()
    assert (job.status, job.report) == (JobStatus.SUCCEEDED, {"settled_by": "admin"})


def test_a_film_that_one_machine_has_rendered_is_collected_by_another(
    run: Run, place: Place, settings: Settings
) -> None:
    settings.PROVIDERS = settings.PROVIDERS.model_copy(update={"renderer": "local"})
    small(run)
    to_render(run)
    assert rendering.work() == "done"
    place.forget()
    shutil.rmtree(renders.folder())
    ask_all(run)
    store.verify(run.artifacts.get(type="ffmpeg.normalized").path)
    Render.objects.update(finished_at=timezone.now() - timedelta(hours=25))
    renders.tidy()
    with pytest.raises(FileNotFoundError):
        store.backend().size(f"renders/{Render.objects.get().id}.mp4")
