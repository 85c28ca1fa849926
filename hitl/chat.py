"""Talking with Brendan, from whatever channel a person comes."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection

from myloware.kernel.errors import RateLimited
from personas import checkpoints
from personas.llm import chat_model
from runs.api import find_project, parse
from runs.crew import conninfo
from runs.ports import Library
from runs.schemas import RunOptions

from .office import UserOffice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from personas.brendan.chat import Reply

# Namespace of our advisory locks, so that no other use of them can meet the same key.
_LOCKS = 0x4252


def talk(message: str, *, user_id: str, project: str | None = None, options: dict[str, Any] | None = None) -> Reply:
    """One message of ``user_id`` and Brendan's answer. ``project`` and ``options`` win over what the model asks for.

    ``user_id`` must come from whoever authenticated the person. Raises ``NotFound`` for an unknown project,
    ``UnprocessableInput`` for impossible options, ``RateLimited`` while the user's last message is being answered.
    """
    # LangChain takes a second and 40 MB to load: only a process that talks pays for it.
    from personas.brendan.chat import converse

    wanted = parse(RunOptions, options or {})
    if project:
        find_project(project)
    with _one_at_a_time(user_id):
        return converse(
            message,
            user_id=user_id,
            thread_id=f"brendan:{user_id}",
            office=UserOffice(user_id),
            knowledge=Library(),
            checkpointer=checkpoints.saver(conninfo()),
            model=chat_model(settings.CREW, seed=wanted.seed),
            settings=settings.CREW,
            project=project,
            options=options,
        )


@contextmanager
def _one_at_a_time(user_id: str) -> Iterator[None]:
    """Two turns at once would write one thread. The lock is the session's, so it ends with a killed process."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", [_LOCKS, user_id])
        (mine,) = cursor.fetchone()
        if not mine:
            raise RateLimited("Brendan is still answering your last message.", retry_after_s=2)
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", [_LOCKS, user_id])
