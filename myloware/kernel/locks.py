"""Locks that all processes share."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.db import connection

if TYPE_CHECKING:
    from collections.abc import Iterator

# Namespace of our advisory locks, so that no other use of them can meet the same key.
_LOCKS = 0x4252


@contextmanager
def alone(name: str) -> Iterator[bool]:
    """Whether nobody else is at ``name`` now; then nobody will be, until the end of the block.

    PostgreSQL's advisory lock of the session, so it ends with a killed process, and who has it may take it again.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", [_LOCKS, name])
        (mine,) = cursor.fetchone()
        try:
            yield mine
        finally:
            if mine:
                cursor.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", [_LOCKS, name])
