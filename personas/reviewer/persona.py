"""The reviewer reads what a colleague was not sure of."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from personas.base import Limits, Persona

from .offline import play


class ReviewerOutput(BaseModel):
    """What the reviewer says about a colleague's work."""

    model_config = ConfigDict(extra="forbid")

    summary: str = Field(min_length=10, max_length=600, description="what was handed in, and whether it will do")
    notes: str = Field(min_length=10, max_length=1200, description="what to change, so that a colleague can act on it")
    confidence: float = Field(ge=0, le=1, description="how sure you are of your judgement")


REVIEWER = Persona(
    name="reviewer",
    title="Reviewer",
    summary="Reads what a colleague was not sure of, and says what should be better.",
    output=ReviewerOutput,
    tools=(),
    offline=play,
    limits=Limits(model_calls=4, tool_calls=4, wall_s=180),
)
