"""The pre-flight on the approval page, and its one button."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.core import mail
from django.urls import reverse

from runs import services
from runs.models import Approval, Run
from tests.providers.media.media_files import FINE

from . import scenes
from .test_approval_page import press

if TYPE_CHECKING:
    from django.test import Client
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

QUIET = FINE.model_copy(update={"lufs": -20.0})
LYING = FINE.model_copy(update={"rotation_deg": 90, "lufs": -20.0})


def text_of(visitor: Client, run: Run) -> str:
    return visitor.get(scenes.page(run)).content.decode()


def repair(visitor: Client, url: str, **fields: str) -> Answer:
    """What the page's button sends."""
    path = url.partition("?")[0].replace("/approve/", "/repair/")
    return visitor.post(path, {"token": scenes.token_of(url), **fields})


def finish(run: Run, film: str = "f" * 64, **updates: Any) -> None:
    """What a worker does about a repair that is wanted, in no time."""
    taken = services.take_repair(scenes.gate(run).id)
    assert taken is not None
    render = run.artifacts.get(type="ffmpeg.normalized")
    made = {"type": "ffmpeg.normalized", "path": f"{film[:2]}/{film}.mp4", "checksum": film}
    metadata = {"probe": {}, "repaired": {"from": render.checksum, "rules": ["film.loudness"]}}
    mended = services.Mended(FINE.model_copy(update=updates), {**made, "metadata": metadata}, ["film.loudness"])
    assert services.complete_repair(taken[0], mended)


def test_a_film_without_faults_is_one_calm_line(visitor: Client) -> None:
    text = text_of(visitor, scenes.at_prepublish())
    assert "checks passed" in text
    assert "All " in text
    assert "finding" not in text
    assert "Repair the film" not in text
    assert "disabled aria-describedby" not in text


def test_faults_are_told_errors_first_with_what_to_do(visitor: Client) -> None:
    text = text_of(visitor, scenes.at_prepublish(facts=LYING))
    assert "2 errors stand in the way" in text
    assert text.index("film.upright") < text.index("film.loudness")
    for words in ("Loudness: -20 LUFS", "-14.5 to -13.5 LUFS", "Repair turns the picture itself.", "Repair the film"):
        assert words in text
    assert 'value="approve" disabled' in text


def test_warnings_leave_the_decision_open(visitor: Client) -> None:
    text = text_of(visitor, scenes.at_prepublish(facts=QUIET))
    assert "1 thing to know" in text
    assert 'value="approve" disabled' not in text


def test_an_error_in_the_text_can_be_typed_away(visitor: Client) -> None:
    run = scenes.at_prepublish()
    url = scenes.page(run)
    answer = press(visitor, url, "approve", title="", caption="x" * 2190, tags="#moon #pickle")
    assert answer.status_code == 422
    assert b"tiktok.caption.max" in answer.content
    assert b"x" * 2190 in answer.content
    assert press(visitor, url, "approve", title="", caption="x" * 2190, tags="").status_code == 303


def test_a_film_with_errors_is_refused_on_the_page_and_over_http(visitor: Client, api: Client) -> None:
    run = scenes.at_prepublish(facts=LYING)
    answer = press(visitor, scenes.page(run), "approve")
    assert answer.status_code == 422
    assert b"film.upright" in answer.content
    path = reverse("hitl-decide", args=[run.id, "prepublish"])
    digest = services.digest_of(scenes.gate(run))
    told = api.post(path, {"verdict": "approve", "digest": digest}, "application/json")
    assert told.status_code == 422
    assert "film.upright" in str(told.json())
    assert not Approval.objects.filter(gate="prepublish").exists()


def test_enter_in_a_field_presses_nothing(visitor: Client) -> None:
    text = text_of(visitor, scenes.at_prepublish(facts=QUIET))
    first = text.index('<button form="approve" disabled hidden>')
    assert first < text.index('formaction="') < text.index('value="approve"')


