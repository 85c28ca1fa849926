"""Films that people decide about: in a browser on a phone, and the same one from wherever they are."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from playwright.sync_api import expect

from access.models import ApiKey
from hitl.chat import forget, talk
from hitl.links import approval_url
from hitl.messages import PAST
from hitl.tasks import invite
from runs import services, tasks
from runs.models import Approval, Run
from runs.states import Verdict
from telegram_bot.models import TelegramChat
from tests.hitl import scenes
from tests.hitl.test_channels import EMAIL
from tests.runs import journey
from tests.telegram_bot import test_run as telegram
from tests.telegram_bot.test_reply import CHANNEL
from tests.telegram_bot.test_service import CHAT, Chat

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.core.mail import EmailMessage
    from playwright.sync_api import Page
    from pytest_django.fixtures import Settings

    from runs.models import Step

    from .conftest import Browsing

ADA = "ada@example.com"
CLIPS = 4
WISH = "Make a surreal ASMR film about a candle"
HONEY = "A candle of clear honey stands in the rain, and every drop leaves a ring that glows."
BUTTONS = {"approve": re.compile("^Approve"), "revise": re.compile("^Send it back")}
VERDICTS = [
    ("workflow", "approve", ""),
    ("ideate", "revise", "Stranger, please."),
    ("ideate", "approve", ""),
    ("prepublish", "approve", ""),
]
CAPTION = "Four candles that cannot be. Which would you light?"


def crew(run: Run, step: Step) -> None:
    """Lets a worker do the stage: the real agent, offline."""
    assert tasks._stage(str(run.id), str(step.id)) == "done"


def newest() -> Run:
    return Run.objects.latest("created_at")


def asked(run: Run, gate: str) -> str:
    """The crew works until ``gate``; the link to it."""
    journey.go(run, gate, crew=crew)
    journey.park(run)
    return approval_url(scenes.gate(run), recipient=ADA)


def test_a_film_is_decided_on_a_phone_and_made_of_exactly_what_was_typed(browse: Browsing) -> None:
    telegram.small_films(CLIPS)
    talk(WISH, user_id=ADA)
    run = newest()

    def plan(page: Page) -> None:
        page.goto(asked_plan)
        page.get_by_role("button", name="Approve and start").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Approved.")

    def ideas(page: Page) -> None:
        page.goto(asked_ideas)
        page.get_by_text("Edit idea 1", exact=True).click()
        page.get_by_label("Text on screen").first.fill("Glowing honey")
        page.get_by_label("What happens").first.fill(HONEY)
        page.get_by_text("Edit idea 3", exact=True).click()
        page.locator("#idea-2-header").fill("By hand")
        page.get_by_label("Leave out idea 4").check()
        page.get_by_role("button", name="Approve the ideas").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Approved.")
        expect(page.get_by_text("Glowing honey")).to_be_visible()

    def draft(page: Page) -> None:
        page.goto(asked_draft)
        page.get_by_role("textbox", name="Caption").fill(CAPTION)
        page.get_by_role("button", name="Approve and publish").click()
        expect(page.get_by_text(CAPTION)).to_be_visible()

    asked_plan = asked(run, "workflow")
    browse(plan)
    asked_ideas = asked(run, "ideate")
    dropped = services.shown_at(scenes.gate(run))["ideas"][3]
    browse(ideas)
    asked_draft = asked(run, "prepublish")
    browse(draft)
    journey.go(run, crew=crew)
    assert run.status == "succeeded"
    orders = list(services.current_jobs(run, "clips"))
    assert len(orders) == CLIPS - 1
    assert "clear honey stands in the rain" in orders[0].request["prompt"]
    assert not any(dropped["header"] in order.request["prompt"] for order in orders)
    timeline = json.dumps(run.jobs.get(kind="render").request["edit"])
    assert "Glowing honey" in timeline
    assert "By hand" in timeline
    assert json.dumps(dropped["header"]) not in timeline
    assert run.jobs.get(kind="publish").request["caption"] == CAPTION
    assert list(run.approvals.values_list("gate", "actor", "channel")) == [
        (gate, ADA, "page") for gate in ("workflow", "ideate", "prepublish")
    ]


# --- One film, three ways


def by_mail(run: Run, verdict: str, comment: str, *, browse: Browsing, mails: list[EmailMessage]) -> None:
    """The mailed link, opened on a phone."""
    assert invite(str(scenes.gate(run).id), EMAIL) == "sent"
    found = re.search(r"http\S+/v1/hitl/approve/\S+", str(mails[-1].body))
    assert found

    def press(page: Page) -> None:
        page.goto(found[0])
        if verdict == "revise":
            page.get_by_text("Ask for changes").click()
            page.get_by_label("What should be different?").fill(comment)
        page.get_by_role("button", name=BUTTONS[verdict]).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(PAST[Verdict(verdict)] + ".")

    browse(press)


def by_telegram(run: Run, verdict: str, comment: str, *, chat: Chat) -> None:
    """The buttons of the chat's newest message, and a reply where a comment is asked for."""
    # The plan came with Brendan's answer.
    assert invite(str(scenes.gate(run).id), CHANNEL) == "sent"
    telegram.press(chat, verdict.capitalize())
    if comment:
        telegram.write(chat, comment, to=telegram.messages(chat)[-1])


