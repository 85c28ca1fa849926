"""The part of CSS that the html asset may use: simple selectors and properties of text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import tinycss2
from tinycss2 import ast
from tinycss2.color4 import parse_color

from myloware.kernel.errors import UnprocessableInput
from providers.media.text.assets import Horizontal, Transform
from providers.media.text.colours import CLEAR, Rgba
from providers.media.text.fonts import WEIGHTS
from providers.media.text.shaping import Decoration

Sides = tuple[float, float, float, float]


@dataclass(frozen=True)
class Style:
    """What the properties of an element amount to. Margin, padding and background are its own, all else is inherited.

    Family, size and colour of the text around all elements are those of the service's studio.
    """

    family: tuple[str, ...] = ("Open Sans",)
    size_px: float = 32
    parent_px: float = 32
    weight: int = 400
    italic: bool = False
    colour: Rgba = (255, 255, 255, 255)
    align: Horizontal = "center"
    line_height: float = 1.2
    letter_px: float = 0
    word_px: float = 0
    transform: Transform = "none"
    decoration: Decoration = "none"
    background: Rgba = CLEAR
    padding: Sides = (0, 0, 0, 0)
    margin: Sides = (0, 0, 0, 0)

    def child(self) -> Style:
        """What a child begins with."""
        return replace(self, parent_px=self.size_px, background=CLEAR, padding=(0, 0, 0, 0), margin=(0, 0, 0, 0))


@dataclass(frozen=True)
class Element:
    """What selectors look at."""

    tag: str
    id: str = ""
    classes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Selector:
    """A compound of a tag, ids and classes; all that are given have to match."""

    tag: str = ""
    ids: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()

    def matches(self, element: Element) -> bool:
        """Whether it means the element."""
        return self.tag in {"", element.tag} and self.ids <= {element.id} and self.classes <= element.classes

    @property
    def rank(self) -> tuple[int, int, int]:
        """Its specificity."""
        return len(self.ids), len(self.classes), bool(self.tag)


Declarations = tuple[tuple[str, tuple[Any, ...]], ...]


@dataclass(frozen=True)
class Sheet:
    """Rules in their order."""

    rules: tuple[tuple[Selector, Declarations], ...] = field(default=())

    def applied(self, style: Style, element: Element) -> Style:
        """The style with every rule that means the element, the weakest first."""
        meant = [rule for rule in self.rules if rule[0].matches(element)]
        for _, declarations in sorted(meant, key=lambda rule: rule[0].rank):
            style = declared(style, declarations, path="css")
        return style


def sheet(source: str) -> Sheet:
    """Reads a style sheet. Raises UnprocessableInput, naming what it does not know."""
    rules: list[tuple[Selector, Declarations]] = []
    for rule in tinycss2.parse_stylesheet(source, skip_comments=True, skip_whitespace=True):
        if isinstance(rule, ast.AtRule):
            raise _refused(f"@{rule.at_keyword} rules are not known here; leave it out", "css")
        if not isinstance(rule, ast.QualifiedRule):
            raise _refused(f"cannot be read: {rule.message}", "css")
        declarations = declarations_of(rule.content, path="css")
        # A value that is not known is refused even when no element has it.
        declared(Style(), declarations, path="css")
        rules += [(selector, declarations) for selector in _selectors(rule.prelude)]
    return Sheet(tuple(rules))


def declarations_of(source: Any, *, path: str) -> Declarations:
    """Properties and the tokens of their values."""
    found = []
    for item in tinycss2.parse_blocks_contents(source, skip_comments=True, skip_whitespace=True):
        if not isinstance(item, ast.Declaration):
            raise _refused(f"cannot be read: {getattr(item, 'message', item.type)}", path)
        tokens = tuple(token for token in item.value if token.type not in {"whitespace", "comment"})
        found.append((item.lower_name, tokens))
    return tuple(found)


def declared(style: Style, declarations: Declarations, *, path: str) -> Style:
    """The style changed by declarations. Raises UnprocessableInput for a property or value that is not known."""
    # Other lengths may be measured in the size that the same rule sets.
    for name, tokens in sorted(declarations, key=lambda one: one[0] != "font-size"):
        if name not in _PROPERTIES:
            known = ", ".join(sorted(_PROPERTIES))
            raise _refused(f"the property {name} is not known here; there are {known}", path)
        changes = _PROPERTIES[name](tokens, style)
        if changes is None:
            value = tinycss2.serialize(tokens)
            raise _refused(f"the value {value!r} of {name} is not known here; see docs/text.md", path)
        style = replace(style, **changes)
    return style


def _refused(message: str, path: str) -> UnprocessableInput:
    return UnprocessableInput(message, path=path)


def _selectors(prelude: list[ast.Node]) -> Iterator[Selector]:
    for part in tinycss2.serialize(prelude).split(","):
        yield _selector(part.strip())


def _selector(text: str) -> Selector:
    if not text:
        raise _refused("a selector is missing before { or beside a comma", "css")
    selector, tokens = Selector(), iter(tinycss2.parse_component_value_list(text))
    for token in tokens:
        following = next(tokens, None) if token.type == "literal" and token.value == "." else None
        if token.type == "ident" and selector == Selector():
            selector = replace(selector, tag=token.lower_value)
        elif token.type == "hash":
            selector = replace(selector, ids=selector.ids | {token.value})
        elif following is not None and following.type == "ident":
            selector = replace(selector, classes=selector.classes | {following.value})
        elif text != "*":
            raise _refused(f"the selector {text!r} is not known here; use a tag, .class or #id", "css")
    return selector


Change = dict[str, Any] | None


def _px(token: Any, em_px: float, least: float = float("-inf")) -> float | None:
    """A length in pixels: px, em, or 0."""
    length = None
    if token.type == "dimension" and token.lower_unit in {"px", "em"}:
        length = float(token.value) * (em_px if token.lower_unit == "em" else 1)
    elif token.type == "number" and token.value == 0:
        length = 0.0
    return length if length is not None and length >= least else None


def _length(name: str, *, least: float = float("-inf")) -> Callable[..., Change]:
    def read(tokens: tuple[Any, ...], style: Style) -> Change:
        if len(tokens) == 1 and getattr(tokens[0], "lower_value", "") == "normal":
            return {name: 0.0}
        length = _px(tokens[0], style.size_px, least) if len(tokens) == 1 else None
        return None if length is None else {name: length}

    return read


def _size(tokens: tuple[Any, ...], style: Style) -> Change:
    length = _px(tokens[0], style.parent_px) if len(tokens) == 1 else None
    if len(tokens) == 1 and tokens[0].type == "percentage":
        length = style.parent_px * tokens[0].value / 100
    return {"size_px": length} if length is not None and 1 <= length <= 4096 else None


def _line_height(tokens: tuple[Any, ...], style: Style) -> Change:
    token = tokens[0] if len(tokens) == 1 else None
    if token is None or getattr(token, "lower_value", "") == "normal":
        return {"line_height": Style.line_height} if token else None
    if token.type in {"number", "percentage"}:
        share = token.value / (100 if token.type == "percentage" else 1)
    else:
        share = (_px(token, style.size_px) or 0) / style.size_px
    return {"line_height": share} if 0 < share <= 10 else None


def _sides(name: str, *, least: float = float("-inf")) -> Callable[..., Change]:
    def read(tokens: tuple[Any, ...], style: Style) -> Change:
        lengths = [_px(token, style.size_px, least) for token in tokens]
        order = {1: (0, 0, 0, 0), 2: (0, 1, 0, 1), 3: (0, 1, 2, 1), 4: (0, 1, 2, 3)}.get(len(lengths))
        return None if order is None or None in lengths else {name: tuple(lengths[i] for i in order)}

    return read


def _side(name: str, index: int, *, least: float = float("-inf")) -> Callable[..., Change]:
    def read(tokens: tuple[Any, ...], style: Style) -> Change:
        length = _px(tokens[0], style.size_px, least) if len(tokens) == 1 else None
        sides = list(getattr(style, name))
        sides[index] = length
        return None if length is None else {name: tuple(sides)}

    return read


def _colour(name: str) -> Callable[..., Change]:
    def read(tokens: tuple[Any, ...], style: Style) -> Change:
        colour = parse_color(tokens[0]) if len(tokens) == 1 else None
        if colour == "currentcolor":
            return {name: style.colour}
        if colour is None:
            return None
        red, green, blue, alpha = colour.to("srgb")
        return {name: tuple(round(min(max(part, 0), 1) * 255) for part in (red, green, blue, alpha))}

    return read


def _word(name: str, values: Mapping[str, Any]) -> Callable[..., Change]:
    def read(tokens: tuple[Any, ...], style: Style) -> Change:
        value = getattr(tokens[0], "lower_value", "") if len(tokens) == 1 else ""
        return {name: values[value]} if value in values else None

    return read


def _weight(tokens: tuple[Any, ...], style: Style) -> Change:
    token = tokens[0] if len(tokens) == 1 else None
    if token is not None and token.type == "number" and 1 <= token.value <= 1000:
        return {"weight": round(token.value)}
    relative = {"bolder": max(700, style.weight), "lighter": min(300, style.weight)}
    weight = {**WEIGHTS, **relative}.get(getattr(token, "lower_value", "").replace("-", ""))
    return {"weight": weight} if weight else None


def _family(tokens: tuple[Any, ...], style: Style) -> Change:
    names: list[list[str]] = [[]]
    for token in tokens:
        if token.type == "literal" and token.value == ",":
            names.append([])
        elif token.type in {"ident", "string"}:
            names[-1].append(token.value)
        else:
            return None
    return {"family": tuple(" ".join(name) for name in names)} if all(names) else None


def _same(values: Iterable[str]) -> dict[str, str]:
    return {value: value for value in values}


_SIDES = ("top", "right", "bottom", "left")
_PROPERTIES: Mapping[str, Callable[[tuple[Any, ...], Style], Change]] = {
    "background": _colour("background"),
    "background-color": _colour("background"),
    "color": _colour("colour"),
    "font-family": _family,
    "font-size": _size,
    "font-style": _word("italic", {"normal": False, "italic": True, "oblique": True}),
    "font-weight": _weight,
    "letter-spacing": _length("letter_px"),
    "line-height": _line_height,
    "margin": _sides("margin"),
    "padding": _sides("padding", least=0),
    "text-align": _word("align", _same(("left", "center", "right"))),
    "text-decoration": _word("decoration", _same(("none", "underline", "line-through"))),
    "text-transform": _word("transform", _same(("none", "uppercase", "lowercase", "capitalize"))),
    "word-spacing": _length("word_px", least=0),
    **{f"margin-{side}": _side("margin", i) for i, side in enumerate(_SIDES)},
    **{f"padding-{side}": _side("padding", i, least=0) for i, side in enumerate(_SIDES)},
}