def test_the_button_leads_back_to_the_repaired_film(visitor: Client) -> None:
    run = scenes.at_prepublish(facts=QUIET)
    url = scenes.page(run, recipient="ada@example.com")
    answer = repair(visitor, url, title="Moon", caption="Typed before.", tags="#moon")
    assert answer.status_code == 303
    followed = answer.headers["Location"]
    waiting = visitor.get(followed).content.decode()
    assert "The film is being repaired" in waiting
    assert "See whether it is done" in waiting
    assert "<form" not in waiting
    finish(run)
    back = visitor.get(followed)
    assert back.status_code == 303
    text = visitor.get(back.headers["Location"]).content.decode()
    assert "checks passed" in text
    assert "This film was repaired for film.loudness" in text
    assert "Typed before." in text
    assert press(visitor, back.headers["Location"], "approve").status_code == 303
    approval = Approval.objects.get(gate="prepublish")
    assert approval.actor == "ada@example.com"
    assert run.jobs.get(kind="publish").request["film"] == "f" * 64


def test_what_was_shown_before_the_repair_can_no_longer_be_approved(visitor: Client) -> None:
    run = scenes.at_prepublish(facts=QUIET)
    url = scenes.page(run)
    followed = repair(visitor, url).headers["Location"]
    finish(run)
    for old in (url, followed):
        assert press(visitor, old, "approve").status_code == 409
    assert visitor.get(url).status_code == 409
    assert not Approval.objects.filter(gate="prepublish").exists()


def test_everybody_gets_a_new_link_when_it_is_done(visitor: Client) -> None:
    run = scenes.at_prepublish(facts=QUIET)
    gate = scenes.gate(run)
    repair(visitor, scenes.page(run))
    asked = run.artifacts.filter(type="hitl.request", step=gate)
    assert asked.count() == 1
    finish(run)
    assert asked.count() == 2
    assert mail.outbox == []


def test_why_a_repair_failed_stands_on_the_page(visitor: Client) -> None:
    run = scenes.at_prepublish(facts=QUIET)
    followed = repair(visitor, scenes.page(run)).headers["Location"]
    taken = services.take_repair(scenes.gate(run).id)
    assert taken is not None
    services.fail_repair(taken[0], "FFmpeg failed with exit status 1")
    text = visitor.get(followed).content.decode()
    assert "The film could not be repaired: FFmpeg failed with exit status 1" in text
    assert "Repair the film" in text
    assert press(visitor, followed, "approve").status_code == 303


def test_a_film_that_nobody_has_checked_can_be_checked(visitor: Client) -> None:
    run = scenes.at_prepublish(facts=None)
    text = text_of(visitor, run)
    assert "Check the film" in text
    assert 'value="approve" disabled' in text
    followed = repair(visitor, scenes.page(run)).headers["Location"]
    assert b"The film is being checked" in visitor.get(followed).content


@pytest.mark.parametrize("spoil", ["nothing", ""])
def test_nobody_repairs_without_a_link(visitor: Client, spoil: str) -> None:
    run = scenes.at_prepublish(facts=QUIET)
    path = reverse("hitl-repair", args=[run.id, "prepublish"])
    assert visitor.post(path, {"token": spoil}).status_code == 403
    assert visitor.get(path).status_code == 405
    assert not scenes.gate(run).repairing


def test_a_text_that_cannot_be_kept_is_said_at_once(visitor: Client) -> None:
    run = scenes.at_prepublish(facts=QUIET)
    answer = repair(visitor, scenes.page(run), caption="", title="A new title", tags="")
    assert answer.status_code == 422
    assert b"A new title" in answer.content
    assert not scenes.gate(run).repairing


def test_where_nothing_is_to_be_repaired_the_button_is_refused(visitor: Client) -> None:
    run = scenes.at_prepublish()
    assert repair(visitor, scenes.page(run)).status_code == 409
    run = scenes.at_workflow()
    assert repair(visitor, scenes.page(run)).status_code == 409


def test_a_decided_gate_shows_no_pre_flight(visitor: Client) -> None:
    run = scenes.at_prepublish(facts=QUIET)
    url = scenes.page(run)
    press(visitor, url, "approve")
    assert b"film.loudness" not in visitor.get(url).content
