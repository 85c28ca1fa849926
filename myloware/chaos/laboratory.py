"""A whole system to break: servers, web, workers, beat and the world outside, each a process."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import django
import redis
from rich.console import Console

from myloware import settings
from myloware.embedded import broker, paths, postgres, programs
from myloware.embedded.launch import interruptible
from myloware.embedded.programs import Plan
from myloware.embedded.supervisor import Supervisor

from .report import Report

if TYPE_CHECKING:
    from pathlib import Path

    from myloware.embedded.supervisor import Program

    from .order import Order

# Seconds from one fault that hits a whole server, when all is up again, to the next.
PAUSE_S = (10.0, 20.0)
# Of each worker.
PROCESSES = 2
# How long a broker hangs, and when in that time a worker dies.
OUTAGE_S = 60.0
KILL_AFTER_S = 5.0


class Laboratory:
    """Runs the system, the people and the faults."""

    def __init__(self, order: Order, folder: Path) -> None:
        self.order = order
        self.folder = folder
        self.console = Console(stderr=order.json_line)
        self.log = (folder / "up.log").open("w")
        self.supervisor = Supervisor(lambda name, line: print(f"{name:<10} | {line}", file=self.log, flush=True))
        self.report = Report(order)
        self.done = threading.Event()

    def run(self) -> int:
        """The exit status: 0 without a violation."""
        with interruptible():
            try:
                self._start()
                people = threading.Thread(target=self._people, name="people")
                faults = threading.Thread(target=self._faults, name="faults", daemon=True)
                people.start()
                faults.start()
                self.supervisor.watch(until=self.done.is_set)
                people.join()
                self.report.check(self.folder)
            finally:
                self.done.set()
                self.supervisor.stop()
                self._tidy()
        self.report.print(self.console)
        return 1 if self.report.violations else 0

    def _start(self) -> None:
        self.console.print(f"Starting a system to break in {self.folder}", highlight=False)
        self.supervisor.start(postgres.program(self.folder), broker.program(self.folder))
        self.supervisor.wait_ready()
        plan = self._plan()
        self.supervisor.run(programs.preparation(plan))
        outside = urls_port(settings.PROVIDERS.simulators_url)
        world = ("-m", "myloware.chaos.outside", outside, str(plan.port), self.order.model_dump_json())
        self.supervisor.start(
            programs.web(plan), programs.beat(plan), programs.python("outside", plan, *world), *self._workers(plan)
        )
        self.supervisor.wait_ready(timeout_s=120)

    def _plan(self) -> Plan:
        return Plan(
            base_dir=settings.BASE_DIR,
            data_dir=self.folder,
            port=settings.CORE.port,
            flower_port=0,
            simulators_port=None,
            workers=PROCESSES,
            renders_here=False,
            broker_url=settings.CELERY_BROKER_URL,
            admin_password=settings.CORE.admin_password.get_secret_value(),
        )

    def _workers(self, plan: Plan) -> list[Program]:
        numbers = range(1, self.order.workers + 1)
        return [programs.worker(plan, name=f"worker-{number}", app="myloware.chaos.worker") for number in numbers]

    def _people(self) -> None:
        try:
            django.setup()
            from .people import People

            People(self.order, self.console, self.report).work()
        finally:
            self.done.set()

    # --- Faults that hit a whole server

    def _faults(self) -> None:
        dice = random.Random(f"{self.order.seed} servers")  # noqa: S311 - to be repeated, not to be secret
        wholesale = [name for name in ("worker", "postgres", "broker", "outage", "flush") if name in self.order.faults]
        everybody = len(self.supervisor.pids())
        while wholesale and not self.done.wait(dice.uniform(*PAUSE_S)):
            fault = dice.choice(wholesale)
            # One at a time: with all workers down at once there is nobody to take over.
            if len(self.supervisor.pids()) == everybody and not self.report.calm.is_set():
                # What is to be broken may be down already.
                with suppress(redis.RedisError, ProcessLookupError, KeyError):
                    self._break(fault, dice)

    def _break(self, fault: str, dice: random.Random) -> None:
        self.report.count(fault)
        if fault == "flush":
            redis.Redis.from_url(settings.REDIS_URL).flushall()
        elif fault == "outage":
            self._outage(dice)
        elif fault == "worker":
            victim = self.supervisor.pids()[f"worker-{dice.randint(1, self.order.workers)}"]
            self.report.worker_kills.append((time.time(), victim))
            # The group: the worker and its processes.
            os.killpg(victim, signal.SIGKILL)
        else:
            os.kill(self.supervisor.pids()[fault], signal.SIGKILL)

    def _outage(self, dice: random.Random) -> None:
        began, hung = time.time(), self.supervisor.pids()["broker"]
        os.kill(hung, signal.SIGSTOP)
        try:
            self.done.wait(KILL_AFTER_S)
            self._break("worker", dice)
            self.done.wait(OUTAGE_S - KILL_AFTER_S)
        finally:
            os.kill(hung, signal.SIGKILL)
        while not self.done.wait(0.1) and not self._broker_answers():
            pass
        self.report.outages.append((began, time.time()))

    def _broker_answers(self) -> bool:
        with suppress(redis.RedisError):
            return bool(redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1).ping())
        return False

    def _tidy(self) -> None:
        self.log.close()
        if self.report.violations:
            kept = self.folder.with_name(f"{self.folder.name}.log")
            shutil.copy(self.folder / "up.log", kept)
            self.console.print(f"The log is {kept}", highlight=False)
        paths.remove_socket_dir(self.folder)
        shutil.rmtree((self.folder / "postgres").resolve(), ignore_errors=True)
        sys.stdout.flush()


def urls_port(url: str) -> str:
    return url.rsplit(":", 1)[1]
