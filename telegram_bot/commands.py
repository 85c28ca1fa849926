"""What the bot answers to commands, and to everything else: Brendan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from hitl.chat import forget, talk
from hitl.links import strip_links
from hitl.office import UserOffice
from myloware.kernel.errors import Conflict, InvalidInput, NotFound
from runs import services
from runs.models import Run
from runs.states import ACTIVE_RUN

from . import linking
from .models import user_of

HELP = (
    "I am Brendan, the producer of MyloWare. Tell me in a sentence what your film should show, and I propose a plan. "
    "Nothing starts before you approve it, and nothing is published before you have seen it.\n\n"
    "/runs lists your films.\n"
    "/status tells how your latest film stands; /status with an id tells it of another.\n"
    "/cancel stops your moving film; with an id another.\n"
    "/new begins a new conversation.\n"
    "/help shows this.\n\n"
    "Under a question of mine press Approve, Revise or Reject; a reply to it sends the work back with your comment."
)


@dataclass(frozen=True)
class Answer:
    """Plain text, and the runs whose open gate it offers to decide on."""

    text: str
    runs: tuple[str, ...] = ()


def answer(text: str, *, chat_id: int) -> Answer:
    """The answer to what a person wrote. Raises as :func:`hitl.chat.talk` does."""
    word, _, rest = text.strip().partition(" ")
    if code := linking.code_in(text):
        return _link(chat_id, code)
    user_id = user_of(chat_id)
    # In the long form a command names its bot: /runs@name_of_the_bot
    command = COMMANDS.get(word.partition("@")[0].lower())
    if command:
        return command(user_id, rest.strip())
    if word.startswith("/"):
        return Answer(f"I do not know {word}.\n\n{HELP}")
    return _talk(user_id, text)


def _talk(user_id: str, text: str) -> Answer:
    try:
        reply = talk(text, user_id=user_id)
    except InvalidInput as error:
        return Answer(error.message)
    return Answer(strip_links(reply.response), reply.run_ids)


def _help(user_id: str, rest: str) -> Answer:
    return Answer(HELP)


def _link(chat_id: int, code: str) -> Answer:
    name = linking.link(chat_id, code)
    if not name:
        return Answer(f"This code does not work any more. Ask for a new one.\n\n{HELP}")
    return Answer(f"This chat is {name}'s from now on.\n\n{HELP}")


def _new(user_id: str, rest: str) -> Answer:
    forget(user_id)
    return _talk(user_id, rest) if rest else Answer("Let us begin anew. What should your film show?")


def _cancel(user_id: str, rest: str) -> Answer:
    moving = Run.objects.filter(user_id=user_id, status__in=ACTIVE_RUN)
    found = [run for run in moving if str(run.id) == rest] if rest else list(moving[:2])
    if not found:
        return Answer("You have no such film that moves. /runs lists yours.")
    if len(found) > 1:
        return Answer("Several of your films move. Name one: /cancel and its id, which /runs tells.")
    try:
        run = services.cancel(found[0].id, actor=user_id, reason="cancelled in Telegram")
    except Conflict as error:
        return Answer(error.message)
    return Answer(f"Cancelled: {run.payload.input.brief}")


def _runs(user_id: str, rest: str) -> Answer:
    runs = UserOffice(user_id).my_runs()
    if not runs:
        return Answer("You have no films yet. Tell me what the first one should show.")
    return Answer("\n\n".join(f"{_line(run)}\n{run['run_id']}" for run in runs))


def _status(user_id: str, rest: str) -> Answer:
    office = UserOffice(user_id)
    latest = office.my_runs()[:1]
    run_id = rest or (latest[0]["run_id"] if latest else "")
    if not run_id:
        return _runs(user_id, "")
    try:
        run = office.run_status(run_id)
    except NotFound as error:
        return Answer(f"{error.message} /runs lists yours.")
    text = "\n".join(filter(None, (_line(run), run["reason"], *run["publish_urls"])))
    return Answer(text, (run["run_id"],))


def _line(run: dict[str, str]) -> str:
    at = f", at {run['step']}" if run["step"] else ""
    return f"{run['title']} ({run['project']}): {run['status']}{at}"


COMMANDS: MappingProxyType[str, Callable[[str, str], Answer]] = MappingProxyType(
    {"/start": _help, "/help": _help, "/runs": _runs, "/status": _status, "/cancel": _cancel, "/new": _new}
)
