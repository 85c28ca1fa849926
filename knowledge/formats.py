"""File contents as titled Markdown: the one shape that is cut into passages."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from myloware.kernel.errors import InvalidInput

from .models import DocumentMetadata
from .pdf import read_pdf

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PDF = "application/pdf"
MAX_FRONT_MATTER_CHARS = 16_000

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*$\n?", re.DOTALL | re.MULTILINE)
_FIRST_HEADING = re.compile(r"^#[ \t]+(.+)$", re.MULTILINE)


class Text(BaseModel):
    """A readable document: its title, what it says about itself, and its body in Markdown."""

    model_config = ConfigDict(frozen=True)

    title: str
    metadata: DocumentMetadata
    body: str


class Header(BaseModel):
    """Front matter, or the same keys in JSON. Keys that mean nothing here are skipped."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True)

    title: str = Field("", max_length=200)
    tags: tuple[str, ...] = Field((), max_length=50)
    source: tuple[str, ...] = Field((), max_length=20)

    @field_validator("tags", "source", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value or ()

    @property
    def metadata(self) -> DocumentMetadata:
        return DocumentMetadata(tags=self.tags, sources=self.source)


def read(content: bytes, *, path: str, content_type: str) -> Text:
    """The document in ``content``. Raises ``InvalidInput`` whose message is the reason a person can act on."""
    try:
        header, body = _pdf(content) if content_type == PDF else READERS[content_type](_decoded(content))
        document = Text(title=header.title or _title(body, path), metadata=header.metadata, body=body)
        _check_storable(document)
    except UnicodeDecodeError as error:
        raise InvalidInput(f"not UTF-8: byte {error.start}") from error
    except RecursionError as error:
        raise InvalidInput("nested too deeply") from error
    return document


def _decoded(content: bytes) -> str:
    if b"\0" in content:
        raise InvalidInput("binary, not text")
    return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")


def _check_storable(document: Text) -> None:
    # JSON and YAML can spell what PostgreSQL cannot store: the character zero and halves of surrogate pairs.
    everything = "".join((document.title, document.body, *document.metadata.tags, *document.metadata.sources))
    if "\0" in everything:
        raise InvalidInput("holds the character zero")
    try:
        everything.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput("holds half of a surrogate pair") from error
    if not document.body.strip():
        raise InvalidInput("holds no text")


def _title(body: str, path: str) -> str:
    heading = _FIRST_HEADING.search(body)
    name = PurePosixPath(path).stem.replace("-", " ").replace("_", " ")
    return (heading[1].strip() if heading else name.capitalize())[:200]


def _markdown(text: str) -> tuple[Header, str]:
    match = _FRONT_MATTER.match(text)
    if match is None:
        if re.match(r"---[ \t]*\n", text):
            raise InvalidInput("front matter without its closing ---")
        return Header(), text
    return _header(_yaml(match[1])), text[match.end() :]


def _pdf(content: bytes) -> tuple[Header, str]:
    pdf = read_pdf(content)
    return Header(title=pdf.title), pdf.body


def _plain(text: str) -> tuple[Header, str]:
    return Header(), text


def _json(text: str) -> tuple[Header, str]:
    """``{"title"?, "tags"?, "source"?, "text"}`` holds Markdown in ``text``; else each key is a section."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"broken JSON: {error}") from error
    if isinstance(value, dict) and isinstance(value.get("text"), str):
        return _header(value), value["text"]
    if isinstance(value, dict):
        parts = {key: part for key, part in value.items() if key not in Header.model_fields}
        return _header(value), "\n\n".join(f"## {key}\n\n{_outline(part)}" for key, part in parts.items())
    return Header(), _outline(value)


def _outline(value: object) -> str:
    if isinstance(value, str):
        return value
    return str(yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=2**31))


def _yaml(text: str) -> object:
    if len(text) > MAX_FRONT_MATTER_CHARS:
        raise InvalidInput(f"front matter of {len(text):,} characters; it may have {MAX_FRONT_MATTER_CHARS:,}")
    try:
        return yaml.load(text, Loader=_FrontMatterLoader)  # noqa: S506  # a SafeLoader
    except (yaml.YAMLError, ValueError) as error:
        raise InvalidInput(f"broken front matter: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"{error.problem} (line {error.problem_mark.line + 2})"
    return str(error)


def _header(value: object) -> Header:
    if not isinstance(value, dict):
        if value is None:
            return Header()
        raise InvalidInput("broken front matter: not a list of keys and values")
    try:
        return Header.model_validate({str(key): part for key, part in value.items()})
    except ValidationError as error:
        faults = (f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors(include_input=False))
        raise InvalidInput(f"broken front matter: {'; '.join(faults)}") from error


class _FrontMatterLoader(yaml.SafeLoader):
    """Without aliases: a few lines of them can stand for gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed")
        return super().compose_node(parent, index)


READERS: Mapping[str, Callable[[str], tuple[Header, str]]] = {
    "text/markdown": _markdown,
    "application/json": _json,
    "text/plain": _plain,
}
