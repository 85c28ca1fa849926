"""A worker that is killed within a stage: ``python -m tests.personas.doomed CONNINFO BASE_URL THREAD NTH``."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from langchain_openai import ChatOpenAI

from personas import checkpoints

from .world import GUIDE, Library, Studio, brief, call, work

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import AIMessage

    from personas.base import StageResult
    from personas.ports import Hit

PROMPTS = [
    {
        "index": index,
        "prompt": f"Slow push-in, extreme close-up: a glowing {name} over a quiet sea at night, with stars.",
    }
    for index, name in enumerate(["moon", "sun"])
]
# What the model says, call by call.
LINES: list[AIMessage] = [
    *(call("memory_search", {"query": text}, id=text) for text in ("light", "sound", "camera")),
    call("submit_generation_jobs_tool", {"videos": PROMPTS}, id="submit"),
    call("wait_for_generations_tool", {}, id="wait"),
    call("RileyOutput", {"clips": PROMPTS, "confidence": 0.9}, id="done"),
]


class Fate:
    """Kills this process after so many things were done at the ports; never, when 0."""

    def __init__(self, nth: int) -> None:
        self.left = nth

    def strike(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class DoomedLibrary(Library):
    def __init__(self, fate: Fate) -> None:
        super().__init__(GUIDE)
        self.fate = fate

    def search(self, queries: Sequence[str], *, k: int, project: str | None, persona: str | None) -> list[Hit]:
        hits = super().search(queries, k=k, project=project, persona=persona)
        self.fate.strike()
        return hits


class DoomedStudio(Studio):
    def __init__(self, fate: Fate) -> None:
        super().__init__()
        self.fate = fate

    def _arrive(self, name: str) -> None:
        super()._arrive(name)
        self.fate.strike()


def take(conninfo: str, base_url: str, thread_id: str, nth: int) -> StageResult:
    """Works at Riley's stage, or goes on with it, until the nth thing is done."""
    fate = Fate(nth)
    ports: dict[str, Any] = {"knowledge": DoomedLibrary(fate), "production": DoomedStudio(fate)}
    model = ChatOpenAI(model="gpt-4.1-mini", base_url=base_url, api_key=lambda: "a-key", max_retries=0)
    return work(brief("riley"), model, thread_id=thread_id, checkpointer=checkpoints.saver(conninfo), **ports)


if __name__ == "__main__":
    database, endpoint, thread, count = sys.argv[1:]
    take(database, endpoint, thread, int(count))
