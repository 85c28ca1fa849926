"""``manage.py up`` as an operator meets it: it starts, it is interrupted, it is killed, its port is taken."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest

from myloware.embedded import paths

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
OWN = {"DB_URL", "REDIS_URL", "PROVIDERS_MODE", "RENDERER", "MYLOWARE_DATA_DIR", "PORT"}
"""Of the tests' own servers."""
PROGRAMS = {"postgres", "broker", "web", "worker", "beat", "flower"}


class Up:
    """``manage.py up`` in mock mode on a data directory whose name has a space."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder / "data of mine"
        self.port = free_port()
        self.started: list[subprocess.Popen[str]] = []

    def start(self, **environment: str) -> subprocess.Popen[str]:
        fixed = ["--data-dir", str(self.data_dir), "--port", str(self.port), "--providers-mode", "mock"]
        running = subprocess.Popen(
            [sys.executable, "manage.py", "up", *fixed],
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if name not in OWN} | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started.append(running)
        return running

    def serving(self, running: subprocess.Popen[str]) -> dict[str, int]:
        """Waits until everything serves, and gives the processes."""
        deadline = time.monotonic() + 90
        file = self.data_dir / "system.json"
        while time.monotonic() < deadline:
            if running.poll() is not None:
                raise AssertionError(running.communicate()[0][-3000:])
            if file.exists() and json.loads(file.read_text())["pid"] == running.pid:
                return self.processes()
            time.sleep(0.1)
        raise AssertionError("it did not serve within 90 s")

    def processes(self) -> dict[str, int]:
        """The process ids by program."""
        return {entry["name"]: entry["pid"] for entry in json.loads((self.data_dir / "processes.json").read_text())}

    def health(self) -> int:
        return httpx.get(f"http://127.0.0.1:{self.port}/health", trust_env=False).status_code

    def left(self) -> list[list[str]]:
        """The command lines of processes that belong to this data directory."""
        return [each.cmdline() for each in psutil.process_iter() if self._is_mine(each)]

    def _is_mine(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("MYLOWARE_DATA_DIR") == str(self.data_dir)
        except psutil.Error:
            return False


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def stop(running: subprocess.Popen[str], with_signal: signal.Signals = signal.SIGINT) -> str:
    running.send_signal(with_signal)
    return running.communicate(timeout=60)[0]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    system = Up(tmp_path)
    yield system
    for running in system.started:
        if running.returncode is None:
            stop(running)
    assert system.left() == []


def test_it_serves_and_ctrl_c_leaves_nothing_behind(up: Up) -> None:
    running = up.start()
    assert set(up.serving(running)) == PROGRAMS
    assert up.health() == 200
    output = stop(running)
    assert running.returncode == 0
    assert "MyloWare is serving" in output
    assert f"http://127.0.0.1:{up.port}" in output
    assert {line.split("|")[0].strip() for line in output.splitlines() if "|" in line} >= {"up", "postgres", "prepare"}
    assert not (up.data_dir / "system.json").exists()


def test_the_second_start_serves_within_ten_seconds(up: Up) -> None:
    stop_after_serving(up)
    began = time.monotonic()
    running = up.start()
    up.serving(running)
    took_s = time.monotonic() - began
    stop(running, signal.SIGTERM)
    assert took_s < 10


def stop_after_serving(up: Up) -> None:
    running = up.start()
    up.serving(running)
    stop(running)


def test_after_a_kill_the_next_start_recovers(up: Up) -> None:
    running = up.start()
    before = up.serving(running)
    running.kill()
    running.communicate()
    again = up.start()
    after = up.serving(again)
    assert up.health() == 200
    assert not set(before.values()) & set(after.values())
    assert not any(psutil.pid_exists(pid) for pid in before.values())
    stop(again)


def test_every_killed_program_comes_back(up: Up) -> None:
    running = up.start()
    for name in sorted(PROGRAMS - {"flower"}):
        victim = up.serving(running)[name]
        os.kill(victim, signal.SIGKILL)
        deadline = time.monotonic() + 40
        while not (_is_well(up) and up.processes()[name] != victim):
            assert time.monotonic() < deadline, (name, up.processes())
            time.sleep(0.2)
    assert stop(running).count("killed by SIGKILL") == len(PROGRAMS) - 1


def _is_well(up: Up) -> bool:
    try:
        return up.health() == 200 and set(up.processes()) == PROGRAMS
    except (OSError, httpx.HTTPError):
        return False


def test_a_busy_port_is_named(up: Up) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", up.port))
        busy.listen()
        output, _ = up.start().communicate(timeout=60)
    assert f"Port {up.port}" in output
    assert "--port" in output
    assert "Traceback" not in output


def test_a_second_system_on_the_same_data_is_refused(up: Up) -> None:
    running = up.start()
    up.serving(running)
    second = Up(up.data_dir.parent)
    output, _ = second.start().communicate(timeout=60)
    assert f"A system already runs on {up.data_dir}" in output
    assert up.health() == 200
    stop(running)


def test_servers_of_the_environment_replace_the_embedded_ones(up: Up, tmp_path: Path) -> None:
    lender = Up(tmp_path / "lender")
    lending = lender.start()
    lender.serving(lending)
    running = up.start(**_servers_of(lender))
    assert set(up.serving(running)) == PROGRAMS - {"postgres", "broker"}
    assert up.health() == 200
    stop(running)
    stop(lending)
    assert lender.left() == []


def _servers_of(up: Up) -> dict[str, str]:
    return {"DB_URL": paths.database_url(up.data_dir), "REDIS_URL": paths.redis_url(up.data_dir)}
