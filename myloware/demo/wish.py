"""What the demo was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import argparse

DEFAULT_BRIEF = "A paper boat that sails down a rainy street at night"


class Wish(BaseModel):
    """The options of ``manage.py demo``; None is decided by whether a person is there."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    brief: str | None = None
    project: str
    approve: Literal["ask", "auto"] | None = None
    seed: int
    exit: bool
    json_line: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options behind ``Wish``."""
    parser.add_argument("--brief", help="what the film is about (asked for when a terminal is there)")
    parser.add_argument("--project", default="test_video_gen", help="test_video_gen (default) or aismr")
    parser.add_argument(
        "--approve", choices=["ask", "auto"], help="who approves (default: ask in a terminal, else auto)"
    )
    parser.add_argument("--seed", type=int, default=0, help="same brief and seed, same film (default: 0)")
    parser.add_argument("--exit", action="store_true", help="stop everything after the film instead of serving on")
    parser.add_argument("--json", action="store_true", dest="json_line", help="end with one line of JSON")
