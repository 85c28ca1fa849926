"""Riley writes the prompts and orders the clips."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from personas.base import Limits, Persona, StageBrief

from .offline import play


class ClipPrompt(BaseModel):
    """The prompt that was submitted for one clip."""

    model_config = ConfigDict(extra="forbid")

    index: int = Field(ge=0, le=99, description="position of the clip in the film, from 0")
    prompt: str = Field(min_length=60, max_length=4000, description="exactly the text handed to the video model")


class RileyOutput(BaseModel):
    """What was submitted, one prompt per clip."""

    model_config = ConfigDict(extra="forbid")

    clips: list[ClipPrompt] = Field(min_length=1, max_length=20)
    confidence: float = Field(ge=0, le=1, description="how sure you are that the prompts will film the ideas")


def check(output: RileyOutput, brief: StageBrief) -> str:
    """One prompt per clip, no two alike."""
    if sorted(clip.index for clip in output.clips) != list(range(brief.clip_count)):
        return f"list exactly {brief.clip_count} clips, with index 0 to {brief.clip_count - 1}."
    if len({clip.prompt.strip().lower() for clip in output.clips}) < len(output.clips):
        return "two clips have the same prompt; every clip films its own idea."
    return ""


RILEY = Persona(
    name="riley",
    title="Director of photography",
    summary="Writes one prompt per clip and hands them to the video model.",
    output=RileyOutput,
    tools=("memory_search", "submit_generation_jobs_tool", "wait_for_generations_tool"),
    check=check,
    offline=play,
    limits=Limits(model_calls=12, tool_calls=14, wall_s=480),
)
