"""Brendan talks with people and proposes films. He is no stage: he works before a run exists."""

from __future__ import annotations

from pathlib import Path

from personas.base import Limits

NAME = "brendan"
TOOLS = ("memory_search", "list_projects", "list_my_runs", "get_run_status", "request_hitl_link", "propose_run")
# How sure Brendan has to be to propose a film, and to ask rather than decline.
PROPOSE_FROM, CLARIFY_FROM = 0.70, 0.40
LIMITS = Limits(model_calls=8, tool_calls=10, wall_s=120)

# The line of the system message that tells which project the caller has pinned.
PINNED = "Pinned project: "


def prompt(project: str | None) -> str:
    """The system prompt, with the pinned project on its last line."""
    text = (Path(__file__).parent / "prompt.md").read_text(encoding="utf-8")
    return f"{text}\n{PINNED}{project}" if project else text


def pinned_project(system_prompt: str) -> str:
    """The project that :func:`prompt` was given, or ""."""
    last = system_prompt.rsplit("\n", 1)[-1]
    return last.removeprefix(PINNED) if last.startswith(PINNED) else ""
