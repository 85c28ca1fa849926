"""The approval page, as a browser without any account meets it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pydantic import SecretStr

from runs import services
from runs.models import Approval, Run, Spend
from runs.states import RunStatus, Verdict

from . import scenes

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test.client import _MonkeyPatchedWSGIResponse as Answer
    from pytest_django import Settings


# Who opens a link before the person does: chats, mail scanners, search engines.
PREVIEWS = (
    "TelegramBot (like TwitterBot)",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "Slackbot 1.0 (+https://api.slack.com/robots)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "WhatsApp/2.23.20.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/51.0.2704.103 "
    "Safari/537.36 BingPreview/1.0b",
    "Mozilla/4.0 (compatible; ms-office; MSOffice 16)",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
)


def press(visitor: Client, url: str, verdict: str, **fields: str) -> Answer:
    """What the page's buttons send."""
    path = url.partition("?")[0]
    return visitor.post(path, {"token": scenes.token_of(url), "verdict": verdict, **fields})


def test_looking_decides_nothing(visitor: Client) -> None:
    run = scenes.at_workflow()
    url = scenes.page(run)
    for agent in PREVIEWS:
        assert visitor.get(url, headers={"User-Agent": agent}).status_code == 200
    assert visitor.head(url).status_code == 200
    assert not Approval.objects.exists()
    assert scenes.gate(run).name == "workflow"


def test_the_page_is_kept_by_nobody_and_runs_nothing(visitor: Client) -> None:
    answer = visitor.get(scenes.page(scenes.at_workflow()))
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "noindex" in answer.headers["X-Robots-Tag"]
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert b"<script" not in answer.content
    assert b" style=" not in answer.content


def test_the_plan_names_the_crew_and_what_will_be_made(visitor: Client) -> None:
    text = visitor.get(scenes.page(scenes.at_workflow("aismr"))).content.decode()
    for words in (scenes.BRIEF, "12 × 8 s", "9:16", "Iggy", "Riley", "Alex", "Quinn", "Approve and start"):
        assert words in text
    assert "Ask for changes" not in text


def test_the_ideas_are_all_there(visitor: Client) -> None:
    text = visitor.get(scenes.page(scenes.at_ideate())).content.decode()
    assert text.count('class="card idea"') == 12
    assert "Velvet candle" in text
    assert "Ask for changes" in text


def test_the_film_stands_beside_exactly_its_draft(visitor: Client) -> None:
    run = scenes.at_prepublish()
    text = visitor.get(scenes.page(run)).content.decode()
    film = run.artifacts.get(type="ffmpeg.normalized")
    assert f'src="/media/{film.path}' in text
    for words in ("The moon is hungry", "Stay for the pickle", "#moon #cheeseburger #surreal", "@night_shift_films"):
        assert words in text
    assert "marked as made with AI" in text
    assert "Only the account itself" in text


def test_what_the_film_has_cost_so_far_stands_beside_it(visitor: Client) -> None:
    run = scenes.at_prepublish()
    for key, held, settled, status in (("a", 500_000, 400_000, "settled"), ("b", 200_000, None, "reserved")):
        Spend.objects.create(
            run=run,
            step=run.steps.get(name="quinn"),
            key=key,
            what="clip",
            provider="kieai",
            day=timezone.now().date(),
            status=status,
            reserved_microusd=held,
            settled_microusd=settled,
        )
    assert b"<dt>Cost so far</dt><dd>$0.60</dd>" in visitor.get(scenes.page(run)).content


def test_every_page_is_light(visitor: Client) -> None:
    for run in (scenes.at_workflow("aismr"), scenes.at_ideate(), scenes.at_prepublish()):
        assert len(visitor.get(scenes.page(run)).content) < 50_000


def test_what_people_write_is_shown_as_text(visitor: Client) -> None:
    run = scenes.at_prepublish()
    answer = press(visitor, scenes.page(run), "approve", caption="<script>alert(1)</script>", title="x" * 500)
    assert answer.status_code == 400
    assert b"&lt;script&gt;" in answer.content
    assert b"<script>" not in answer.content


def test_approving_moves_the_run_and_leads_back_to_the_page(visitor: Client) -> None:
    run = scenes.at_workflow()
    url = scenes.page(run, recipient="ada@example.com")
    answer = press(visitor, url, "approve")
    assert answer.status_code == 303
    text = visitor.get(answer.headers["Location"]).content.decode()
    assert "Approved" in text
    assert "ada@example.com" in text
    assert "Iggy is at work" in text
    run.refresh_from_db()
    assert run.status == RunStatus.RUNNING
    approval = Approval.objects.get()
    assert (approval.actor, approval.channel, approval.verdict) == ("ada@example.com", "page", "approve")


