"""What Shotstack takes for an Edit: its own JSON schema, after merging.

The schema is Shotstack's, version 1.18.3; see NOTICE.
"""

from __future__ import annotations

import json
import math
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema

from providers.media.merge import merged

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from jsonschema.exceptions import ValidationError

JSON = dict[str, Any]
SCHEMA = Path(__file__).with_name("edit.schema.json")
# Of the service's presets, at 16:9.
HEIGHT_PX = {"preview": 288, "mobile": 360, "sd": 576, "hd": 720, "1080": 1080, "4k": 2160}
NUMBER = re.compile(r"-?\d+(\.\d+)?")


def faults(edit: JSON) -> list[JSON]:
    """Where an Edit is not one, as ``{"message", "path"}``; empty when Shotstack will take it."""
    seen = merged(edit)
    found = list(_validator().iter_errors(seen))
    for path in {tuple(leaf.absolute_path) for leaf in _leaves(found) if _is_number_as_text(leaf)}:
        _coerce(seen, path)
    return [{"message": fault.message, "path": fault.json_path} for fault in _validator().iter_errors(seen)]


def length_s(edit: Mapping[str, Any]) -> float:
    """Where the last clip of an Edit ends; 0 when that is not said in numbers."""
    try:
        clips = [clip for track in edit["timeline"]["tracks"] for clip in track["clips"]]
        end_s = max(float(clip["start"]) + float(clip["length"]) for clip in clips)
    except (KeyError, TypeError, ValueError):
        return 0
    return max(end_s, 0) if math.isfinite(end_s) else 0


def fps(edit: Mapping[str, Any]) -> float:
    """Frames a second of the film."""
    told = (edit.get("output") or {}).get("fps")
    return float(told) if told else 25.0


def pixels(edit: Mapping[str, Any]) -> int:
    """How many a frame has, about."""
    output = edit.get("output") or {}
    size = output.get("size") or {}
    if size.get("width") and size.get("height"):
        return int(size["width"]) * int(size["height"])
    return round(HEIGHT_PX.get(str(output.get("resolution")), 1080) ** 2 * 16 / 9)


def sources(edit: Any) -> Iterator[str]:
    """Every file that an Edit names, in whatever place; some more than once."""
    values = edit.values() if isinstance(edit, dict) else edit if isinstance(edit, list) else ()
    for value in values:
        yield from sources(value)
    if isinstance(edit, dict) and isinstance(edit.get("src"), str):
        yield edit["src"]


@cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))


def _leaves(found: Iterable[ValidationError]) -> Iterator[ValidationError]:
    for fault in found:
        yield fault
        yield from _leaves(fault.context or ())


def _is_number_as_text(fault: ValidationError) -> bool:
    wants_number = fault.validator == "type" and fault.validator_value in {"number", "integer"}
    return wants_number and isinstance(fault.instance, str) and bool(NUMBER.fullmatch(fault.instance))


def _coerce(edit: Any, path: tuple[str | int, ...]) -> None:
    """The service takes numbers that are written as text."""
    *way, last = path
    for step in way:
        edit = edit[step]
    edit[last] = float(edit[last]) if "." in edit[last] else int(edit[last])
