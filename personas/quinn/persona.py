"""Quinn prepares the publication."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, Field

from personas.base import Limits, Persona, StageBrief

from .offline import play

_TAG = re.compile(r"\w{2,60}")


class QuinnOutput(BaseModel):
    """The draft that waits for a person's approval."""

    model_config = ConfigDict(extra="forbid")

    title: str = Field(min_length=3, max_length=150, description="short title of the film")
    caption: str = Field(min_length=10, max_length=2200, description="the text below the video, without hashtags")
    tags: list[str] = Field(min_length=1, max_length=12, description="hashtags without the # sign")
    confidence: float = Field(ge=0, le=1, description="how sure you are that the draft follows the platform's rules")


def check(output: QuinnOutput, brief: StageBrief) -> str:
    """Hashtags that a platform takes, and none twice."""
    broken = [tag for tag in output.tags if not _TAG.fullmatch(tag)]
    if broken:
        return f"a tag is one word of letters, digits or _, without #; these are not: {', '.join(broken[:5])}."
    if len({tag.lower() for tag in output.tags}) < len(output.tags):
        return "a tag is listed twice."
    return ""


QUINN = Persona(
    name="quinn",
    title="Publisher",
    summary="Writes title, caption and tags, and stores the draft a person approves.",
    output=QuinnOutput,
    tools=("memory_search", "publish_to_tiktok_tool"),
    check=check,
    offline=play,
    limits=Limits(model_calls=8, tool_calls=8, wall_s=300),
)