def test_rejecting_ends_the_run_with_the_reason(visitor: Client) -> None:
    run = scenes.at_prepublish()
    press(visitor, scenes.page(run), "reject", comment="off brand")
    run.refresh_from_db()
    assert (run.status, run.reason) == (RunStatus.REJECTED, "off brand")


def test_changes_go_back_to_the_chosen_stage(visitor: Client) -> None:
    run = scenes.at_prepublish()
    press(visitor, scenes.page(run), "revise", comment="slower, please", stage="alex")
    cursor = run.cursor()
    assert cursor is not None
    assert (cursor.name, cursor.notes) == ("alex", "slower, please")


def test_changes_need_a_comment(visitor: Client) -> None:
    run = scenes.at_prepublish()
    answer = press(visitor, scenes.page(run), "revise", stage="riley")
    assert answer.status_code == 422
    text = answer.content.decode()
    assert "needs a comment" in text
    assert 'name="other" open' in text
    assert 'value="riley" checked' in text
    assert not Approval.objects.filter(gate="prepublish").exists()


def test_an_edited_caption_is_what_will_be_published(visitor: Client) -> None:
    run = scenes.at_prepublish()
    url = scenes.page(run)
    press(
        visitor,
        url,
        "approve",
        title="The moon is hungry",
        caption="By hand.\r\nTwo lines.",
        tags="#moon, pickle pickle",
    )
    job = run.jobs.get(kind="publish")
    assert job.request["caption"] == "By hand.\nTwo lines."
    assert job.request["tags"] == ["moon", "pickle"]
    assert job.request["title"] == "The moon is hungry"
    approval = Approval.objects.get(gate="prepublish")
    assert sorted(approval.edits) == ["caption", "tags"]
    step = approval.step
    assert step.output is not None
    assert step.output["draft"] == services.digest(job.request)
    assert "By hand." in visitor.get(url).content.decode()


def test_account_and_film_cannot_be_edited(visitor: Client) -> None:
    run = scenes.at_prepublish()
    before = run.jobs.get(kind="publish").request
    press(visitor, scenes.page(run), "approve", account="somebody_else", film="0" * 64, privacy="PUBLIC_TO_EVERYONE")
    assert run.jobs.get(kind="publish").request == before


def test_an_empty_caption_is_refused_and_nothing_typed_is_lost(visitor: Client) -> None:
    run = scenes.at_prepublish()
    answer = press(visitor, scenes.page(run), "approve", title="A new title", caption="", tags="#moon")
    assert answer.status_code == 422
    assert b"A new title" in answer.content
    assert scenes.gate(run).name == "prepublish"


def test_the_second_learns_who_was_first(visitor: Client) -> None:
    run = scenes.at_workflow()
    url = scenes.page(run)
    scenes.decide(run)
    answer = press(visitor, url, "reject")
    assert answer.status_code == 409
    text = answer.content.decode()
    assert "Somebody was faster" in text
    assert "<b>bob</b>" in text
    assert Approval.objects.get().verdict == Verdict.APPROVE


def test_an_expired_link_says_so(visitor: Client, settings: Settings) -> None:
    url = scenes.page(scenes.at_workflow())
    settings.HITL = settings.HITL.model_copy(update={"hitl_link_hours": -1})
    assert visitor.get(url).status_code == 410
    answer = press(visitor, url, "approve")
    assert answer.status_code == 410
    assert b"This link has expired" in answer.content
    assert not Approval.objects.exists()


def tampered(url: str) -> str:
    return url.replace("token=", "token=x")


def unsigned(url: str) -> str:
    return url.partition("?")[0] + "?token=nothing"


@pytest.mark.parametrize("spoil", [tampered, unsigned])
def test_a_link_that_was_changed_is_refused(visitor: Client, spoil: Callable[[str], str]) -> None:
    url = spoil(scenes.page(scenes.at_workflow()))
    for answer in (visitor.get(url), press(visitor, url, "approve")):
        assert answer.status_code == 403
        assert b"This link does not work" in answer.content
    assert not Approval.objects.exists()


def with_secrets(settings: Settings, now: str, *old: str) -> None:
    values = {"hitl_secret": SecretStr(now), "hitl_old_secrets": SecretStr(",".join(old))}
    settings.HITL = settings.HITL.model_copy(update=values)


