"""What the bot answers to commands, and to everything else: Brendan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from hitl.chat import talk
from hitl.links import strip_links
from hitl.office import UserOffice
from myloware.kernel.errors import InvalidInput, NotFound

HELP = (
    "I am Brendan, the producer of MyloWare. Tell me in a sentence what your film should show, and I propose a plan. "
    "Nothing starts before you approve it, and nothing is published before you have seen it.\n\n"
    "/runs lists your films.\n"
    "/status tells how your latest film stands; /status with an id tells it of another.\n"
    "/help shows this."
)


@dataclass(frozen=True)
class Answer:
    """Plain text, and the runs whose open gate it offers to decide on."""

    text: str
    runs: tuple[str, ...] = ()


def answer(text: str, *, user_id: str) -> Answer:
    """The answer to what a person wrote. Raises as :func:`hitl.chat.talk` does."""
    word, _, rest = text.strip().partition(" ")
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
    {"/start": _help, "/help": _help, "/runs": _runs, "/status": _status}
)
