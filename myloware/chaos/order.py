"""What is to be broken, how often, and how the seed decides."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import argparse

FAULTS = {
    "points": "kill a worker's process at named points of its work",
    "worker": "kill one of the workers with all its processes",
    "postgres": "kill PostgreSQL",
    "broker": "kill the broker",
    "outage": "let the broker hang for a minute, kill a worker meanwhile, then kill the broker",
    "flush": "empty the broker",
    "drop": "lose callbacks",
    "double": "deliver callbacks up to five times, late and out of order",
    "forge": "send callbacks that nobody signed",
    "storm": "answer the system's requests to providers with 429, 500 and lost answers",
    "disk": "let the media store's disk be full",
}
# A minute in which nothing can go on is for those who ask for it.
USUAL = tuple(name for name in FAULTS if name != "outage")
# How likely each single thing is to be hit.
CHANCE = {"points": 0.04, "drop": 0.2, "double": 0.3, "forge": 0.2, "storm": 0.06, "disk": 0.03}


class Order(BaseModel):
    """The options of ``manage.py chaos``."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    seed: int
    runs: int
    faults: tuple[str, ...]
    points: tuple[str, ...] = ()
    """Only these, always: every run is killed at each of them."""
    workers: int
    stage_s: float
    timeout_s: int
    json_line: bool

    def hits(self, fault: str, what: str) -> bool:
        """Whether ``fault`` hits ``what``: the same seed hits the same things."""
        return fault in self.faults and chance(self.seed, f"{fault} {what}") < CHANCE[fault]


def chance(seed: int, what: str) -> float:
    """A number in 0..1 that seed and name decide."""
    return random.Random(f"{seed} {what}").random()  # noqa: S311 - to be repeated, not to be secret


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options behind ``Order``."""
    parser.add_argument("--seed", type=int, default=0, help="decides what is hit (default: 0)")
    parser.add_argument("--runs", type=int, default=100, help="films to make (default: 100)")
    parser.add_argument(
        "--faults",
        type=_faults,
        default=USUAL,
        help=f"comma-separated, or none; of {', '.join(FAULTS)}; default: all but outage",
    )
    parser.add_argument(
        "--points", type=_names, default=(), help="kill every run once at each of these points, e.g. publish.called"
    )
    parser.add_argument("--workers", type=int, default=2, help="workers, of two processes each (default: 2)")
    parser.add_argument("--stage-s", type=float, default=0, help="seconds that every stage takes longer (default: 0)")
    parser.add_argument("--timeout-s", type=int, default=3600, help="give up after so many seconds (default: 3600)")
    parser.add_argument("--json", action="store_true", dest="json_line", help="end with one line of JSON")


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


def _faults(text: str) -> tuple[str, ...]:
    names = () if text == "none" else _names(text)
    unknown = set(names) - set(FAULTS)
    if unknown:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    return names
