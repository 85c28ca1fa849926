"""Morgan designs the sound."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from myloware.kernel.cues import Cue
from personas.base import Limits, Persona, StageBrief

from .offline import play

# No foley begins so close to a whispered word: it would be heard instead of it.
BREATH_S = 1.0


class MorganOutput(BaseModel):
    """The sound that was laid under the film."""

    model_config = ConfigDict(extra="forbid")

    summary: str = Field(min_length=10, max_length=600, description="what is heard and why it suits the film, in words")
    cues: list[Cue] = Field(min_length=1, max_length=100, description="exactly the cues handed to the tool")
    confidence: float = Field(ge=0, le=1, description="how sure you are that the sounds fit what is seen")


def check(output: MorganOutput, brief: StageBrief) -> str:
    """Every clip has its sound, with foley where the project requires it, and the whisper has room."""
    required = brief.specs.get("foley") == "required"
    heard = {cue.clip for cue in output.cues if not (required and cue.is_bed)}
    silent = sorted(set(range(brief.clip_count)) - heard)
    if silent:
        return f"these clips have no {'foley' if required else 'sound'} yet: {', '.join(map(str, silent))}."
    word_s = float(brief.specs.get("whisperTiming", -1))
    over = [cue for cue in output.cues if word_s >= 0 and not cue.is_bed and abs(cue.start_s - word_s) < BREATH_S]
    if over:
        return (
            f"'{over[0].kind}' in clip {over[0].clip} falls on the whisper at {word_s:g} s; keep {BREATH_S:g} s clear."
        )
    return ""


MORGAN = Persona(
    name="morgan",
    title="Sound designer",
    summary="Lays quiet beds and close foley under the finished film.",
    output=MorganOutput,
    tools=("memory_search", "design_sound_tool"),
    check=check,
    offline=play,
    limits=Limits(model_calls=8, tool_calls=8, wall_s=600),
)
