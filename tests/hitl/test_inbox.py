"""The staff's inbox."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from hitl import tasks
from providers.models import WebhookEvent
from runs.models import ProviderJob
from runs.states import JobStatus, Verdict

from . import scenes
from .test_policies import late, policy

if TYPE_CHECKING:
    from django.test import Client

URL = "/inbox/"


def test_only_staff_look_into_it(visitor: Client) -> None:
    assert visitor.get(URL).status_code == 302


def test_nothing_waits(admin_client: Client) -> None:
    assert "Nothing waits for you" in admin_client.get(URL).content.decode()


def test_all_that_waits_is_there_the_oldest_first(admin_client: Client) -> None:
    lost = scenes.at_prepublish()
    scenes.decide(lost)
    ProviderJob.objects.filter(run=lost, kind="publish").update(
        status=JobStatus.UNKNOWN, submitted_at=timezone.now() - timedelta(hours=3)
    )
    WebhookEvent.objects.create(
        provider="kieai",
        idempotency_key="k1",
        raw_payload=b"{}",
        status=WebhookEvent.Status.DEAD,
        error="cannot be read",
    )
    WebhookEvent.objects.update(received_at=timezone.now() - timedelta(hours=2))
    policy("ideate", "aismr", expires_h=24)
    ideas = scenes.at_ideate()
    late(ideas, 1)
    scenes.at_workflow()
    text = admin_client.get(URL).content.decode()
    order = ["Is the film out?", "Failed for good: kieai", "Approve the ideas", "Approve the plan"]
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    assert "4 things wait for you" in text
    assert f"/runs/{ideas.id}/decide/" in text
    assert "decided by itself in" in text


def test_every_way_out_of_it_leads_somewhere(admin_client: Client) -> None:
    test_all_that_waits_is_there_the_oldest_first(admin_client)
    text = admin_client.get(URL).content.decode()
    links = [part.split('"')[0] for part in text.split('<a class="button')[1:] for part in [part.split('href="')[1]]]
    assert len(links) == 4
    for link in links:
        assert admin_client.get(link).status_code in {200, 302}


def test_news_for_me_stand_below(admin_client: Client, admin_user: Any) -> None:
    run = scenes.at_workflow()
    scenes.decide(run, Verdict.REJECT, "no")
    assert tasks.notify(str(run.id), "hitl.channels.inapp.InAppChannel") == "sent"
    text = admin_client.get(URL).content.decode()
    assert "Rejected: the moon orders" in text
