"""MyloWare on one machine: servers, tables, processes, from start to end. ``manage.py up`` ends up here."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from typing import TYPE_CHECKING

from myloware import settings
from myloware.kernel.errors import Misconfigured, MylowareError

from . import broker, options, paths, ports, postgres, programs, running
from .contents import Contents
from .launch import STOP_SIGNALS, interruptible
from .ledger import Ledger
from .output import Printer
from .programs import Plan
from .supervisor import Supervisor

if TYPE_CHECKING:
    from .supervisor import Program

FLOWER_PORT = 5555
SIMULATORS_PORT = 8091


class System:
    """Everything that one data directory holds; ``serve`` runs it until a signal ends it."""

    def __init__(self, workers: int) -> None:
        self._printer = Printer()
        self._data_dir = settings.DATA_DIR.resolve()
        self._ledger = Ledger(self._data_dir)
        self._supervisor = Supervisor(self._printer.say, self._ledger)
        self._workers = workers

    def serve(self) -> None:
        """Returns after SIGINT, SIGTERM or SIGHUP. Raises Conflict, or Misconfigured with what to do."""
        with running.exclusive(self._data_dir), interruptible():
            try:
                self._start()
                self._supervisor.watch()
            except KeyboardInterrupt:
                self._say("stopping")
            finally:
                self._stop()

    def _start(self) -> None:
        for name in self._ledger.end_survivors():
            self._say(f"ended {name}, left over from a supervisor that was killed")
        plan = self._plan()
        self._export(plan)
        self._supervisor.start(*self._servers())
        self._supervisor.wait_ready()
        self._prepare(plan)
        self._supervisor.start(*programs.processes(plan))
        self._supervisor.wait_ready(timeout_s=120)
        self._announce(plan)

    def _plan(self) -> Plan:
        port = settings.CORE.port
        if not ports.is_free(port):
            raise Misconfigured(f"Port {port} is in use: stop the program that has it, or choose another with --port.")
        flower = ports.free_from(FLOWER_PORT, taken=(port,))
        local = settings.PROVIDERS.asks_simulators and "SIMULATORS_URL" not in os.environ
        return Plan(
            base_dir=settings.BASE_DIR,
            data_dir=self._data_dir,
            port=port,
            flower_port=flower,
            simulators_port=ports.free_from(SIMULATORS_PORT, taken=(port, flower)) if local else None,
            workers=self._workers,
            renders_here=settings.PROVIDERS.renders_here,
            broker_url=settings.CELERY_BROKER_URL,
            admin_password=settings.CORE.admin_password.get_secret_value(),
        )

    def _export(self, plan: Plan) -> None:
        """What options and free ports have decided, for all processes."""
        os.environ["MYLOWARE_DATA_DIR"] = str(self._data_dir)
        if plan.simulators_port:
            os.environ["SIMULATORS_URL"] = f"http://{ports.HOST}:{plan.simulators_port}"

    def _servers(self) -> list[Program]:
        servers = []
        if not settings.CORE.db_url:
            server = postgres.program(self._data_dir)
            if server.cwd and not server.cwd.is_relative_to(self._data_dir):
                self._say(
                    f"the database is in {server.cwd}, because PostgreSQL's account cannot enter {self._data_dir}"
                )
            servers.append(server)
        if not settings.CORE.redis_url:
            servers.append(broker.program(self._data_dir))
        return servers

    def _prepare(self, plan: Plan) -> None:
        contents = Contents(settings.BASE_DIR, self._data_dir, plan.admin_password)
        # A database of somebody else's is never assumed to be as we left it.
        if settings.CORE.db_url or not contents.are_current():
            self._say("preparing the database")
            self._supervisor.run(programs.preparation(plan))
            contents.mark_current()

    def _announce(self, plan: Plan) -> None:
        urls = _links(plan)
        running.announce(
            self._data_dir,
            port=plan.port,
            providers_mode=settings.PROVIDERS.providers_mode,
            urls=urls,
        )
        self._printer.show(_welcome(urls))

    def _stop(self) -> None:
        running.withdraw(self._data_dir)
        # Who presses Ctrl-C again does not want to wait.
        for each in STOP_SIGNALS:
            signal.signal(each, lambda *_: self._supervisor.kill())
        self._supervisor.stop()
        paths.remove_socket_dir(self._data_dir)

    def _say(self, line: str) -> None:
        self._printer.say("up", line)


def _links(plan: Plan) -> dict[str, str]:
    web = settings.PUBLIC_BASE_URL
    links = {
        "web": web,
        "admin": f"{web}/admin/",
        "docs": f"{web}/docs",
        "flower": f"http://{ports.HOST}:{plan.flower_port}",
    }
    if plan.simulators_port:
        links["gallery"] = f"http://{ports.HOST}:{plan.simulators_port}/gallery"
    return links


def _welcome(urls: dict[str, str]) -> str:
    lines = [f"  {name:<8} {text}" for name, text in {**urls, "user": programs.login()}.items()]
    return "\n".join(["", "MyloWare is serving", *lines, "  Ctrl-C stops everything", ""])


def main() -> None:
    """Serves until a signal ends it; exit status 1 with a message when that is not possible."""
    parser = argparse.ArgumentParser(prog="manage.py up")
    options.add_workers(parser)
    try:
        System(parser.parse_args().workers).serve()
    except MylowareError as error:
        sys.exit(f"Error: {error.message}")


if __name__ == "__main__":
    main()
