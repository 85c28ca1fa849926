"""Alex cuts the film."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from personas.base import Limits, Persona

from .offline import play


class AlexOutput(BaseModel):
    """The cut that was sent to the renderer."""

    model_config = ConfigDict(extra="forbid")

    summary: str = Field(min_length=10, max_length=600, description="order, length and texts of the film, in words")
    duration_s: float = Field(gt=0, le=600, description="length of the whole film, in seconds")
    confidence: float = Field(ge=0, le=1, description="how sure you are that the film is complete and in time")


ALEX = Persona(
    name="alex",
    title="Editor",
    summary="Checks that every clip is there and renders the timeline once.",
    output=AlexOutput,
    tools=("memory_search", "render_video_timeline_tool"),
    offline=play,
    limits=Limits(model_calls=8, tool_calls=8, wall_s=300),
)
