"""Which tools a persona must have called, and why. The one place that says so."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from myloware.kernel.errors import ContractBroken

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

CONTRACTS: Mapping[str, Mapping[str, str]] = {
    "iggy": {
        "memory_search": "ideas must start from the project's creative direction and guardrails, not from habit",
    },
    "riley": {
        "memory_search": "the video model's prompting guidance has to be at hand before a prompt is written",
        "submit_generation_jobs_tool": "without it no clip is generated and the run has nothing to edit",
    },
    "alex": {
        "render_video_timeline_tool": "the film exists only once the timeline was handed to the renderer",
    },
    "morgan": {
        "design_sound_tool": "the film keeps the sound it has until the cues were handed to the mixer",
    },
    "quinn": {
        "memory_search": "a caption has to follow the platform's current requirements",
        "publish_to_tiktok_tool": "the reviewer approves exactly the draft that this tool stores",
    },
}


def required_tools(persona: str) -> Mapping[str, str]:
    """Required tool -> why; empty for a persona without a contract."""
    return CONTRACTS.get(persona, MappingProxyType({}))


def missing(persona: str, *, allowed: Collection[str], called: Collection[str]) -> dict[str, str]:
    """Required tools the project allows that were not called successfully, with the reason for each."""
    return {tool: why for tool, why in required_tools(persona).items() if tool in allowed and tool not in called}


def require(
    persona: str,
    *,
    allowed: Collection[str],
    called: Collection[str],
    refused: Mapping[str, str],
    project: str,
    run_id: str,
) -> None:
    """Raises ``ContractBroken`` naming each skipped tool and why it matters, or what it had answered."""
    skipped = missing(persona, allowed=allowed, called=called)
    if skipped:
        reasons = "; ".join(f"{tool} ({_reason(why, refused.get(tool))})" for tool, why in skipped.items())
        raise ContractBroken(
            f"{persona} finished without calling {reasons}.",
            persona=persona,
            tools=list(skipped),
            project=project,
            run_id=run_id,
        )


def _reason(why: str, answer: str | None) -> str:
    return f"it had answered: {answer}" if answer else why