def test_a_link_of_the_former_key_works_until_that_key_is_taken_away(visitor: Client, settings: Settings) -> None:
    with_secrets(settings, "the-key-of-last-year")
    url = scenes.page(scenes.at_workflow())
    with_secrets(settings, "the-key-of-this-year", "an-older-one", "the-key-of-last-year")
    assert visitor.get(url).status_code == 200
    with_secrets(settings, "the-key-of-this-year")
    for answer in (visitor.get(url), press(visitor, url, "approve")):
        assert answer.status_code == 410
        assert b"signed with a key that is no longer in use" in answer.content
        assert b"you get a fresh one" in answer.content
    assert not Approval.objects.exists()


def test_a_revoked_link_says_by_whom_and_a_later_one_works(visitor: Client, api: Client) -> None:
    run = scenes.at_workflow()
    url = scenes.page(run)
    assert api.post(f"/v1/hitl/{run.id}/revoke").status_code == 204
    for answer in (visitor.get(url), press(visitor, url, "approve")):
        assert answer.status_code == 410
        assert b"This link was revoked by api" in answer.content
    assert not Approval.objects.exists()
    later = scenes.page(run)
    assert press(visitor, later, "approve").status_code == 303
    assert b"Approved" in visitor.get(url).content


def test_links_are_revoked_where_a_gate_is_open(visitor: Client, api: Client) -> None:
    run = scenes.at_workflow()
    assert visitor.post(f"/v1/hitl/{run.id}/revoke").status_code == 401
    scenes.decide(run)
    assert api.post(f"/v1/hitl/{run.id}/revoke").status_code == 409


def test_a_link_opens_no_other_gate_and_no_other_run(visitor: Client) -> None:
    first, second = scenes.at_workflow(), scenes.at_workflow()
    token = scenes.token_of(scenes.page(first))
    for run, gate in ((second, "workflow"), (first, "prepublish")):
        path = f"/v1/hitl/approve/{run.id}/{gate}"
        assert visitor.get(path, {"token": token}).status_code == 403
        assert visitor.post(path, {"token": token, "verdict": "approve"}).status_code == 403
    assert not Approval.objects.exists()


def test_a_link_shown_something_else_by_now_is_void(visitor: Client) -> None:
    run = scenes.at_prepublish()
    url = scenes.page(run)
    job = run.jobs.get(kind="publish")
    job.request["caption"] = "Something nobody saw."
    job.save()
    assert visitor.get(url).status_code == 409
    assert press(visitor, url, "approve").status_code == 409
    assert scenes.gate(run).name == "prepublish"


def test_a_cancelled_run_needs_no_decision(visitor: Client) -> None:
    run = scenes.at_workflow()
    url = scenes.page(run)
    services.cancel(run.id, actor="bob")
    assert visitor.get(url).status_code == 409
    assert press(visitor, url, "approve").status_code == 409
    assert not Approval.objects.exists()


def test_after_a_revision_the_old_link_shows_its_own_decision(visitor: Client) -> None:
    run = scenes.at_ideate()
    url = scenes.page(run)
    press(visitor, url, "revise", comment="stranger")
    scenes.work(run, {"ideas": scenes.IDEAS})
    scenes.park(run)
    assert b"Sent back" in visitor.get(url).content
    assert press(visitor, url, "approve").status_code == 409
    assert b"Approve the ideas" in visitor.get(scenes.page(run)).content


def test_an_unknown_verdict_is_refused(visitor: Client) -> None:
    run = scenes.at_workflow()
    assert press(visitor, scenes.page(run), "publish").status_code == 400
    assert scenes.gate(run).name == "workflow"


@pytest.mark.django_db(transaction=True)
def test_sixteen_people_press_at_once_and_one_decides() -> None:
    run = scenes.at_workflow()
    url = scenes.page(run)
    start = threading.Barrier(16)

    def one(index: int) -> int:
        start.wait()
        try:
            return press(Client(), url, ("approve", "reject")[index % 2], comment="me").status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as people:
        answers = sorted(people.map(one, range(16)))
    assert answers == [303] + [409] * 15
    assert Approval.objects.count() == 1
    verdict: Any = Approval.objects.get().verdict
    expected = RunStatus.RUNNING if verdict == Verdict.APPROVE else RunStatus.REJECTED
    assert Run.objects.get().status == expected
