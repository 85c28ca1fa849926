"""Iggy has the ideas."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from personas.base import Limits, Originality, Persona, StageBrief

from .offline import play


class Idea(BaseModel):
    """One clip's idea."""

    model_config = ConfigDict(extra="forbid")

    index: int = Field(ge=0, le=99, description="position of the clip in the film, from 0")
    subject: str = Field(min_length=1, max_length=120, description="the one thing the clip shows")
    header: str = Field(min_length=1, max_length=60, description="text laid over the clip: one to three words")
    title: str = Field(min_length=1, max_length=120, description="name of the idea, as in a list")
    concept: str = Field(min_length=20, max_length=800, description="what happens, in one or two filmable sentences")
    rationale: str = Field(min_length=10, max_length=600, description="why it fits the brief and the guardrails")


class IggyOutput(BaseModel):
    """The ideas of the whole film, one per clip, in order."""

    model_config = ConfigDict(extra="forbid")

    summary: str = Field(min_length=10, max_length=600, description="the film in one or two sentences")
    ideas: list[Idea] = Field(min_length=1, max_length=20)
    confidence: float = Field(
        ge=0, le=1, description="how sure you are that these ideas fit; lower it where you guessed"
    )


def check(output: IggyOutput, brief: StageBrief) -> str:
    """One idea per clip, no two alike, and the modifiers the brief names come first."""
    if [idea.index for idea in output.ideas] != list(range(brief.clip_count)):
        return f"give exactly {brief.clip_count} ideas, with index 0 to {brief.clip_count - 1} in order."
    pairs = {(idea.subject.lower(), idea.header.lower()) for idea in output.ideas}
    if len(pairs) < len(output.ideas):
        return "every idea needs a subject and header of its own; some are the same."
    for modifier, idea in zip(brief.input.get("modifiers") or (), output.ideas, strict=False):
        if str(modifier).lower() not in f"{idea.header} {idea.title} {idea.concept}".lower():
            return f"idea {idea.index} has to use the modifier the brief names: {modifier}."
    return ""


def original(output: IggyOutput, brief: StageBrief) -> Originality:
    """The headers that Iggy chose. What the brief names stays as it is, even if there was a film of it."""
    rail = next((rail for rail in brief.guardrails if rail.get("key") == "modifiers.unique"), None)
    if rail is None:
        return Originality()
    named = [str(name).lower() for name in brief.input.get("modifiers") or ()]
    own = tuple(header for header in (idea.header.lower() for idea in output.ideas) if header not in named)
    archive = [str(header).lower() for header in brief.materials.get("archive") or ()]
    return Originality(own, (*archive, *named), float(rail["tolerance"]))


IGGY = Persona(
    name="iggy",
    title="Creative director",
    summary="Turns the brief into one filmable idea per clip.",
    output=IggyOutput,
    tools=("memory_search",),
    check=check,
    original=original,
    offline=play,
    limits=Limits(model_calls=8, tool_calls=10, wall_s=300),
)
