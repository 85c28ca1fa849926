"""The rules as data: ``fixtures/platforms/<name>.json``, each number with its source.

``film.json`` holds for every film of ours, the others for what goes to their platform.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from providers.media.preflight.measures import MEASURES

FOLDER = Path(__file__).resolve().parents[3] / "fixtures" / "platforms"
EVERY_FILM = "film"

Level = Literal["error", "warning"]
# What FFmpeg has to write anew: the file around its streams, the sound, or the picture.
Repair = Literal["container", "sound", "picture"]
Text = Annotated[str, Field(min_length=1)]


class Rule(BaseModel):
    """One comparison: a value of at least ``min`` and at most ``max``, or one of some.

    An ``error`` stands in the way of publishing, a ``warning`` does not. ``fix`` says what a person can do, ``repair``
    what of the film FFmpeg can write anew to mend it, ``source`` where the number comes from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z_]+(\.[a-z_]+)+$")
    level: Level
    measure: str
    min: float | None = None
    max: float | None = None
    one_of: tuple[bool | float | str, ...] = ()
    fix: Text
    repair: Repair | None = None
    source: Text

    @model_validator(mode="after")
    def _compares(self) -> Rule:
        if self.measure not in MEASURES:
            raise ValueError(f"{self.id}: there is no measure '{self.measure}'; known: {', '.join(MEASURES)}")
        if bool(self.one_of) == (self.min is not None or self.max is not None):
            raise ValueError(f"{self.id}: give min or max or both, or one_of")
        return self


class Rules(BaseModel):
    """The rules of one platform. ``version`` is the day of the last change."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    platform: str = Field(pattern=r"^[a-z_]+$")
    version: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}(\.\d+)?$")
    rules: tuple[Rule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _named(self) -> Rules:
        ids = [rule.id for rule in self.rules]
        strange = [name for name in ids if not name.startswith(f"{self.platform}.")]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if strange or twice:
            raise ValueError(f"ids begin with '{self.platform}.' and are unique; not so: {', '.join(strange + twice)}")
        return self


def platforms() -> list[str]:
    """Who has rules, ``film`` first."""
    return sorted((path.stem for path in FOLDER.glob("*.json")), key=lambda name: (name != EVERY_FILM, name))


@cache
def rules_of(platform: str) -> Rules | None:
    """The rules of a platform; None when it has none. Raises pydantic's ValidationError for a file that is wrong."""
    file = FOLDER / f"{platform}.json"
    if platform not in platforms():
        return None
    found = Rules.model_validate_json(file.read_text())
    if found.platform != platform:
        raise ValueError(f"{file.name} holds the rules of '{found.platform}'")
    return found
