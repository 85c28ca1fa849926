"""A whole film from a chat: by text, buttons and replies, against Telegram as `manage.py simulators` plays it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone

from hitl.models import Delivery
from hitl.tasks import invite, notify, tell
from runs import services
from runs.models import Approval, Outbox, Project, Run
from runs.schemas import Resolution
from runs.states import RunStatus
from telegram_bot import linking, tasks
from telegram_bot.client import bot
from telegram_bot.gates import CHANNEL
from telegram_bot.models import LinkCode, TelegramChat, TelegramUpdate
from tests.hitl import scenes
from tests.hitl.test_policies import policy
from tests.runs import journey

from .test_service import CHAT, Chat, chat, mine, served

if TYPE_CHECKING:
    from pytest_django import Settings

__all__ = ["chat", "served"]

WISH = "Make a surreal ASMR film about a candle"


def answer_all() -> None:
    """What `telegram_poll` and a worker do."""
    call_command("telegram_poll", once=True)
    work()


def work() -> None:
    """Answers all that was heard; time that is waited passes at once."""
    for _ in range(tasks.MAX_RETRIES):
        TelegramUpdate.objects.update(due_at=timezone.now())
        for row in TelegramUpdate.objects.filter(status="received").order_by("update_id"):
            tasks.reply.apply((row.id,))


def messages(chat: Chat) -> list[dict[str, Any]]:
    return [each for each in chat._messages() if each["from"]["is_bot"]]


def press(chat: Chat, label: str, message: dict[str, Any] | None = None) -> None:
    """Presses a button of the newest message that has it."""
    found = message or next(each for each in reversed(messages(chat)) if label in labels(each))
    button = next(each for each in buttons(found) if each["text"] == label)
    pressed = {"chat_id": CHAT, "message_id": found["message_id"], "data": button["callback_data"]}
    httpx.post(f"{chat._served.url}/telegram/press", json=pressed).raise_for_status()
    answer_all()


def buttons(message: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for row in message.get("reply_markup", {}).get("inline_keyboard", []) for each in row]


def labels(message: dict[str, Any]) -> list[str]:
    return [each["text"] for each in buttons(message)]


def write(chat: Chat, text: str, *, to: dict[str, Any] | None = None) -> None:
    said: dict[str, Any] = {"chat_id": CHAT, "text": text}
    if to:
        said["reply_to_message_id"] = to["message_id"]
    httpx.post(f"{chat._served.url}/telegram/say", json=said).raise_for_status()
    answer_all()


def ask(run: Run) -> None:
    """The engine's invitation, as a worker sends it."""
    assert invite(str(scenes.gate(run).id), CHANNEL) == "sent"


def small_films(clips: int = 2) -> None:
    """Films of few clips, of the smallest size that the platform takes."""
    project = Project.objects.get(slug="aismr")
    size = {"resolution": Resolution(width=360, height=640, fps=30)}
    specs = project.spec.specs.with_clips(clips).model_copy(update=size)
    project.spec = project.spec.model_copy(update={"specs": specs})
    project.save()


def told(run: Run) -> None:
    """The news of decisions that lie in the outbox."""
    for row in Outbox.objects.all():
        for name, ids in row.links:
            if name == "hitl.tell":
                tell(*ids)
    Outbox.objects.all().delete()


def asked_at(run: Run, gate: str) -> None:
    """The crew works until ``gate``, and the chat is asked."""
    journey.go(run, gate)
    scenes.park(run)
    ask(run)


def test_a_whole_film_is_made_from_a_chat(chat: Chat) -> None:
    small_films()
    run = proposed(chat)
    plan_is_approved(chat, run)
    ideas_are_sent_back_by_a_reply(chat, run)
    asked_at(run, "ideate")
    press(chat, "Approve")
    told(run)
    draft_is_sent_back_by_a_button(chat, run)
    asked_at(run, "prepublish")
    press(chat, "Approve")
    told(run)
    journey.go(run)
    ending_is_told(chat, run)
    who = (f"telegram_{CHAT}", "telegram")
    assert list(run.approvals.values_list("gate", "verdict", "actor", "channel")) == [
        ("workflow", "approve", *who),
        ("ideate", "revise", *who),
        ("ideate", "approve", *who),
        ("prepublish", "revise", *who),
        ("prepublish", "approve", *who),
    ]


def proposed(chat: Chat) -> Run:
    write(chat, WISH)
    run = Run.objects.get()
    assert (run.project.slug, run.user_id) == ("aismr", f"telegram_{CHAT}")
    assert labels(messages(chat)[-1]) == ["Approve", "Reject", "Open"]
    return run


def plan_is_approved(chat: Chat, run: Run) -> None:
    press(chat, "Approve")
    told(run)
    assert "Approved." in chat.seen
    assert any("Approved by telegram_42" in text for text in chat.seen)
    assert not any(labels(each) for each in messages(chat))


