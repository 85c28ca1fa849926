"""Pytest plugin: the embedded PostgreSQL and broker in a temporary folder, before Django reads its settings.

``DB_URL`` and ``REDIS_URL`` in the environment are used instead.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from myloware.embedded import broker, paths, postgres
from myloware.embedded.supervisor import Supervisor
from myloware.kernel.errors import MylowareError

if TYPE_CHECKING:
    from collections.abc import Generator

_ENVIRONMENT = {
    "ENVIRONMENT": "local",
    "PROVIDERS_MODE": "mock",
    "RENDERER": "shotstack",
    "LLM_MODEL": "studio",
    "PORT": "8080",
    "MEDIA_STORE_URL": "",
    # Tests press many buttons at once; those of the limit set their own.
    "API_BURST": "1000",
}


class Servers:
    """One pair of servers for the whole session."""

    def __init__(self) -> None:
        self._data_dir = Path(tempfile.mkdtemp(prefix="myloware-tests-")).resolve()
        # Under root PostgreSQL runs as another account, which has to pass through.
        self._data_dir.chmod(0o711)
        self._lines: list[str] = []
        self._supervisor = Supervisor(lambda name, line: self._lines.append(f"{name} | {line}"))

    def start(self) -> None:
        os.environ.update(_ENVIRONMENT, MYLOWARE_DATA_DIR=str(self._data_dir))
        wanted = []
        # Set, if only to nothing: what .env says is for the system, not for its tests.
        if not os.environ.setdefault("DB_URL", ""):
            wanted.append(postgres.program(self._data_dir, durable=False))
        if not os.environ.setdefault("REDIS_URL", ""):
            wanted.append(broker.program(self._data_dir))
        try:
            self._supervisor.start(*wanted)
            self._supervisor.wait_ready()
        except MylowareError:
            sys.stderr.write("\n".join(self._lines) + "\n")
            raise

    def stop(self) -> None:
        self._supervisor.stop()
        paths.remove_socket_dir(self._data_dir)
        outside = (self._data_dir / "postgres").resolve()
        shutil.rmtree(outside, ignore_errors=True)
        shutil.rmtree(self._data_dir, ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """A wrapper, because those come before pytest-django's implementation, which reads the settings."""
    servers = Servers()
    early_config.add_cleanup(servers.stop)
    servers.start()
    return (yield)
