"""Who decides at a gate: the demo itself, or the person in front of it."""

from __future__ import annotations

import select
import sys
import time
from typing import TYPE_CHECKING

from .approval import decide

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from .client import Client, Json

POLL_S = 0.5
_WHAT = {
    "workflow": "the plan",
    "ideate": "the ideas",
    "prepublish": "the finished film and its caption",
    "budget": "more money",
}


def open_gate(run: Json) -> Json | None:
    """The gate that waits for a decision now."""
    return next((step for step in run["steps"] if step["kind"] == "gate" and step["status"] == "waiting"), None)


class Gates:
    """Sees to it that every gate is decided once."""

    def __init__(self, client: Client, console: Console, *, ask: bool) -> None:
        self._client = client
        self._console = console
        self._ask = ask
        self._listening = sys.stdin.isatty()

    def meet(self, run_id: str, gate: Json, leave_terminal: Callable[[], None]) -> None:
        """Returns when ``gate`` is decided."""
        link = self._client.approval_link(run_id)
        if link is None:
            return
        if self._ask:
            leave_terminal()
            self._await_person(run_id, gate, link)
        else:
            decide(link, "approve")

    def _await_person(self, run_id: str, gate: Json, link: str) -> None:
        self._console.print(
            f"\nYour decision on {_WHAT.get(gate['name'], gate['name'])}:", markup=False, highlight=False
        )
        self._console.print(f"  {link}", markup=False, highlight=False, soft_wrap=True)
        if self._listening:
            self._console.print("Open the page, or type y to approve, or n and a reason to reject.")
        while self._is_open(run_id, gate):
            verdict, _, comment = self._typed().partition(" ")
            if verdict.lower() in {"y", "yes"}:
                decide(link, "approve")
            elif verdict.lower() in {"n", "no"}:
                decide(link, "reject", comment.strip() or "rejected in the terminal")

    def _is_open(self, run_id: str, gate: Json) -> bool:
        now = open_gate(self._client.run(run_id))
        return now is not None and now["id"] == gate["id"]

    def _typed(self) -> str:
        """A line that was typed within half a second; empty when none was."""
        if not self._listening:
            time.sleep(POLL_S)
            return ""
        if not select.select([sys.stdin], [], [], POLL_S)[0]:
            return ""
        line = sys.stdin.readline()
        # The end of the input is always ready to be read.
        self._listening = bool(line)
        return line.strip()