def ideas_are_sent_back_by_a_reply(chat: Chat, run: Run) -> None:
    asked_at(run, "ideate")
    assert labels(messages(chat)[-1]) == ["Approve", "Revise", "Reject", "Open"]
    write(chat, "Stranger, please.", to=messages(chat)[-1])
    assert "Sent back with your comment." in chat.seen
    run.refresh_from_db()
    cursor = run.cursor()
    assert cursor is not None
    assert (cursor.name, cursor.notes) == ("iggy", "Stranger, please.")
    told(run)


def draft_is_sent_back_by_a_button(chat: Chat, run: Run) -> None:
    asked_at(run, "prepublish")
    press(chat, "Revise")
    assert chat.seen[-1] == "What should be different? Reply to this message."
    write(chat, "A shorter caption.", to=messages(chat)[-1])
    told(run)


def ending_is_told(chat: Chat, run: Run) -> None:
    run.refresh_from_db()
    assert run.status == RunStatus.SUCCEEDED
    assert notify(str(run.id), CHANNEL) == "sent"
    assert "Finished" in chat.seen[-1]
    assert not any("Approve" in labels(each) for each in messages(chat))


def test_rejecting_asks_why_and_the_reply_ends_the_run(chat: Chat) -> None:
    run = mine(scenes.at_prepublish())
    ask(run)
    press(chat, "Reject")
    run.refresh_from_db()
    assert run.active
    write(chat, "Off brand.", to=messages(chat)[-1])
    run.refresh_from_db()
    assert (run.status, run.reason) == (RunStatus.REJECTED, "Off brand.")


def test_a_second_press_changes_nothing(chat: Chat) -> None:
    run = mine(scenes.at_prepublish())
    ask(run)
    asked = messages(chat)[-1]
    press(chat, "Approve")
    press(chat, "Approve", asked)
    assert "Already decided: approve by telegram_42" in chat.seen[-1]
    assert Approval.objects.filter(gate="prepublish").count() == 1


def test_a_button_of_what_has_changed_decides_nothing(chat: Chat) -> None:
    run = mine(scenes.at_prepublish())
    ask(run)
    job = run.jobs.get(kind="publish")
    job.request["caption"] = "Something nobody saw."
    job.save()
    press(chat, "Approve")
    assert "has changed since" in chat.seen[-1]
    assert not Approval.objects.filter(gate="prepublish").exists()


def test_nobody_presses_for_somebody_elses_film(chat: Chat) -> None:
    run = mine(scenes.at_prepublish())
    ask(run)
    Run.objects.filter(id=run.id).update(user_id="telegram_7")
    press(chat, "Approve")
    assert "somebody else" in chat.seen[-1]
    assert not Approval.objects.filter(gate="prepublish").exists()


def test_data_that_is_no_button_of_ours_is_no_decision(chat: Chat) -> None:
    bot().send(CHAT, "hello")
    for data in ("a:1", "approve:x:y", f"approve:{'0' * 32}:{'0' * 12}"):
        pressed = {"chat_id": CHAT, "message_id": 1, "data": data}
        httpx.post(f"{chat._served.url}/telegram/press", json=pressed).raise_for_status()
    answer_all()
    assert chat.seen.count("This button is not known any more.") == 3


@pytest.mark.parametrize("fault", ["rate_limited", "server_error", "stale_query"])
def test_a_press_counts_once_whatever_telegram_does(chat: Chat, fault: str) -> None:
    run = mine(scenes.at_prepublish())
    ask(run)
    asked = messages(chat)[-1]
    button = next(each for each in buttons(asked) if each["text"] == "Approve")
    pressed = {"chat_id": CHAT, "message_id": asked["message_id"], "data": button["callback_data"]}
    httpx.post(f"{chat._served.url}/telegram/press", json=pressed).raise_for_status()
    call_command("telegram_poll", once=True)
    chat.turn("telegram", fault)
    work()
    assert Approval.objects.filter(gate="prepublish").count() == 1
    assert chat.seen.count("Approved.") == 1


def test_an_edit_that_changes_nothing_is_no_error(chat: Chat) -> None:
    message_id = bot().send(CHAT, "Ideas are ready")
    bot().edit(CHAT, message_id, "Ideas are ready")
    assert chat.seen == ["Ideas are ready"]


def test_who_has_blocked_the_bot_is_told_nothing_after_the_decision(chat: Chat) -> None:
    run = mine(scenes.at_prepublish())
    gate = scenes.gate(run)
    ask(run)
    scenes.decide(run)
    httpx.post(f"{chat._served.url}/bot{'1' * 9}:{'x' * 20}/deleteMessage", json={"chat_id": CHAT, "message_id": 1})
    assert tell(str(gate.id)) == "told"


