"""Settings of the crew."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from myloware.kernel.settings import Settings


class CrewSettings(Settings):
    """Crew."""

    llm_model: str = Field(
        "studio",
        description="chat model: `studio` (offline, deterministic) or any init_chat_model id, e.g. openai:gpt-5.5",
    )
    llm_temperature: float = Field(0.7, ge=0, le=2, description="sampling temperature of live models")
    llm_timeout_s: float = Field(120, gt=0, le=600, description="time limit of one model call, in seconds")
    persona_allowlist_mode: Literal["fail_fast", "memory_fallback"] = Field(
        "fail_fast", description="a missing tool allowlist stops the stage, or leaves it memory_search only"
    )
