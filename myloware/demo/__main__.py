"""Runs the demo; ``manage.py demo`` ends up here, with its options as JSON."""

from __future__ import annotations

import hashlib
import sys
import time
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
from rich.console import Console

from myloware import settings
from myloware.embedded.launch import interruptible
from myloware.embedded.ports import HOST
from myloware.embedded.programs import login
from myloware.kernel.errors import MylowareError
from myloware.kernel.progress import progress_on

from .client import Client, DemoFailed
from .gates import POLL_S, Gates, open_gate
from .host import Host
from .meter import MemoryMeter
from .report import Report
from .wish import DEFAULT_BRIEF, Wish

if TYPE_CHECKING:
    from myloware.embedded.running import Running

    from .client import Json

_MOVING = ("pending", "running", "waiting")


class Demo:
    """One film, from the brief to the published file."""

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._console = Console()
        self._started = time.monotonic()
        self._host = Host()
        self._report = Report("failed", wish.project)

    def run(self) -> int:
        """The exit status: 0 only when a film was published."""
        with interruptible():
            try:
                self._serve_and_film()
            except KeyboardInterrupt:
                self._console.print("Stopping", highlight=False)
            finally:
                self._host.stop()
        return 0 if self._report.published else 1

    def _serve_and_film(self) -> None:
        brief = self._wish.brief or self._asked_brief()
        self._started = time.monotonic()
        system = self._try(brief)
        if self._wish.json_line:
            print(self._report.line(), flush=True)
        if system and self._host.is_own and not self._wish.exit:
            self._host.wait()

    def _try(self, brief: str) -> Running | None:
        system = None
        try:
            system = self._system()
            self._film(system, brief)
        except (MylowareError, httpx.HTTPError) as error:
            self._report.status = self._report.status if self._report.run_id else "failed"
            self._console.print(f"No film: {error}", style="red", markup=False, highlight=False)
        if system and not self._wish.exit:
            self._show_links(system)
        return system

    def _asked_brief(self) -> str:
        if not sys.stdin.isatty():
            return DEFAULT_BRIEF
        return input(f"What is the film about? [{DEFAULT_BRIEF}] ").strip() or DEFAULT_BRIEF

    def _system(self) -> Running:
        if found := self._host.find():
            self._say(f"Using the system that runs at {found.urls['web']}")
            return found
        self._say(f"Starting the system; its log is {self._host.log}")
        return self._host.start()

    def _film(self, system: Running, brief: str) -> None:
        meter = MemoryMeter(system.pid)
        client = Client(f"http://{HOST}:{system.port}", settings.API_KEY)
        try:
            run = self._produce(client, brief)
            self._conclude(client, run)
        finally:
            client.close()
            self._report.peak_rss_mb = round(meter.stop(), 1)
            self._report.wall_s = round(time.monotonic() - self._started, 1)
        self._report.print(self._console)

    def _produce(self, client: Client, brief: str) -> Json:
        """The run when it has ended."""
        # A user of its own: what Brendan was told before would change what he proposes.
        user = f"demo-{uuid4().hex[:8]}"
        run_id = client.propose(brief, project=self._wish.project, seed=self._wish.seed, user=user)
        self._report.run_id = run_id
        ask = (self._wish.approve or ("ask" if sys.stdin.isatty() else "auto")) == "ask"
        gates, progress = Gates(client, self._console, ask=ask), progress_on(self._console)
        try:
            while True:
                run = client.run(run_id)
                progress.show(run)
                if run["status"] not in _MOVING:
                    return run
                if gate := open_gate(run):
                    gates.meet(run_id, gate, progress.pause)
                time.sleep(POLL_S)
        finally:
            progress.pause()

    def _conclude(self, client: Client, run: Json) -> None:
        self._report.tell(run)
        if not self._report.published:
            raise DemoFailed(f"the run was {run['status']}: {run['reason'] or 'no reason was given'}")
        film = client.film(run["runId"])
        if film is None:
            raise DemoFailed("the run was published without a film")
        path = settings.MEDIA_ROOT.resolve() / film["path"]
        if not path.exists():
            path = client.fetch(film, settings.DATA_DIR.resolve())
        with path.open("rb") as file:
            self._report.measure(path, hashlib.file_digest(file, "sha256").hexdigest())

    def _show_links(self, system: Running) -> None:
        links = dict(system.urls)
        if self._report.run_id:
            links["run"] = f"{links['web']}/runs/{self._report.run_id}/"
        self._say("")
        for name, url in links.items():
            self._say(f"{name:<10} {url}")
        self._say(f"{'user':<10} {login()}")
        self._say("Ctrl-C stops everything" if self._host.is_own else "The system goes on running")

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(Demo(Wish.model_validate_json(sys.argv[1])).run())
