"""The part of HTML that the html asset may use, read into a tree."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser

from myloware.kernel.errors import UnprocessableInput
from providers.media.text.css import Element

# What each tag changes: sizes in those of its parent, margins in pixels as in Qt, whose HTML the service speaks.
INLINE: Mapping[str, Mapping[str, object]] = {
    "span": {},
    "b": {"weight": 700},
    "strong": {"weight": 700},
    "i": {"italic": True},
    "em": {"italic": True},
    "cite": {"italic": True},
    "u": {"decoration": "underline"},
    "s": {"decoration": "line-through"},
    "big": {"size": 1.25},
    "small": {"size": 0.8},
}
BLOCK: Mapping[str, Mapping[str, object]] = {
    "html": {},
    "body": {},
    "div": {},
    "center": {"align": "center"},
    "p": {"margin": (12, 0, 12, 0)},
    "h1": {"size": 2.0, "weight": 700, "margin": (18, 0, 12, 0)},
    "h2": {"size": 1.5, "weight": 700, "margin": (16, 0, 12, 0)},
    "h3": {"size": 1.17, "weight": 700, "margin": (14, 0, 12, 0)},
    "h4": {"size": 1.0, "weight": 700, "margin": (12, 0, 12, 0)},
    "h5": {"size": 0.83, "weight": 700, "margin": (12, 0, 4, 0)},
    "h6": {"size": 0.67, "weight": 700, "margin": (12, 0, 4, 0)},
}


DEEPEST = 50


@dataclass
class Node:
    """An element, and in it texts, line breaks and elements."""

    element: Element
    style: str = ""
    children: list[Node | str] = field(default_factory=list)

    @property
    def is_block(self) -> bool:
        """Whether it stands on lines of its own."""
        return self.element.tag in BLOCK


class _Reader(HTMLParser):
    """Builds the tree; a paragraph ends where the next block begins."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node(Element("body"))
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br":
            self._open[-1].children.append("\n")
            return
        if tag not in INLINE and tag not in BLOCK:
            known = ", ".join(["br", *BLOCK, *INLINE])
            raise UnprocessableInput(f"the tag <{tag}> is not known here; there are {known}", path="html")
        if len(self._open) > DEEPEST:
            raise UnprocessableInput(f"elements stand in each other deeper than {DEEPEST}", path="html")
        node = Node(*_described(tag, attrs))
        if node.is_block and self._open[-1].element.tag == "p":
            self._open.pop()
        self._open[-1].children.append(node)
        self._open.append(node)

    def handle_endtag(self, tag: str) -> None:
        tags = [node.element.tag for node in self._open[1:]]
        if tag in tags:
            del self._open[len(tags) - tags[::-1].index(tag) :]

    def handle_data(self, data: str) -> None:
        # A line break of the source is a blank; those of <br> are put in by the tag.
        self._open[-1].children.append(re.sub(r"[ \t\r\n\f]+", " ", data))


def _described(tag: str, attrs: Sequence[tuple[str, str | None]]) -> tuple[Element, str]:
    given = {name: value or "" for name, value in attrs}
    refused = [name for name in given if name not in {"class", "id", "style"} and not name.startswith("data-")]
    if refused:
        raise UnprocessableInput(
            f"the attribute {refused[0]} of <{tag}> is not known here; there are class, id, style", path="html"
        )
    return Element(tag, given.get("id", ""), frozenset(given.get("class", "").split())), given.get("style", "")


def tree(source: str) -> Node:
    """The body of a document. Raises UnprocessableInput for a tag or attribute that is not known."""
    reader = _Reader()
    reader.feed(source)
    reader.close()
    return reader.root
