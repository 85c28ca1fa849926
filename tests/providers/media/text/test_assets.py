"""The models against the service's own schema, which is shipped for checking edits before they are sent."""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from providers.media.text import (
    CaptionAsset,
    HtmlAsset,
    RichCaptionAsset,
    RichTextAsset,
    ShapeAsset,
    StillAsset,
    TextAsset,
    TitleAsset,
)

SCHEMA = json.loads((Path(__file__).parents[4] / "providers" / "shotstack" / "edit.schema.json").read_text("utf-8"))
MODELS = (CaptionAsset, HtmlAsset, RichCaptionAsset, RichTextAsset, ShapeAsset, TextAsset, TitleAsset)


def _resolved(node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node or "allOf" in node:
        node = node["allOf"][0] if "allOf" in node else _at(node["$ref"])
    for choice in node.get("oneOf", node.get("anyOf", [])):
        if "properties" in _resolved(choice):
            return _resolved(choice)
    return node


def _at(pointer: str) -> dict[str, Any]:
    node: Any = SCHEMA
    for step in pointer.removeprefix("#/").split("/"):
        node = node[int(step)] if isinstance(node, list) else node[step]
    return dict(node)


def _parts(model: type[BaseModel], node: dict[str, Any]) -> Iterator[tuple[type[BaseModel], dict[str, Any]]]:
    node = _resolved(node)
    yield model, node
    for name, field in model.model_fields.items():
        for inner in _models_in(field.annotation):
            part = _resolved(node["properties"][name])
            yield from _parts(inner, _resolved(part["items"]) if "items" in part else part)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _models_in(argument)


PARTS = {part[0].__name__: part for model in MODELS for part in _parts(model, SCHEMA["$defs"][model.__name__])}


def _fields(model: type[BaseModel], node: dict[str, Any]) -> Iterator[tuple[str, TypeAdapter[Any], dict[str, Any]]]:
    for name, field in model.model_fields.items():
        annotation: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        yield name, TypeAdapter(annotation), node["properties"][name]


def _accepts(adapter: TypeAdapter[Any], value: Any) -> bool:
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("part", PARTS)
def test_every_property_of_the_schema_is_known_and_no_other(part: str) -> None:
    model, node = PARTS[part]
    assert set(model.model_fields) == set(node["properties"])
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    assert required == set(node.get("required", []))
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        model.model_validate({"glow": 1})


@pytest.mark.parametrize("part", PARTS)
def test_the_values_of_enums_are_those_of_the_schema(part: str) -> None:
    for name, adapter, field in _fields(*PARTS[part]):
        for value in field.get("enum", []):
            assert _accepts(adapter, value), (name, value)
        if "enum" in field:
            assert not _accepts(adapter, "sideways"), name


@pytest.mark.parametrize("part", PARTS)
def test_ranges_end_where_those_of_the_schema_end(part: str) -> None:
    for name, adapter, field in _fields(*PARTS[part]):
        ends = [(field[end], away) for end, away in (("minimum", -1), ("maximum", 1)) if end in field]
        for value, away in ends:
            assert _accepts(adapter, value), (name, value)
            assert not _accepts(adapter, value + away), (name, value + away)


@pytest.mark.parametrize("part", PARTS)
def test_defaults_are_those_of_the_schema(part: str) -> None:
    for name, adapter, field in _fields(*PARTS[part]):
        default = PARTS[part][0].model_fields[name].default
        if "default" in field and name not in PARTS[part][1].get("required", []):
            assert default == adapter.validate_python(field["default"]), name


def test_numbers_may_be_text_and_sizes_have_fractions() -> None:
    asset = HtmlAsset.model_validate({"type": "html", "html": "", "width": 4.0156, "height": "16.6"})
    assert (asset.width, asset.height) == (4, 17)
    font = RichTextAsset.model_validate(
        {"type": "rich-text", "text": "", "font": {"size": "48", "opacity": "0.5"}}
    ).font
    assert (font.size, font.opacity) == (48, 0.5)


@pytest.mark.parametrize(
    ("given", "weight"), [("bold", 700), ("400", 400), ("Extra Bold", 800), ("semi-bold", 600), (250, 250)]
)
def test_weights_have_names_and_numbers(given: Any, weight: int) -> None:
    assert (
        RichTextAsset.model_validate({"type": "rich-text", "text": "", "font": {"weight": given}}).font.weight == weight
    )


def test_one_padding_stands_for_all_sides() -> None:
    padding = RichTextAsset.model_validate({"type": "rich-text", "text": "", "padding": "7"}).padding
    assert set(padding.model_dump().values()) == {7}


def test_the_type_decides_which_asset_it_is() -> None:
    told_apart: TypeAdapter[StillAsset] = TypeAdapter(Annotated[StillAsset, Field(discriminator="type")])
    assert isinstance(told_apart.validate_python({"type": "title", "text": "pear"}), TitleAsset)
    with pytest.raises(ValidationError) as caught:
        told_apart.validate_python({"type": "rich-text", "text": "pear", "font": {"size": 501}})
    assert [error["loc"] for error in caught.value.errors()] == [("rich-text", "font", "size")]
