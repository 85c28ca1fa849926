"""Talking with Brendan, from whatever channel a person comes."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.conf import settings

from myloware.kernel.errors import RateLimited
from myloware.kernel.locks import alone
from personas import checkpoints
from personas.llm import chat_model, fallback_models
from runs.api import find_project, parse
from runs.crew import conninfo
from runs.ports import Library
from runs.schemas import RunOptions

from .office import UserOffice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from personas.brendan.chat import Hear, Reply


def talk(
    message: str,
    *,
    user_id: str,
    project: str | None = None,
    options: dict[str, Any] | None = None,
    hear: Hear | None = None,
) -> Reply:
    """One message of ``user_id`` and Brendan's answer. ``project`` and ``options`` win over what the model asks for.

    ``hear`` is told of tokens and tools meanwhile, from another thread.
    ``user_id`` must come from whoever authenticated the person. Raises ``NotFound`` for an unknown project,
    ``UnprocessableInput`` for impossible options, ``RateLimited`` while the user's last message is being answered.
    """
    # LangChain takes a second and 40 MB to load: only a process that talks pays for it.
    from personas.brendan.chat import converse

    wanted = _possible(project, options)
    saver, thread = checkpoints.saver(conninfo()), _thread(user_id)
    with _turn(user_id):
        # Of earlier turns the end is enough: a conversation does not grow in the database for ever.
        saver.prune([thread])
        return converse(
            message,
            user_id=user_id,
            thread_id=thread,
            office=UserOffice(user_id),
            knowledge=Library(),
            checkpointer=saver,
            model=chat_model(settings.CREW, seed=wanted.seed, persona="brendan"),
            fallbacks=fallback_models(settings.CREW, seed=wanted.seed),
            project=project,
            options=options,
            hear=hear,
        )


def admit(*, user_id: str, project: str | None, options: dict[str, Any] | None) -> None:
    """Raises at once what :func:`talk` would raise before it begins."""
    _possible(project, options)
    with _turn(user_id):
        pass


def _possible(project: str | None, options: dict[str, Any] | None) -> RunOptions:
    wanted = parse(RunOptions, options or {})
    if project:
        find_project(project)
    return wanted


@contextmanager
def _turn(user_id: str) -> Iterator[None]:
    """Two turns at once would write one thread."""
    with alone(user_id) as mine:
        if not mine:
            raise RateLimited("Brendan is still answering your last message.", retry_after_s=2)
        yield


def forget(user_id: str) -> None:
    """Lets Brendan forget what he was told by a user."""
    checkpoints.forget(conninfo(), _thread(user_id))


def _thread(user_id: str) -> str:
    return f"brendan:{user_id}"
