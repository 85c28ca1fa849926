"""Runs named programs: output with prefixes, readiness, restarts, and an end that leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from myloware.kernel.child import bound
from myloware.kernel.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .accounts import Account
    from .ledger import Ledger

POLL_S = 0.05
LONGEST_PAUSE_S = 30.0
STABLE_AFTER_S = 10.0
"""A program that ran so long has recovered: its next failure counts as the first."""

Say = Callable[[str, str], None]
"""Takes a program's name and one line of its output."""


def _always() -> bool:
    return True


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Program:
    """What to run, and how it is to be treated."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to our own environment."""
    cwd: Path | None = None
    account: Account | None = None
    ready: Callable[[], bool] = _always
    """Asked every 50 ms until it says yes."""
    stop_signals: tuple[signal.Signals, ...] = (signal.SIGTERM,)
    """Sent one after the other, ``grace_s`` apart; SIGKILL comes last. The first is also sent when we are killed."""
    grace_s: float = 8


class Supervisor:
    """Starts programs in tiers and stops the tiers in reverse.

    ``start`` and ``watch`` belong to one thread that lives as long as the programs: on Linux the kernel ends them when
    the thread that started them ends.
    """

    def __init__(self, say: Say, ledger: Ledger | None = None) -> None:
        self._say = say
        self._ledger = ledger
        self._tiers: list[list[_Child]] = []

    def start(self, *programs: Program) -> None:
        """Starts ``programs`` as one tier, without waiting for them."""
        tier: list[_Child] = []
        self._tiers.append(tier)
        for program in programs:
            child = _Child(program, self._say)
            with _signals_held():
                child.spawn()
                tier.append(child)
            self._note()

    def run(self, program: Program) -> None:
        """Runs ``program`` to its end. Raises Misconfigured when it fails."""
        self.start(program)
        (child,) = self._tiers[-1]
        while child.alive:
            time.sleep(POLL_S)
        child.finish()
        self._tiers.pop()
        child.check_succeeded()

    def wait_ready(self, timeout_s: float = 60) -> None:
        """Returns when every program is ready. Raises Misconfigured when one ends instead, or takes too long."""
        deadline = time.monotonic() + timeout_s
        waiting = list(self._children())
        while waiting:
            for child in waiting:
                child.check_started()
            waiting = [child for child in waiting if not child.program.ready()]
            if waiting and time.monotonic() > deadline:
                names = ", ".join(child.program.name for child in waiting)
                raise Misconfigured(f"Not ready after {timeout_s:.0f} s: {names}. Its last lines above say why.")
            time.sleep(POLL_S if waiting else 0)

    def watch(self, until: Callable[[], bool] = _never) -> None:
        """Restarts whatever dies; for ever, unless ``until`` says so or a signal handler raises."""
        while not until():
            for child in self._children():
                if child.revive():
                    self._note()
            time.sleep(POLL_S * 4)

    def stop(self) -> None:
        """Ends everything, the last tier first, and returns when nothing is left."""
        for tier in reversed(self._tiers):
            _end(tier)
        self._tiers.clear()
        self._note()

    def kill(self) -> None:
        """Ends everything at once."""
        for child in self._children():
            child.kill()

    def pids(self) -> dict[str, int]:
        """The process id of each program that runs."""
        return {child.program.name: child.pid for child in self._children() if child.alive}

    def _children(self) -> Iterable[_Child]:
        return [child for tier in self._tiers for child in tier]

    def _note(self) -> None:
        if self._ledger:
            self._ledger.write((child.program, child.pid) for child in self._children() if child.alive)


class _Child:
    """One program and its current process, which leads a session and a process group of its own."""

    def __init__(self, program: Program, say: Say) -> None:
        self.program = program
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._pump: threading.Thread | None = None
        self._started_at = 0.0
        self._failures = 0
        self._revive_at: float | None = None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def spawn(self) -> None:
        program = self.program
        self._started_at, self._revive_at = time.monotonic(), None
        self._process = subprocess.Popen(
            _bound(program),
            env={**os.environ, **program.env},
            cwd=program.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._pump = threading.Thread(target=self._forward, args=(self._process.stdout,), daemon=True)
        self._pump.start()

    def check_started(self) -> None:
        if not self.alive:
            self._drain()
            raise Misconfigured(f"{self.program.name} did not start ({self._ending()}); its last lines above say why.")

    def check_succeeded(self) -> None:
        if self._process and self._process.returncode:
            raise Misconfigured(f"{self.program.name} failed ({self._ending()}); its last lines above say why.")

    def revive(self) -> bool:
        """Starts a dead process again when its pause is over; says whether it did."""
        if self.alive:
            return False
        now = time.monotonic()
        if self._revive_at is None:
            self._revive_at = now + self._next_pause_s(now)
            # What a dead worker leaves behind would work beside its successor.
            self.kill()
            self._say(self.program.name, f"{self._ending()}, starts again in {self._revive_at - now:.0f} s")
        if now < self._revive_at:
            return False
        with _signals_held():
            self.spawn()
        return True

    def send(self, number: signal.Signals) -> None:
        if self.alive and self._process:
            self._process.send_signal(number)

    def kill(self) -> None:
        """Kills what is left of the process group."""
        with suppress(ProcessLookupError, PermissionError):
            if self.pid:
                os.killpg(self.pid, signal.SIGKILL)

    def finish(self) -> None:
        """After the end: nothing of the group survives, and its last words are passed on."""
        self.kill()
        if self._process:
            self._process.wait()
        self._drain()

    def _next_pause_s(self, now: float) -> float:
        self._failures = 0 if now - self._started_at > STABLE_AFTER_S else self._failures
        self._failures += 1
        return float(min(2 ** (self._failures - 1), LONGEST_PAUSE_S))

    def _drain(self) -> None:
        # Not for ever: a process that left our group may hold the pipe open.
        if self._pump:
            self._pump.join(timeout=1)

    def _ending(self) -> str:
        code = self._process.returncode if self._process else None
        return f"killed by {signal.Signals(-code).name}" if code and code < 0 else f"ended with status {code}"

    def _forward(self, pipe: IO[bytes]) -> None:
        for line in pipe:
            self._say(self.program.name, line.decode(errors="replace").rstrip())


def _bound(program: Program) -> list[str]:
    account = program.account
    uid, gid = (account.uid, account.gid) if account else (-1, -1)
    return bound(list(program.argv), program.stop_signals[0], uid=uid, gid=gid)


def _end(tier: list[_Child]) -> None:
    rounds = max((len(child.program.stop_signals) for child in tier), default=0)
    for turn in range(rounds):
        for child in tier:
            if turn < len(child.program.stop_signals):
                child.send(child.program.stop_signals[turn])
        _wait_for_end(tier, max(child.program.grace_s for child in tier))
    for child in tier:
        child.finish()


def _wait_for_end(tier: list[_Child], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while any(child.alive for child in tier) and time.monotonic() < deadline:
        time.sleep(POLL_S)


@contextmanager
def _signals_held() -> Iterator[None]:
    """Keeps a handler's exception from coming between a process and the note of it."""
    held = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, held)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
