"""What every operation of the OpenAPI document has in common."""

from __future__ import annotations

from typing import Any

# As `myloware.kernel.requests.error_body` makes it.
_ERROR = {
    "type": "object",
    "description": "Why there is no answer. `code` is for programs, `message` for people.",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "requestId": {"type": "string", "description": "quote it when you report the error"},
                "detail": {"type": "object", "additionalProperties": {}},
            },
            "required": ["code", "message", "requestId"],
            "additionalProperties": False,
        }
    },
    "required": ["error"],
    "additionalProperties": False,
}


def describe_errors(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Post-processing hook of drf-spectacular: whatever is no success has the one shape of an error."""
    result["components"]["schemas"]["Error"] = _ERROR
    answer = {"schema": {"$ref": "#/components/schemas/Error"}}
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["default"] = {"description": "An error", "content": {"application/json": answer}}
    return result
