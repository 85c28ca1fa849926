"""The admin: every model is there, a run is read as a story, and only services move it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.urls import reverse

from runs import services
from runs.models import Project, ProjectSocial, Run, Social
from runs.states import RunStatus

from .journey import approve, park, stage, to_draft

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django import DjangoAssertNumQueries

    from .conftest import MakeRun

OURS = ("runs", "providers", "knowledge", "telegram_bot")
LIST = "/admin/runs/run/"


def change(run: Run) -> str:
    return reverse("admin:runs_run_change", args=[run.id])


def act(client: Client, action: str, *runs: Run, **more: str) -> str:
    """What choosing an action in the list sends; the page that follows."""
    answer = client.post(LIST, {"action": action, "_selected_action": [run.id for run in runs], **more}, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_run_is_started_from_the_admin(admin_client: Client, projects: None) -> None:
    page = admin_client.get(LIST + "add/").content.decode()
    assert "Start a run" in page
    wanted = {"project": Project.objects.get(slug="test_video_gen").pk, "prompt": "the moon orders a burger", "seed": 7}
    answer = admin_client.post(LIST + "add/", wanted)
    started = Run.objects.get()
    assert answer.headers["Location"] == reverse("run-page", args=[started.id])
    assert (started.payload.input.brief, started.payload.options.seed) == ("the moon orders a burger", 7)
    assert (started.user_id, started.status) == ("admin", RunStatus.RUNNING)
    admin_client.post(LIST + "add/", {**wanted, "propose": "on"})
    assert Run.objects.latest("created_at").status == RunStatus.WAITING


def test_a_run_that_cannot_start_says_why(admin_client: Client, client: Client, projects: None) -> None:
    page = admin_client.post(LIST + "add/", {"project": "", "prompt": "x", "seed": -1}).content.decode()
    assert page.count("errorlist") >= 3
    client.force_login(User.objects.create_user("reader", is_staff=True))
    assert client.get(LIST + "add/").status_code == 403
    assert not Run.objects.exists()


def test_every_model_has_its_pages(admin_client: Client, run: Run) -> None:
    to_draft(run)
    models = [model for app in OURS for model in apps.get_app_config(app).get_models()]
    missing = {model.__name__ for model in models if model not in admin.site._registry}
    assert missing <= {"Chunk"}  # Shown inside its document.
    for model in admin.site._registry:
        opts = model._meta
        assert admin_client.get(reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")).status_code == 200
        for row in model._default_manager.all()[:3]:
            url = reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[row.pk])
            assert admin_client.get(url).status_code == 200, url


def test_a_run_shows_its_timeline_its_media_its_orders_and_its_history(admin_client: Client, run: Run) -> None:
    to_draft(run)
    html = admin_client.get(change(run)).content.decode()
    film = run.artifacts.get(type="ffmpeg.normalized")
    assert f'src="/media/{film.path}' in html
    assert html.count('class="runs-timeline__step') == run.steps.count()
    for job in run.jobs.all():
        assert reverse("admin:runs_providerjob_change", args=[job.id]) in html
    for part in ("Waiting for you", "Decisions", "History", "kieai.clip"):
        assert part in html


def test_a_run_is_cancelled_after_one_more_question(admin_client: Client, run: Run) -> None:
    asked = act(admin_client, "cancel_runs", run)
    run.refresh_from_db()
    assert run.active
    assert "for good" in asked
    assert "1 run cancelled" in act(admin_client, "cancel_runs", run, confirmed="yes")
    run.refresh_from_db()
    assert (run.status, run.reason) == (RunStatus.CANCELLED, "cancelled by admin")


def test_one_run_that_refuses_does_not_hold_up_the_others(admin_client: Client, make_run: MakeRun) -> None:
    failed, sound = make_run(), make_run()
    approve(failed)
    services.fail(stage(failed, "iggy"), "no network")
    html = act(admin_client, "retry_runs", failed, sound)
    assert "1 run sent to work again" in html
    assert "Nothing failed that could be retried" in html
    failed.refresh_from_db()
    assert failed.status == RunStatus.RUNNING


def test_waking_a_run_changes_nothing_that_is_sound(admin_client: Client, run: Run) -> None:
    assert "1 run woken" in act(admin_client, "resume_runs", run)
    park(run)
    run.refresh_from_db()
    assert run.status == RunStatus.WAITING


def test_nobody_edits_or_deletes_what_happened(admin_client: Client, run: Run) -> None:
    assert admin_client.post(change(run), {"status": "succeeded"}).status_code == 403
    assert admin_client.post(reverse("admin:runs_run_delete", args=[run.id]), {"post": "yes"}).status_code == 403
    run.refresh_from_db()
    assert run.active


def test_who_may_only_look_is_offered_no_action(client: Client, run: Run) -> None:
    watcher = User.objects.create_user("watcher", is_staff=True)
    watcher.user_permissions.add(Permission.objects.get(codename="view_run"))
    client.force_login(watcher)
    html = client.get(change(run)).content.decode()
    assert "cancel_runs" not in html
    act(client, "cancel_runs", run, confirmed="yes")
    run.refresh_from_db()
    assert run.active


def test_an_account_is_mapped_to_a_project(admin_client: Client, projects: None) -> None:
    project = Project.objects.get(slug="aismr")
    social = Social.objects.create(provider="tiktok", account_id="second-account")
    mine = list(ProjectSocial.objects.filter(project=project))
    form = {
        "projectsocial_set-TOTAL_FORMS": len(mine) + 1,
        "projectsocial_set-INITIAL_FORMS": len(mine),
        f"projectsocial_set-{len(mine)}-social": social.id,
        f"projectsocial_set-{len(mine)}-project": project.id,
    }
    for index, row in enumerate(mine):
        form |= {
            f"projectsocial_set-{index}-id": row.id,
            f"projectsocial_set-{index}-project": project.id,
            f"projectsocial_set-{index}-social": row.social_id,
            f"projectsocial_set-{index}-is_primary": "on" if row.is_primary else "",
        }
    answer = admin_client.post(reverse("admin:runs_project_change", args=[project.id]), form)
    assert answer.status_code == 302
    assert social in project.socials.all()


@pytest.mark.parametrize("count", [1, 6])
def test_the_list_costs_the_same_however_many_runs(
    admin_client: Client, make_run: MakeRun, django_assert_max_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    for _ in range(count):
        make_run()
    admin_client.get(LIST)
    with django_assert_max_num_queries(12):
        assert admin_client.get(LIST).status_code == 200
