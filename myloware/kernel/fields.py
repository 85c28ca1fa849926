"""A JSON column whose value is a pydantic model."""

from __future__ import annotations

from typing import Any

from django.db import models
from pydantic import BaseModel


class SchemaField(models.JSONField):
    """Stores ``schema`` instances as JSON; reads give instances back.

    ``schema`` is a pydantic model class; unknown keys or wrong types raise ``pydantic.ValidationError`` on
    write and on read, so a row cannot hold a shape the code does not know.
    """

    def __init__(self, *args: Any, schema: type[BaseModel] | None = None, **kwargs: Any) -> None:
        # Only the copies that migrations make have no schema: their state is a plain JSONField.
        self.schema = schema
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        name, _path, args, kwargs = super().deconstruct()
        # Migrations see a plain JSONField: the schema lives in code and may move.
        return name, "django.db.models.JSONField", args, kwargs

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> BaseModel | None:
        raw = super().from_db_value(value, expression, connection)
        return None if raw is None else self._shape.model_validate(raw)

    def to_python(self, value: Any) -> BaseModel | None:
        if value is None or isinstance(value, self._shape):
            return value
        return self._shape.model_validate(super().to_python(value))

    def get_prep_value(self, value: Any) -> Any:
        return super().get_prep_value(self._plain(value))

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return super().get_db_prep_value(self._plain(value), connection, prepared)

    def value_to_string(self, obj: models.Model) -> Any:
        return self._plain(self.value_from_object(obj))

    def value_from_object(self, obj: models.Model) -> Any:
        # Forms and serialisers want JSON, not the instance.
        return self._plain(super().value_from_object(obj))

    def _plain(self, value: Any) -> Any:
        if isinstance(value, BaseModel):
            return value.model_dump(mode="json")
        if isinstance(value, dict):
            return self._shape.model_validate(value).model_dump(mode="json")
        return value

    @property
    def _shape(self) -> type[BaseModel]:
        if self.schema is None:
            raise TypeError(f"{self} has no schema")
        return self.schema
