"""An Edit's merge fields."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

JSON = dict[str, Any]
PLACEHOLDER = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")


def merged(edit: JSON) -> JSON:
    """The Edit with its merge fields filled in; a placeholder that is the whole value keeps its replacement's type."""
    fields = edit.get("merge")
    if not isinstance(fields, list):
        return json.loads(json.dumps(edit))  # type: ignore[no-any-return]
    whole = (each for each in fields if isinstance(each, dict) and {"find", "replace"} <= each.keys())
    values = {str(each["find"]): each["replace"] for each in whole}
    kept = {key: _filled(value, values) for key, value in edit.items() if key != "merge"}
    return kept | {"merge": fields}


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(each, values) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, values) for each in value]
    if not isinstance(value, str):
        return value
    whole = PLACEHOLDER.fullmatch(value)
    if whole and whole[1] in values:
        return values[whole[1]]
    return PLACEHOLDER.sub(lambda found: str(values.get(found[1], found[0])), value)
