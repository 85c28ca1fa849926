"""What a person sees while a run moves: a live table on a terminal, else a line for every change."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

from rich.live import Live
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console

Json = dict[str, Any]

_MARKS = {
    "pending": ("·", "dim"),
    "running": ("▶", "cyan"),
    "waiting": ("⏸", "yellow"),
    "succeeded": ("✔", "green"),
    "failed": ("✘", "red"),
    "rejected": ("✘", "red"),
    "cancelled": ("✘", "dim"),
}
_ENDED = ("succeeded", "failed", "cancelled")


class Progress(Protocol):
    """Takes the run as the API gives it, again and again."""

    def show(self, run: Json) -> None: ...

    def pause(self) -> None:
        """Leaves the terminal to a question."""


def progress_on(console: Console) -> Progress:
    return LiveTable(console) if console.is_terminal else Lines(console)


class LiveTable:
    """One row for each step, with its time and its jobs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._live: Live | None = None

    def show(self, run: Json) -> None:
        table = self._table(run)
        if self._live is None:
            self._live = Live(table, console=self._console, auto_refresh=False)
            self._live.start()
        self._live.update(table, refresh=True)

    def pause(self) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def _table(self, run: Json) -> Table:
        elapsed_s = time.monotonic() - self._started
        table = Table(box=None, title=f"{run['brief']}  ({elapsed_s:.0f} s)", title_justify="left")
        for step in run["steps"]:
            mark, style = _MARKS[step["status"]]
            time_text = f"{step['duration_s']:.1f} s" if step["duration_s"] else ""
            table.add_row(Text(mark, style), step["kind"], Text(step["name"], style), time_text, detail(run, step))
        return table


class Lines:
    """A line for every change of a step or of its jobs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._told: dict[str, str] = {}

    def show(self, run: Json) -> None:
        for step in run["steps"]:
            text = f"{step['kind']} {step['name']}: {step['status']} {detail(run, step, exact=False)}".rstrip()
            if step["status"] != "pending" and self._told.get(step["id"]) != text:
                self._told[step["id"]] = text
                line = f"[{time.monotonic() - self._started:6.1f} s] {text}"
                self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def pause(self) -> None:
        """Lines leave the terminal free."""


def detail(run: Json, step: Json, *, exact: bool = True) -> str:
    """What a wait waits for, or why a step failed. Not ``exact``: what changes seldom enough to be a line each."""
    if step["error"]:
        return str(step["error"])
    jobs = [job for job in run["jobs"] if job["kind"] == step["name"]]
    if step["kind"] != "wait" or not jobs:
        return ""
    if jobs[0]["progress"]:
        return _rendering(jobs[0]["progress"], exact=exact)
    ended = sum(job["status"] in _ENDED for job in jobs)
    return f"{ended} of {len(jobs)} at {jobs[0]['provider']}"


def _rendering(seen: Json, *, exact: bool) -> str:
    """How far our own renderer is: ``rendering 43 %, 21 fps, 12 s left``."""
    if seen["reason"] or seen["status"] != "rendering":
        return str(seen["reason"] or seen["status"])
    if not exact:
        return f"rendering {seen['percent'] // 10 * 10} %"
    pace = f", {seen['fps']:.0f} fps" if seen["fps"] else ""
    left = f", {seen['left_s']:.0f} s left" if seen["left_s"] else ""
    return f"rendering {seen['percent']} %{pace}{left}"
