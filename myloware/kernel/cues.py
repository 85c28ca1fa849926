"""Sound cues: what the crew's sound designer asks for, and the mixer makes; and where in the film they lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

Bed = Literal[
    "birds", "breeze", "bubbles", "fire", "grains", "night", "rain", "room", "rumble", "stream", "waves", "wind"
]
Foley = Literal["brush", "chime", "crackle", "crunch", "drip", "fizz", "pour", "slice", "tap"]

BEDS: tuple[str, ...] = get_args(Bed)
FOLEY: tuple[str, ...] = get_args(Foley)


class Cue(BaseModel):
    """One sound under one clip: a bed, which lasts as long as the clip, or a foley sound at a moment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Bed | Foley = Field(description=f"beds: {', '.join(BEDS)}; foley: {', '.join(FOLEY)}")
    clip: int = Field(ge=0, le=99, description="index of the clip, from 0")
    start_s: float = Field(0, ge=0, le=60, description="foley only: seconds from the clip's first frame")
    gain_db: float = Field(0, ge=-18, le=6, description="louder or softer than the kind's usual level, in dB")

    @property
    def is_bed(self) -> bool:
        return self.kind in BEDS

    @model_validator(mode="after")
    def _beds_have_no_start(self) -> Self:
        if self.is_bed and self.start_s:
            raise ValueError(f"'{self.kind}' is a bed and lasts the whole clip: leave start_s out")
        return self


@dataclass(frozen=True)
class Scene:
    """One clip's place in the film. ``whisper_s`` is where its whispered word begins, from the clip's start."""

    start_s: float
    length_s: float
    whisper_s: float | None = None
