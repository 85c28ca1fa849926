"""A document cut into passages along its headings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

# A section of a page or less stays whole; longer ones are cut between paragraphs, then sentences, then words.
MAX_CHARS = 1_200
OVERLAP_CHARS = 120

_FENCE = re.compile(r"[ \t]*(```|~~~)(?!.*\1)")
_HEADING = re.compile(r"(#{1,6})[ \t]+(.*?)[ \t]*#*$")


class Passage(NamedTuple):
    """A piece of a document. ``heading`` is the title and the headings above it, joined by " > "."""

    heading: str
    text: str

    @property
    def embedded(self) -> str:
        """What its vector stands for."""
        return f"{self.heading}\n{self.text}"


def cut(title: str, body: str) -> list[Passage]:
    """The passages of a Markdown body, in order; none is blank."""
    # Importing it takes 0.3 s, which a start without new documents does not spend.
    from langchain_text_splitters import Language, RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter.from_language(
        Language.MARKDOWN, chunk_size=MAX_CHARS, chunk_overlap=OVERLAP_CHARS
    )
    return [
        Passage(heading, piece)
        for heading, section in _sections(title, body)
        for piece in splitter.split_text(section)
        if piece.strip()
    ]


def _sections(title: str, body: str) -> Iterator[tuple[str, str]]:
    """(heading, text) for each heading. A first-level heading that repeats the title adds nothing."""
    above: dict[int, str] = {}
    lines: list[str] = []
    for line, heading in _lines(body):
        if heading is None:
            lines.append(line)
            continue
        yield _trail(title, above), "\n".join(lines)
        level, lines = len(heading[1]), []
        above = {upper: text for upper, text in above.items() if upper < level} | {level: heading[2]}
    yield _trail(title, above), "\n".join(lines)


def _lines(body: str) -> Iterator[tuple[str, re.Match[str] | None]]:
    """Each line with its heading, if it is one; nothing inside a fenced block is."""
    fence = ""
    for line in body.split("\n"):
        mark = _FENCE.match(line)
        if mark and fence in ("", mark[1]):
            fence = "" if fence else mark[1]
        yield line, None if fence or mark else _HEADING.match(line)


def _trail(title: str, above: dict[int, str]) -> str:
    return " > ".join(dict.fromkeys(filter(None, (title, *above.values()))))[:400]