def said(client: Client) -> None:
    assert client.post(reverse("chat-brendan"), {"message": WISH}, "application/json").status_code == 200


def by_api(run: Run, verdict: str, comment: str, *, client: Client) -> None:
    told = client.get(reverse("hitl-link", args=[run.id])).json()
    wanted = {"verdict": verdict, "comment": comment, "digest": told["digest"], "stage": "iggy" if comment else ""}
    url = reverse("hitl-decide", args=[run.id, told["gate"]])
    assert client.post(url, wanted, "application/json").status_code == 200


def decided(wish: Callable[[], object], decide: Callable[[Run, str, str], None]) -> dict[str, list[Any]]:
    """The rows of a film whose ideas were sent back once, without the names of channels and what the crew wrote."""
    forget(ADA)
    wish()
    run = newest()
    for gate, verdict, comment in VERDICTS:
        asked(run, gate)
        decide(run, verdict, comment)
    journey.go(run, crew=crew)
    assert run.status == "succeeded"
    return {
        "approvals": list(run.approvals.values_list("gate", "verdict", "comment", "edits", "actor")),
        "events": list(run.events.values_list("subject", "old", "new", "reason", "actor")),
        "steps": list(run.steps.values_list("position", "kind", "name", "status", "attempt", "notes")),
        "orders": list(run.jobs.values_list("kind", "index", "provider", "status")),
    }


def test_the_same_rows_whether_by_mail_by_telegram_or_by_the_api(
    browse: Browsing, chat: Chat, mailoutbox: list[EmailMessage], settings: Settings
) -> None:
    settings.HITL = settings.HITL.model_copy(update={"hitl_emails": ADA})
    TelegramChat.objects.create(chat_id=CHAT, user=User.objects.create_user(ADA))
    key = ApiKey.make(ADA, ["chat", "hitl"], owner=ADA)[1]
    client = Client(headers={"X-API-Key": key})
    telegram.small_films()
    mailed = decided(partial(talk, WISH, user_id=ADA), partial(by_mail, browse=browse, mails=mailoutbox))
    pressed = decided(partial(telegram.write, chat, WISH), partial(by_telegram, chat=chat))
    called = decided(partial(said, client), partial(by_api, client=client))
    assert [verdict for _, verdict, *_ in mailed["approvals"]] == [verdict for _, verdict, _ in VERDICTS]
    assert mailed == pressed
    assert mailed == called
    assert list(Approval.objects.order_by("created_at").values_list("channel", flat=True)) == [
        channel for channel in ("page", "telegram", "api") for _ in VERDICTS
    ]
