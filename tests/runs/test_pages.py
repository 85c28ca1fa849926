"""The staff's pages of a run: what they tell, what they send again, and what they let people do."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from providers import rendering, renders
from providers.models import Render
from runs import services
from runs.models import Run
from runs.states import RunStatus

from .journey import approve, ask_all, park, stage, to_clips, to_draft, to_render

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django.fixtures import Settings


class _Words(HTMLParser):
    """The text of a page, without its tags."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def words(html: str) -> str:
    reader = _Words()
    reader.feed(html)
    return re.sub(r"\s+", " ", " ".join(reader.parts))


def page(client: Client, run: Run) -> str:
    answer = client.get(f"/runs/{run.id}/")
    assert answer.status_code == 200
    return answer.content.decode()


def revisions(html: str) -> list[str]:
    return re.findall(r'name="rev" value="(\w+)"', html)


@pytest.fixture
def watcher(client: Client, db: None) -> Client:
    """Staff without the right to move runs."""
    client.force_login(User.objects.create_user("watcher", is_staff=True))
    return client


def test_strangers_are_sent_to_the_login(client: Client, run: Run) -> None:
    for path in ("/runs/", f"/runs/{run.id}/", f"/runs/{run.id}/pieces/", f"/runs/{run.id}/decide/"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["Location"][:13]) == (302, "/admin/login/")
    assert client.post(f"/runs/{run.id}/cancel/").status_code == 302
    run.refresh_from_db()
    assert run.active


def test_the_page_tells_where_the_run_stands(admin_client: Client, run: Run) -> None:
    text = words(page(admin_client, run))
    for part in ("Waiting for you: approve the plan.", "the moon orders a cheeseburger", "2 × 8 s", "Look and decide"):
        assert part in text
    for station in ("Brendan", "You", "Iggy", "Riley", "Clips", "Alex", "Render", "Quinn", "Publish"):
        assert station in text


def test_clips_appear_one_by_one(admin_client: Client, run: Run) -> None:
    desk = to_clips(run)
    services.complete(desk.step, {})
    park(run)
    before = page(admin_client, run)
    assert "0 of 2 clips are ready." in words(before)
    assert before.count("<video") == 0
    ask_all(run)
    after = page(admin_client, run)
    assert after.count('aria-label="Play clip') == 2
    assert "Alex is cutting the film." in words(after)


def test_a_published_film_is_played_with_its_caption_and_its_numbers(admin_client: Client, run: Run) -> None:
    to_draft(run)
    approve(run)
    park(run)
    ask_all(run)
    services.settle(run.id)
    html = page(admin_client, run)
    film = run.artifacts.get(type="ffmpeg.normalized")
    assert f'src="/media/{film.path}"' in html
    text = words(html)
    for part in ("The moon is hungry.", "#moon", "TikTok", "LUFS", "30 fps"):
        assert part in text


def test_only_what_changed_is_sent_again(admin_client: Client, run: Run) -> None:
    known = revisions(page(admin_client, run))
    still = admin_client.get(f"/runs/{run.id}/pieces/", {"rev": known})
    assert (still.status_code, still.content.strip()) == (200, b"")
    approve(run)
    moved = admin_client.get(f"/runs/{run.id}/pieces/", {"rev": known}).content.decode()
    assert set(re.findall(r'class="piece" id="([\w-]+)"', moved)) == {"status", "actions", "pipeline", "history"}
    assert 'hx-swap-oob="true"' in moved


def test_the_page_stops_asking_when_the_run_has_ended(admin_client: Client, run: Run) -> None:
    services.cancel(run.id, actor="bob")
    answer = admin_client.get(f"/runs/{run.id}/pieces/")
    assert answer.status_code == 286  # htmx: "stop polling"
    assert "hx-trigger" not in page(admin_client, run)


def test_a_failed_run_says_why_and_is_retried_from_the_page(admin_client: Client, run: Run) -> None:
    approve(run)
    services.fail(stage(run, "iggy"), "the model answered <nothing>")
    html = page(admin_client, run)
    assert "The model answered &lt;nothing&gt;." in html
    assert "Stopped at Iggy." in words(html)
    assert admin_client.post(f"/runs/{run.id}/retry/").status_code == 302
    run.refresh_from_db()
    assert run.status == RunStatus.RUNNING


def test_what_cannot_be_done_is_said_and_not_done(admin_client: Client, run: Run) -> None:
    answer = admin_client.post(f"/runs/{run.id}/retry/", follow=True)
    assert "Nothing failed that could be retried" in words(answer.content.decode())


def test_a_get_moves_nothing(admin_client: Client, run: Run) -> None:
    assert admin_client.get(f"/runs/{run.id}/cancel/").status_code == 405
    run.refresh_from_db()
    assert run.active


def test_who_may_only_look_gets_no_buttons(watcher: Client, run: Run) -> None:
    html = page(watcher, run)
    assert "Look and decide" not in html
    assert "formaction" not in html
    assert watcher.post(f"/runs/{run.id}/cancel/").status_code == 403
    assert watcher.get(f"/runs/{run.id}/decide/").status_code == 403


def test_staff_decide_under_their_own_name(admin_client: Client, run: Run) -> None:
    link = admin_client.get(f"/runs/{run.id}/decide/")
    assert link.status_code == 302
    shown = admin_client.get(link.headers["Location"])
    assert "Approve and start" in shown.content.decode()


def test_the_list_shows_moving_runs_first(admin_client: Client, run: Run) -> None:
    ended = run
    services.cancel(ended.id, actor="bob")
    moving = services.create_run(
        project=ended.project, input=ended.payload.input, options=ended.payload.options, user_id="alice", actor="alice"
    )
    Run.objects.filter(id=moving.id).update(created_at=ended.created_at.replace(year=2000))
    html = admin_client.get("/runs/").content.decode()
    assert html.index(str(moving.id)) < html.index(str(ended.id))
    assert "Cancelled" in html


def test_the_list_says_what_to_do_when_it_is_empty(admin_client: Client, db: None) -> None:
    assert "bin/demo" in admin_client.get("/runs/").content.decode()


def test_the_page_tells_how_far_the_film_is(admin_client: Client, run: Run, settings: Settings) -> None:
    settings.PROVIDERS = settings.PROVIDERS.model_copy(update={"renderer": "local"})
    to_render(run)
    settings.MEDIA = settings.MEDIA.model_copy(update={"media_spare_mb": 10**9})
    assert "Waits for a free renderer" in words(page(admin_client, run))
    before = revisions(page(admin_client, run))
    rendering.work()
    assert "Waits for room on the media folder's disk" in words(page(admin_client, run))
    Render.objects.update(due_at=timezone.now())
    render = renders.take("here")
    assert render is not None
    renders.report(render, Render.Status.RENDERING, progress=0.437, fps=21.4, left_s=75)
    text = words(page(admin_client, run))
    for part in ("43 %", "Rendering", "21 fps", "1:15 left"):
        assert part in text
    # Only what has changed is sent again: the picture's frame.
    after = revisions(page(admin_client, run))
    assert len(set(after) - set(before)) == 1
