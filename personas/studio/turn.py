"""What the offline model's parts are made of: the moment it is asked (``Turn``), its moves, and its dice.

Free of LangChain, so that personas stay cheap to import.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from personas.base import StageBrief

Option = TypeVar("Option")

_WORD = re.compile(r"[a-z][a-z'-]+")
# Too common to show that a text speaks of an option.
_COMMON = """
    a an and are as at be by for from in into is it its look of on one or over slow that the their them then this to up
    what which while who with you your light small first last once
"""


@dataclass(frozen=True)
class Call:
    """Calls a tool; the structured output counts as one (``Turn.output_tool``)."""

    name: str
    args: Mapping[str, Any]


@dataclass(frozen=True)
class Say:
    """Ends the turn with words."""

    text: str


Move = Call | Say


@dataclass(frozen=True)
class Answer:
    """What a tool call of this conversation came back with."""

    name: str
    args: Mapping[str, Any]
    content: str
    ok: bool

    @property
    def data(self) -> dict[str, Any]:
        """The content as a JSON object; empty when it is none."""
        try:
            value = json.loads(self.content)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


@dataclass(frozen=True)
class Turn:
    """One call of the model: the tools it has, and what they answered so far."""

    tools: frozenset[str]
    answers: tuple[Answer, ...]
    seed: int

    def answer(self, tool: str) -> Answer | None:
        """The latest successful answer of ``tool``."""
        return next((answer for answer in reversed(self.answers) if answer.name == tool and answer.ok), None)

    def pending(self, tool: str, *, attempts: int = 2) -> bool:
        """Whether ``tool`` is offered, has not succeeded yet and is worth another attempt."""
        tried = sum(answer.name == tool for answer in self.answers)
        return tool in self.tools and self.answer(tool) is None and tried < attempts

    @property
    def passages(self) -> list[dict[str, Any]]:
        """What ``memory_search`` found, best first."""
        found = self.answer("memory_search")
        return list(found.data.get("passages", [])) if found else []

    @property
    def support(self) -> float:
        """How well the knowledge base covers the work, 0-1: the best passage's score."""
        return max((min(max(float(passage["score"]), 0.0), 1.0) for passage in self.passages), default=0.0)

    @property
    def source(self) -> str:
        """Where the best passage stands, for a rationale; "" without knowledge."""
        best = next(iter(self.passages), None)
        return str(best["heading"] or best["path"]) if best else ""


@dataclass(frozen=True)
class StageTurn(Turn):
    """A stage's turn."""

    brief: StageBrief
    output_tool: str

    @cached_property
    def dice(self) -> Dice:
        brief = self.brief
        reading = " ".join(f"{passage['heading']} {passage['snippet']}" for passage in self.passages)
        told = (brief.project, brief.prompt, *map(str, brief.input.get("modifiers") or ()), brief.notes)
        return Dice(self.seed, *told, wishes=f"{brief.prompt} {brief.notes}", reading=reading)

    def finish(self, **output: Any) -> Call:
        """Hands in the structured output."""
        return Call(self.output_tool, output)


@dataclass(frozen=True)
class ChatTurn(Turn):
    """A turn of Brendan's conversation. ``project`` is the one the caller pinned, or "". ``news``: the oldest first."""

    message: str
    project: str
    news: tuple[Mapping[str, Any], ...] = ()


class Dice:
    """Choices that look free and repeat exactly: a hash of the seed, the brief and the name of the choice.

    Options mentioned in ``wishes`` (the brief, a reviewer's notes) come first, then those in ``reading`` (knowledge).
    """

    def __init__(self, seed: int, *brief: str, wishes: str = "", reading: str = "") -> None:
        self._key = "\x1f".join((str(seed), *brief))
        self._wishes = words(wishes)
        self._reading = words(reading)

    def number(self, name: str) -> int:
        return int.from_bytes(hashlib.sha256(f"{self._key}\x1f{name}".encode()).digest()[:8], "big")

    def order(self, name: str, options: Iterable[Option]) -> list[Option]:
        return sorted(options, key=lambda option: self._rank(name, str(option)))

    def pick(self, name: str, options: Sequence[Option]) -> Option:
        return self.order(name, options)[0]

    def sample(self, name: str, options: Sequence[Option], count: int) -> list[Option]:
        """``count`` options, each used before one returns; wishes and reading decide the first only, for variety."""
        first = self.pick(name, options)
        rest = [option for option in options if option != first]
        ordered = [first, *sorted(rest, key=lambda option: self.number(f"{name}\x1f{option}"))]
        return [ordered[index % len(ordered)] for index in range(count)]

    def _rank(self, name: str, option: str) -> tuple[int, int]:
        said = words(option)
        return -2 * bool(said & self._wishes) - bool(said & self._reading), self.number(f"{name}\x1f{option}")


def words(text: str) -> frozenset[str]:
    """The words of ``text`` that carry meaning."""
    return frozenset(_WORD.findall(text.lower())) - frozenset(_COMMON.split())
