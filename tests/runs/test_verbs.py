"""What operators do to runs: the same verbs as service, over HTTP, from a shell, and in the admin."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse

from myloware.kernel.errors import Conflict, NotFound
from runs import jobs, services
from runs.models import Approval, ProviderJob, Run
from runs.states import JobStatus, RunStatus

from .journey import approve, go, stage

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django.fixtures import Settings

    from .conftest import MakeRun


@pytest.fixture
def key(settings: Settings) -> dict[str, str]:
    return {"X-API-Key": settings.API_KEY}


@pytest.fixture(autouse=True)
def shell_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "olga")


def shell(*words: str) -> str:
    """What ``manage.py runs`` prints."""
    out = io.StringIO()
    call_command("runs", *words, stdout=out)
    return out.getvalue().rstrip("\n")


def told(*words: str) -> Any:
    """The JSON on its last line."""
    return json.loads(shell(*words, "--json").splitlines()[-1])


def with_failed_clips(run: Run, *indexes: int, expired: bool = True) -> None:
    """At the wait for clips, some of them failed for good, the others still with the provider."""
    go(run, "clips")
    wait = run.cursor()
    assert wait is not None
    services.park(wait.id)
    run.jobs.filter(index__in=indexes).update(status=JobStatus.FAILED, error="refused by the filter", poll_at=None)
    if expired:
        run.jobs.exclude(index__in=indexes).update(status=JobStatus.SUCCEEDED)
        services.settle(run.id)
    run.refresh_from_db()


def clips(run: Run) -> list[str]:
    return [str(job.status) for job in run.jobs.filter(kind="clips").order_by("index")]


# --- Retry of a single clip


def test_only_the_clip_that_is_named_is_ordered_anew(run: Run) -> None:
    with_failed_clips(run, 0, 1)
    assert run.status == RunStatus.FAILED
    services.retry(run.id, actor="bob", clip=1)
    run.refresh_from_db()
    assert (run.status, clips(run)) == (RunStatus.RUNNING, ["failed", "intent"])
    assert run.jobs.get(index=1).retries == 1
    assert run.events.filter(subject="clips 1", new="intent", actor="bob").exists()


def test_a_failed_clip_is_ordered_anew_while_others_are_under_way(run: Run) -> None:
    with_failed_clips(run, 1, expired=False)
    services.retry(run.id, actor="bob", clip=1)
    run.refresh_from_db()
    assert (run.status, clips(run)) == (RunStatus.WAITING, ["submitted", "intent"])
    jobs.submit_ready(run.id, "clips")
    assert clips(run) == ["submitted", "submitted"]


def test_a_clip_that_has_not_failed_is_left_alone(run: Run) -> None:
    with_failed_clips(run, 1)
    with pytest.raises(Conflict, match="Clip 0 has not failed: it is succeeded"):
        services.retry(run.id, actor="bob", clip=0)
    with pytest.raises(NotFound, match="no clip 7"):
        services.retry(run.id, actor="bob", clip=7)
    services.cancel(run.id, actor="bob")
    with pytest.raises(Conflict, match="this run is cancelled"):
        services.retry(run.id, actor="bob", clip=1)


# --- Cancel


def test_a_late_callback_on_a_cancelled_run_changes_nothing(run: Run) -> None:
    go(run, "clips")
    late = run.jobs.get(index=0)
    services.cancel(run.id, actor="bob")
    before = rows(run)
    jobs.reported("kieai", [late.external_id], late.reference)
    jobs.refresh(late.id)
    jobs.submit_ready(run.id, "clips")
    assert not services.settle(run.id)
    assert not services.resume(run.id).active
    assert rows(run) == before


def rows(run: Run) -> list[list[Any]]:
    return [
        list(each.values())
        for each in (
            Run.objects.filter(id=run.id),
            run.steps.all(),
            run.jobs.all(),
            run.artifacts.all(),
            run.events.all(),
        )
    ]


def test_a_worker_that_is_at_work_orders_nothing_after_the_cancel(run: Run) -> None:
    go(run, "riley")
    riley = stage(run, "riley")
    services.cancel(run.id, actor="bob")
    with pytest.raises(Conflict, match="The run has ended: it is cancelled"):
        jobs.order(riley, "clips", [{"prompt": "a moon"}])
    assert not run.jobs.exists()
    assert not services.complete(riley, {})


# --- Revise


def test_a_revised_cut_that_comes_out_the_same_is_published_all_the_same(run: Run) -> None:
    go(run, "prepublish")
    gate = run.cursor()
    assert gate is not None
    services.park(gate.id)
    revised = services.revise(run.id, "alex", "shorter", "bob")
    cursor = revised.cursor()
    assert cursor is not None
    assert (cursor.name, cursor.notes) == ("alex", "shorter")
    go(run)
    films = run.artifacts.filter(type="ffmpeg.normalized")
    assert len(set(films.values_list("checksum", flat=True))) < films.count()
    assert run.status == RunStatus.SUCCEEDED


# --- Over HTTP


def post(client: Client, key: dict[str, str], run: Run, verb: str, **body: Any) -> Any:
    return client.post(f"/v1/runs/{run.id}/{verb}", body, "application/json", headers=key)


def test_http_retries_everything_or_one_clip(client: Client, key: dict[str, str], run: Run) -> None:
    with_failed_clips(run, 0, 1)
    first = post(client, key, run, "retry", clip=1)
    assert (first.status_code, first.json()["status"]) == (200, "running")
    assert [job["status"] for job in first.json()["jobs"]] == ["failed", "intent"]
    again = post(client, key, run, "retry", clip=1)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "conflict")
    assert post(client, key, run, "retry", clip=-1).status_code == 400
    assert post(client, key, run, "retry").status_code == 409


def test_http_revises_at_an_open_gate(client: Client, key: dict[str, str], make_run: MakeRun) -> None:
    run = make_run("aismr")
    approve(run)
    closed = post(client, key, run, "revise", comment="less wax")
    assert (closed.status_code, closed.json()["error"]["code"]) == (409, "conflict")
    assert "No gate is open" in closed.json()["error"]["message"]
    go(run, "ideate")
    gate = run.cursor()
    assert gate is not None
    services.park(gate.id)
    assert post(client, key, run, "revise").status_code == 400
    assert post(client, key, run, "revise", comment="less wax", stage="quinn").status_code == 422
    revised = post(client, key, run, "revise", comment="less wax", stage="iggy")
    assert (revised.status_code, revised.json()["status"]) == (200, "running")
    assert Approval.objects.get(step=gate).actor == "api"


def test_http_previews_and_forks(client: Client, key: dict[str, str], run: Run) -> None:
    go(run, "alex")
    ProviderJob.objects.update(cost_microusd=400_000)
    path = f"/v1/runs/{run.id}/fork"
    seen = client.get(path, {"step": "riley"}, headers=key).json()
    assert (seen["forbidden"], seen["cost_microusd"]) == ("", 800_000)
    assert {effect["fate"] for effect in seen["effects"]} == {"redo"}
    assert Run.objects.count() == 1
    made = post(client, key, run, "fork", step="alex")
    assert (made.status_code, made.json()["forked_from"]) == (201, str(run.id))
    assert client.get(path, headers=key).status_code == 400
    assert client.get(path, {"step": "sparkle"}, headers=key).status_code == 404
    assert client.get(path, {"step": "quinn"}, headers=key).json()["error"]["code"] == "conflict"
    assert post(client, key, run, "fork", step="quinn").status_code == 409


def test_http_describes_the_verbs(client: Client) -> None:
    paths = client.get("/v1/schema?format=json").json()["paths"]
    for verb in ("retry", "revise", "fork"):
        assert paths[f"/v1/runs/{{run_id}}/{verb}"]["post"]["description"]
    assert paths["/v1/runs/{run_id}/fork"]["get"]["parameters"]


@pytest.mark.parametrize("verb", ["retry", "revise", "fork"])
def test_http_wants_the_key(client: Client, run: Run, verb: str) -> None:
    assert client.post(f"/v1/runs/{run.id}/{verb}", {"step": "workflow"}, "application/json").status_code == 401


# --- From a shell


@pytest.mark.usefixtures("projects")
def test_the_shell_starts_a_run_under_the_users_name() -> None:
    run = Run.objects.get(id=shell("start", "--project", "test_video_gen", "--brief", "a hungry moon", "--seed", "7"))
    assert (run.payload.input.brief, run.payload.options.seed) == ("a hungry moon", 7)
    approval = run.approvals.get()
    assert (approval.gate, approval.actor, approval.channel) == ("workflow", "olga", "shell")
    proposed = told("start", "--project", "aismr", "--brief", "a candle", "--modifier", "velvet", "--propose")
    assert (proposed["status"], proposed["payload"]["input"]["modifiers"]) == ("waiting", ["velvet"])


def test_the_shell_lists_and_shows(run: Run, make_run: MakeRun) -> None:
    other = make_run("aismr")
    assert [row["runId"] for row in told("list")["runs"]] == [str(other.id), str(run.id)]
    assert [row["runId"] for row in told("list", "--project", "aismr", "--limit", "1")["runs"]] == [str(other.id)]
    assert shell("list", "--status", "failed") == "No runs."
    assert str(run.id)[:8] in shell("list")
    text = shell("show", str(run.id)[:13])
    for part in (str(run.id), "the moon orders a cheeseburger", "Waiting for you", "gate   workflow"):
        assert part in text
    assert told("show", str(run.id))["runId"] == str(run.id)


def test_the_shell_takes_any_beginning_of_an_id_that_is_not_shared(run: Run, make_run: MakeRun) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        for each, new in ((run, "abcd0000"), (make_run(), "abcd1111")):
            identity = f"{new}{str(each.id)[8:]}"
            Run.objects.filter(id=each.id).update(id=identity)
            each.steps.update(run_id=identity)
            each.events.update(run_id=identity)
            each.artifacts.update(run_id=identity)
    assert told("show", "ABCD0")["runId"].startswith("abcd0000")
    with pytest.raises(CommandError, match="More than one run's id begins with 'abcd'"):
        shell("show", "abcd")
    with pytest.raises(CommandError, match="No run's id begins with 'ffff'"):
        shell("show", "ffff")
    with pytest.raises(CommandError, match="not how a run's id begins"):
        shell("show", "moon")


def test_the_shell_watches_until_a_person_is_needed_or_the_end(run: Run) -> None:
    lines = shell("watch", str(run.id), "--until-gate").splitlines()
    assert "gate workflow: waiting" in lines[0]
    assert lines[-1] == "Waiting for you: approve the plan."
    services.cancel(run.id, actor="bob")
    assert told("watch", str(run.id))["status"] == "cancelled"


def test_the_shell_cancels_once(run: Run) -> None:
    assert told("cancel", str(run.id), "--reason", "wrong brief")["reason"] == "wrong brief"
    assert run.events.filter(new="cancelled", subject="run").get().actor == "olga"
    with pytest.raises(CommandError, match="ended already"):
        shell("cancel", str(run.id))


def test_the_shell_retries_one_clip_or_all(run: Run) -> None:
    with_failed_clips(run, 0, 1)
    assert "running" in shell("retry", str(run.id), "--clip", "0")
    assert clips(run) == ["intent", "failed"]
    with pytest.raises(CommandError, match="Nothing failed"):
        shell("retry", str(run.id))


def test_the_shell_revises(make_run: MakeRun) -> None:
    run = make_run("aismr")
    go(run, "ideate")
    gate = run.cursor()
    assert gate is not None
    services.park(gate.id)
    assert told("revise", str(run.id), "--comment", "less wax")["status"] == "running"
    approval = Approval.objects.get(step=gate)
    assert (approval.actor, approval.channel, approval.comment) == ("olga", "shell", "less wax")


def test_the_shell_forks_after_it_has_told_what_that_means(run: Run) -> None:
    go(run, "alex")
    ProviderJob.objects.update(cost_microusd=400_000)
    text = shell("fork", str(run.id), "--step", "riley", "--dry-run")
    assert "redo       clips 0" in text
    assert "cost of what is done again: $0.80" in text
    assert Run.objects.count() == 1
    made = told("fork", str(run.id), "--step", "alex")
    assert [effect["fate"] for effect in made["effects"]] == ["reuse", "reuse"]
    assert made["forked_from"] == str(run.id)


def test_the_shell_tells_programs_of_errors_too(run: Run) -> None:
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("runs", "retry", str(run.id), "--json", stdout=out)
    assert json.loads(out.getvalue())["error"]["code"] == "conflict"


def test_a_database_that_is_away_is_told_in_words() -> None:
    nowhere = {**os.environ, "DB_URL": "postgresql://nobody@127.0.0.1:1/nothing"}
    ended = subprocess.run(
        [sys.executable, "manage.py", "runs", "list"],
        cwd=Path(__file__).parents[2],
        env=nowhere,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "The database does not answer" in ended.stderr
    assert "Traceback" not in ended.stderr


# --- In the admin and on the staff's pages


def test_the_admin_retries_a_single_clip(admin_client: Client, run: Run) -> None:
    with_failed_clips(run, 0, 1)
    change = reverse("admin:runs_run_change", args=[run.id])
    html = admin_client.get(change).content.decode()
    assert html.count("Retry clip") == 2
    assert reverse("run-fork", args=[run.id]) in html
    job = run.jobs.get(index=1)
    sent = {"action": "retry_clips", "_selected_action": str(job.id), "back": ""}
    answer = admin_client.post(reverse("admin:runs_providerjob_changelist"), sent)
    assert answer.headers["Location"] == change
    assert clips(run) == ["failed", "intent"]
    refused = admin_client.post(reverse("admin:runs_providerjob_changelist"), sent, follow=True).content.decode()
    assert "Clip 1 has not failed" in refused


def test_the_admin_retries_nothing_but_clips_that_count(admin_client: Client, run: Run) -> None:
    go(run, "render")
    sent = {"action": "retry_clips", "_selected_action": str(run.jobs.get(kind="render").id)}
    html = admin_client.post(reverse("admin:runs_providerjob_changelist"), sent, follow=True).content.decode()
    assert "Only a clip can be ordered anew by itself" in html


def test_the_run_page_retries_a_single_clip(admin_client: Client, run: Run) -> None:
    with_failed_clips(run, 1)
    html = admin_client.get(f"/runs/{run.id}/").content.decode()
    (action,) = re.findall(r'formaction="([^"]+/clips/[^"]+)"', html)
    admin_client.post(action)
    assert clips(run) == ["succeeded", "intent"]


def test_the_fork_page_tells_what_a_fork_means_and_makes_it(admin_client: Client, run: Run) -> None:
    go(run)
    run.jobs.filter(kind="clips").update(cost_microusd=400_000)
    page = reverse("run-fork", args=[run.id])
    assert page in admin_client.get(f"/runs/{run.id}/").content.decode()
    html = admin_client.get(page).content.decode()
    for part in ("2 clips", "reuse", "$0.80", f"already published, by run {run.id}", 'value="alex"'):
        assert part in html
    assert 'value="quinn"' not in html
    assert Run.objects.count() == 1
    answer = admin_client.post(page, {"step": "alex"})
    new = Run.objects.get(forked_from=run)
    assert answer.headers["Location"] == f"/runs/{new.id}/"
    assert str(run.id) in admin_client.get(f"/runs/{new.id}/").content.decode()
    refused = admin_client.post(page, {"step": "quinn"}, follow=True).content.decode()
    assert "This film is already published" in refused
    assert new.events.filter(actor="admin").exists()


def test_who_may_only_look_forks_nothing(client: Client, run: Run) -> None:
    watcher = User.objects.create_user("watcher", is_staff=True)
    watcher.user_permissions.add(Permission.objects.get(codename="view_run"))
    client.force_login(watcher)
    page = reverse("run-fork", args=[run.id])
    assert page not in client.get(f"/runs/{run.id}/").content.decode()
    assert client.get(page).status_code == client.post(page, {"step": "workflow"}).status_code == 403