def test_cancel_stops_the_one_moving_film(chat: Chat) -> None:
    write(chat, "/cancel")
    assert "no such film" in chat.seen[-1]
    run = mine(scenes.at_workflow())
    write(chat, "/cancel")
    run.refresh_from_db()
    assert run.status == RunStatus.CANCELLED
    first, second = mine(scenes.at_workflow()), mine(scenes.at_workflow())
    write(chat, "/cancel")
    assert "Name one" in chat.seen[-1]
    write(chat, f"/cancel {first.id}")
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, second.active) == (RunStatus.CANCELLED, True)


def test_a_strangers_film_is_not_cancelled(chat: Chat) -> None:
    run = scenes.at_workflow(user_id="alice")
    write(chat, f"/cancel {run.id}")
    run.refresh_from_db()
    assert run.active


def test_new_begins_a_new_conversation(chat: Chat) -> None:
    write(chat, "/new")
    assert chat.seen[-1] == "Let us begin anew. What should your film show?"
    write(chat, f"/new {WISH}")
    assert Run.objects.count() == 1


# --- Who is who


def code_for(name: str) -> str:
    return linking.new_code(User.objects.get(username=name))


def test_a_code_links_a_chat_once(chat: Chat, settings: Settings) -> None:
    settings.TELEGRAM = settings.TELEGRAM.model_copy(update={"telegram_allowed_chats": ""})
    User.objects.create_user("ada@example.com")
    write(chat, "/help")
    assert chat.seen == []
    code = code_for("ada@example.com")
    write(chat, f"/start {code}")
    assert "This chat is ada@example.com's from now on." in chat.seen[-1]
    write(chat, f"/start {code}")
    assert "does not work any more" in chat.seen[-1]
    write(chat, WISH)
    assert Run.objects.get().user_id == "ada@example.com"
    press(chat, "Approve")
    assert Approval.objects.get().actor == "ada@example.com"


def test_a_film_that_was_begun_before_the_link_is_still_mine(chat: Chat) -> None:
    run = mine(scenes.at_prepublish())
    ask(run)
    TelegramChat.objects.create(chat_id=CHAT, user=User.objects.create_user("ada"))
    press(chat, "Approve")
    assert Approval.objects.get(gate="prepublish").actor == "ada"


def test_old_and_wrong_codes_link_nothing(chat: Chat) -> None:
    User.objects.create_user("ada")
    code = code_for("ada")
    LinkCode.objects.update(ends_at=timezone.now() - timedelta(seconds=1))
    for wrong in (code, "nonsense"):
        write(chat, f"/start {wrong}")
    assert not TelegramChat.objects.exists()
    assert code not in str(LinkCode.objects.values().get())


def test_a_user_who_is_gone_is_not_talked_to(chat: Chat, settings: Settings) -> None:
    settings.TELEGRAM = settings.TELEGRAM.model_copy(update={"telegram_allowed_chats": ""})
    User.objects.create_user("ada")
    write(chat, f"/start {code_for('ada')}")
    User.objects.update(is_active=False)
    write(chat, "/help")
    assert len(chat.seen) == 1


def test_the_command_shows_a_code_for_users_alone(capsys: pytest.CaptureFixture[str]) -> None:
    User.objects.create_user("ada")
    call_command("telegram_link", "ada")
    assert linking.is_valid(linking.code_in(capsys.readouterr().out.splitlines()[1]))
    with pytest.raises(CommandError, match="no active user"):
        call_command("telegram_link", "bob")


def test_a_named_approver_is_asked_in_their_chat(chat: Chat) -> None:
    ada = User.objects.create_user("ada")
    TelegramChat.objects.create(chat_id=CHAT, user=ada)
    policy("prepublish", approvers=("ada",))
    run = scenes.at_prepublish()
    ask(run)
    press(chat, "Approve")
    assert Approval.objects.get(gate="prepublish").actor == "ada"


# --- Progress


def test_progress_is_one_message_that_changes(chat: Chat) -> None:
    run = mine(scenes.at_workflow())
    assert tasks.progress() == 0
    scenes.decide(run)
    assert tasks.progress() == 1
    assert tasks.progress() == 0
    (first,) = chat.seen
    assert "Iggy" in first
    scenes.work(run, {"ideas": scenes.IDEAS[:2]})
    assert tasks.progress() == 1
    (second,) = chat.seen
    assert second != first
    services.cancel(run.id, actor="bob")
    assert tasks.progress() == 1
    assert len(chat.seen) == 1


# --- The film


def test_the_film_is_shown_before_the_question(chat: Chat, settings: Settings) -> None:
    settings.PUBLIC_BASE_URL = "https://films.example"
    run = mine(scenes.at_prepublish())
    ask(run)
    video, question = messages(chat)
    assert "video" in video
    assert labels(question) == ["Approve", "Revise", "Reject", "Open"]
    assert Delivery.objects.get().reference["video"] == video["message_id"]
