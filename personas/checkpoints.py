"""Where agents keep their threads: LangGraph's tables in our PostgreSQL.

The saver has a small connection pool of its own, made per process on first use: a pool must not cross a fork.
"""

from __future__ import annotations

import os
import select
from functools import cache
from typing import TYPE_CHECKING, Any

from psycopg.conninfo import make_conninfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langgraph.checkpoint.postgres import PostgresSaver
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
    from psycopg import Connection
    from psycopg.rows import DictRow
    from psycopg_pool import ConnectionPool

POOL_SIZE = 4
# Every two seconds one that was not used is closed: each is a process of the server, with 20 MB.
IDLE_S = 2
CONNECT_TIMEOUT_S = 10


def saver(conninfo: str | Mapping[str, Any]) -> PostgresSaver:
    """The process's saver for a libpq URL, connection string or mapping of its keywords."""
    return _saver(_libpq(conninfo), os.getpid())


def setup(conninfo: str | Mapping[str, Any]) -> None:
    """Creates or migrates the tables. Safe to repeat, by one process at a time."""
    from langgraph.checkpoint.postgres import PostgresSaver

    with PostgresSaver.from_conn_string(_libpq(conninfo)) as once:
        once.setup()


def forget(conninfo: str | Mapping[str, Any], thread_id: str) -> None:
    """Deletes everything of one thread."""
    saver(conninfo).delete_thread(thread_id)


def threads(conninfo: str | Mapping[str, Any]) -> list[str]:
    """The ids of all threads that are kept."""
    with _pool(_libpq(conninfo), os.getpid()).connection() as connection:
        return [row["thread_id"] for row in connection.execute("SELECT DISTINCT thread_id FROM checkpoints")]


def close(conninfo: str | Mapping[str, Any]) -> None:
    """Closes this process's connections, so that the database can be dropped. The next use opens new ones."""
    _pool(_libpq(conninfo), os.getpid()).close()
    _saver.cache_clear()
    _pool.cache_clear()


def _libpq(conninfo: str | Mapping[str, Any]) -> str:
    return conninfo if isinstance(conninfo, str) else make_conninfo(**conninfo)


@cache
def _saver(conninfo: str, pid: int) -> PostgresSaver:
    from langgraph.checkpoint.postgres import PostgresSaver

    return PostgresSaver(_pool(conninfo, pid), serde=serializer())


@cache
def _pool(conninfo: str, pid: int) -> ConnectionPool[Connection[DictRow]]:
    from psycopg import Connection
    from psycopg.rows import dict_row
    from psycopg_pool import ConnectionPool

    # min_size 0: a worker that runs no stage holds no connection.
    return ConnectionPool(
        conninfo,
        connection_class=Connection,
        min_size=0,
        max_size=POOL_SIZE,
        max_idle=IDLE_S,
        timeout=CONNECT_TIMEOUT_S,
        check=_check,
        configure=_relax,
        kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row},
        name=f"checkpoints-{pid}",
        open=True,
    )


def _check(connection: Connection[Any]) -> None:
    """Raises when the server has hung up since the connection was last used.

    Who has hung up has said so: only then is it asked, for an answer takes as long as a write.
    """
    from psycopg_pool import ConnectionPool

    news = select.poll()
    news.register(connection.fileno(), select.POLLIN)
    if news.poll(0):
        ConnectionPool.check_connection(connection)


def _relax(connection: Connection[Any]) -> None:
    """A killed worker loses nothing; a database whose power fails may lose half a second of a thread."""
    connection.execute("SET synchronous_commit TO off")


@cache
def serializer() -> JsonPlusSerializer:
    """Reads back messages and the crew's outputs, and no other classes: a checkpoint row must not run code."""
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

    from .registry import PERSONAS

    return JsonPlusSerializer(allowed_msgpack_modules=[persona.output for persona in PERSONAS.values()])
