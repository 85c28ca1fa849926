"""The outbox of messages, and the channels that are not people's own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections import deque
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.utils import timezone
from pydantic import SecretStr

from hitl import tasks
from hitl.channels.webhook import signature
from hitl.models import Delivery
from myloware.kernel.errors import Misconfigured
from runs.models import Outbox
from runs.states import Verdict

from . import scenes
from .test_channels import EMAIL
from .test_policies import ADA, GRACE, late, policy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.core.mail import EmailMessage
    from pytest_django import Settings

WEBHOOK = "hitl.channels.webhook.WebhookChannel"
INAPP = "hitl.channels.inapp.InAppChannel"
KEY = bytes(range(32))
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"


class Receiver:
    """Somebody's server. ``answers`` are its next statuses; then everything is fine."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.answers: deque[int] = deque()
        self.url = ""


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    cache.clear()
    heard = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(heard.answers.popleft() if heard.answers else 204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's word)
            """Tests say what they look at."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        heard.url = f"http://127.0.0.1:{server.server_address[1]}/hooks/myloware?team=1"
        hitl = {"hitl_webhook_url": heard.url, "hitl_webhook_secret": SecretStr(SECRET)}
        settings.HITL = settings.HITL.model_copy(update=hitl)
        yield heard
        server.shutdown()


@pytest.fixture(autouse=True)
def reviewers(settings: Settings) -> None:
    settings.HITL = settings.HITL.model_copy(update={"hitl_emails": f"{ADA}, {GRACE}"})


def test_each_person_is_sent_a_message_once(mailoutbox: list[EmailMessage]) -> None:
    gate = scenes.gate(scenes.at_workflow())
    assert [tasks.invite(str(gate.id), EMAIL) for _ in range(3)] == ["sent"] * 3
    assert [mail.to for mail in mailoutbox] == [[ADA], [GRACE]]
    assert set(Delivery.objects.values_list("status", "attempts")) == {("sent", 1)}


def test_a_row_is_there_once() -> None:
    run = scenes.at_workflow()
    same = {"run": run, "step": None, "kind": "ending", "channel": EMAIL, "recipient": ADA}
    Delivery.objects.create(**same)
    with pytest.raises(IntegrityError), transaction.atomic():
        Delivery.objects.create(**same)


def test_what_is_shown_anew_is_asked_anew(mailoutbox: list[EmailMessage]) -> None:
    run = scenes.at_prepublish()
    gate = scenes.gate(run)
    tasks.invite(str(gate.id), EMAIL)
    job = run.jobs.get(kind="publish")
    job.request["caption"] = "Another text."
    job.save()
    tasks.invite(str(gate.id), EMAIL)
    assert len(mailoutbox) == 4


def test_the_webhook_is_signed_as_standard_webhooks_are(receiver: Receiver) -> None:
    run = scenes.at_workflow()
    assert tasks.invite(str(scenes.gate(run).id), WEBHOOK) == "sent"
    ((headers, body),) = receiver.heard
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mac = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{mac}"
    assert abs(int(headers["webhook-timestamp"]) - timezone.now().timestamp()) < 60
    told = json.loads(body)
    assert told["type"] == "gate.opened"
    assert told["data"]["run_id"] == str(run.id)
    assert "/workflow?token=" in told["data"]["approve_url"]


def test_the_signature_is_that_of_the_specification() -> None:
    # The example of https://github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    given = signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, secret)
    assert given == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_####", "whsec_c2hvcnQ=", SECRET.removeprefix("whsec_")])
def test_a_secret_of_another_form_is_named(secret: str) -> None:
    with pytest.raises(Misconfigured, match="HITL_WEBHOOK_SECRET"):
        signature("msg_1", 1, b"{}", secret)


def test_a_receiver_that_is_down_hears_it_later_under_the_same_id(receiver: Receiver) -> None:
    receiver.answers.extend([500, 503])
    gate = scenes.gate(scenes.at_workflow())
    assert tasks.invite.apply((str(gate.id), WEBHOOK)).get() == "sent"
    assert len({headers["webhook-id"] for headers, _ in receiver.heard}) == 1
    assert len(receiver.heard) == 3
    assert Delivery.objects.get().attempts == 3


def test_a_receiver_that_stays_away_holds_up_nobody(receiver: Receiver, mailoutbox: list[EmailMessage]) -> None:
    receiver.answers.extend([500] * 50)
    run = scenes.at_workflow()
    gate = scenes.gate(run)
    assert tasks.invite.apply((str(gate.id), WEBHOOK)).get() == "failed"
    assert tasks.invite(str(gate.id), EMAIL) == "sent"
    assert Delivery.objects.get(channel=WEBHOOK).error
    scenes.decide(run)
    assert run.approvals.exists()


def test_without_an_address_nobody_is_told() -> None:
    assert tasks.invite(str(scenes.gate(scenes.at_workflow()).id), WEBHOOK) == "sent"
    assert not Delivery.objects.exists()


def test_after_the_decision_the_messages_say_so(receiver: Receiver) -> None:
    run = scenes.at_workflow()
    gate = scenes.gate(run)
    tasks.invite(str(gate.id), WEBHOOK)
    assert tasks.tell(str(gate.id)) == "still open"
    Outbox.objects.all().delete()
    scenes.decide(run, Verdict.REJECT, "too much cheese")
    assert ["hitl.tell", [str(gate.id)]] in [row.links[0] for row in Outbox.objects.all()]
    assert [tasks.tell(str(gate.id)) for _ in range(2)] == ["told", "told"]
    assert len(receiver.heard) == 2
    told = json.loads(receiver.heard[1][1])
    assert (told["type"], told["data"]["gate"]) == ("gate.decided", "workflow")
    assert "Rejected by bob" in told["data"]["text"]
    assert "too much cheese" in told["data"]["text"]


def test_what_was_not_sent_before_the_decision_is_not_sent_after_it() -> None:
    run = scenes.at_workflow()
    gate = scenes.gate(run)
    row = Delivery.objects.create(run=run, step=gate, kind="invitation x", channel=EMAIL, recipient=ADA)
    scenes.decide(run)
    tasks.tell(str(gate.id))
    row.refresh_from_db()
    assert row.status == "void"


def test_a_lost_wake_up_is_sent_again() -> None:
    run = scenes.at_workflow()
    gate = scenes.gate(run)
    past = timezone.now() - timedelta(minutes=10)
    Delivery.objects.create(run=run, step=gate, kind="invitation x", channel=EMAIL, recipient=ADA, due_at=past)
    Delivery.objects.create(run=run, kind="ending", channel=EMAIL, recipient=ADA, due_at=past)
    Outbox.objects.all().delete()
    assert tasks.sweep() == 2
    names = {row.links[0][0] for row in Outbox.objects.all()}
    assert names == {"hitl.invite", "hitl.notify"}


def test_reminders_come_when_they_are_due_and_once(mailoutbox: list[EmailMessage]) -> None:
    policy("workflow", approvers=(ADA,), remind_h=(1, 5), escalate_h=8, escalate_to=(GRACE,))
    run = scenes.at_workflow()
    gate = scenes.gate(run)
    tasks.invite(str(gate.id), EMAIL)
    assert sent_by_the_sweep() == set()
    late(run, 2)
    assert sent_by_the_sweep() == {"reminder 1"}
    assert sent_by_the_sweep() == set()
    late(run, 4)
    assert sent_by_the_sweep() == {"reminder 2"}
    late(run, 4)
    assert sent_by_the_sweep() == {"escalation"}
    assert [mail.to[0] for mail in mailoutbox] == [ADA, ADA, ADA, ADA, GRACE]
    assert mailoutbox[1].subject.startswith("Reminder: Approve the plan")
    assert mailoutbox[-1].subject.startswith("Escalation: Approve the plan")


def sent_by_the_sweep() -> set[str]:
    """The kinds of mail that a sweep leads to."""
    Outbox.objects.all().delete()
    tasks.sweep()
    mails = [ids for row in Outbox.objects.all() for _, ids in row.links if EMAIL in ids]
    for ids in mails:
        assert tasks.remind(*ids) == "sent"
    return {ids[-1] for ids in mails}


def test_staff_find_the_message_in_the_app(django_user_model: Any) -> None:
    django_user_model.objects.create_user("ada", is_staff=True)
    django_user_model.objects.create_user("customer")
    assert tasks.invite(str(scenes.gate(scenes.at_workflow()).id), INAPP) == "sent"
    assert list(Delivery.objects.values_list("recipient", flat=True)) == ["ada"]
