"""Invitations and endings, as people receive them."""

from __future__ import annotations

import re
import smtplib
from typing import TYPE_CHECKING

import pytest
from django.core.mail.backends.base import BaseEmailBackend

from hitl import channels, tasks
from myloware.kernel.errors import Misconfigured
from runs.states import Verdict

from . import scenes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.core.mail import EmailMessage
    from django.test import Client
    from pytest_django import Settings

EMAIL = "hitl.channels.email.EmailChannel"


@pytest.fixture(autouse=True)
def reviewers(settings: Settings) -> None:
    settings.HITL = settings.HITL.model_copy(update={"hitl_emails": "ada@example.com, grace@example.com"})


def test_each_reviewer_gets_a_link_of_their_own(mailoutbox: list[EmailMessage], visitor: Client) -> None:
    run = scenes.at_workflow()
    assert tasks.invite(str(scenes.gate(run).id), EMAIL) == "sent"
    assert [mail.to for mail in mailoutbox] == [["ada@example.com"], ["grace@example.com"]]
    mail = mailoutbox[1]
    assert mail.subject.startswith("Approve the plan: the moon orders")
    found = re.search(r"http\S+(/v1/hitl/approve/\S+)", str(mail.body))
    assert found
    html = str(mail.alternatives[0][0])  # type: ignore[attr-defined]
    assert found[1] in html
    path = found[1].partition("?")[0]
    visitor.post(path, {"token": scenes.token_of(found[1]), "verdict": "approve"})
    assert run.approvals.get().actor == "grace@example.com"


def test_nobody_is_invited_to_a_gate_that_was_decided(mailoutbox: list[EmailMessage]) -> None:
    run = scenes.at_workflow()
    step = scenes.gate(run)
    scenes.decide(run)
    assert tasks.invite(str(step.id), EMAIL) == "decided already"
    assert mailoutbox == []


def test_reviewers_hear_how_it_ended(mailoutbox: list[EmailMessage]) -> None:
    run = scenes.at_workflow()
    assert tasks.notify(str(run.id), EMAIL) == "not ended"
    scenes.decide(run, Verdict.REJECT, "too much cheese")
    assert tasks.notify(str(run.id), EMAIL) == "sent"
    assert mailoutbox[0].subject.startswith("Rejected: the moon orders")
    assert "too much cheese" in str(mailoutbox[0].body)


def test_without_addresses_no_mail_is_sent(settings: Settings, mailoutbox: list[EmailMessage]) -> None:
    settings.HITL = settings.HITL.model_copy(update={"hitl_emails": ""})
    assert tasks.invite(str(scenes.gate(scenes.at_workflow()).id), EMAIL) == "sent"
    assert mailoutbox == []


class NoServer(BaseEmailBackend):
    """A mail server that is down."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        raise smtplib.SMTPServerDisconnected("connection lost")


def test_a_mail_server_that_is_down_is_tried_again_and_then_given_up(settings: Settings) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.NoServer"
    run = scenes.at_workflow()
    result = tasks.invite.apply((str(scenes.gate(run).id), EMAIL))
    assert result.get() == "failed"
    assert scenes.gate(run).name == "workflow"


def test_a_channel_that_does_not_exist_is_named() -> None:
    with pytest.raises(Misconfigured, match=r"pigeon\.Pigeon"):
        channels.channel("hitl.channels.pigeon.Pigeon")


def test_an_unset_secret_signs_nothing(settings: Settings) -> None:
    run = scenes.at_workflow()
    settings.HITL = settings.HITL.model_copy(update={"hitl_secret": type(settings.HITL.hitl_secret)("")})
    with pytest.raises(Misconfigured, match="HITL_SECRET"):
        scenes.page(run)
