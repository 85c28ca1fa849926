"""What a service answers, read as what it should be."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from myloware.kernel.errors import ProviderUnavailable


class Answer(BaseModel):
    """Of a service's: it may say more than we read."""

    model_config = ConfigDict(extra="ignore", frozen=True)


Kind = TypeVar("Kind", bound=Answer)


def read(kind: type[Kind], content: Any, *, who: str) -> Kind:
    """``content`` as a ``kind``. Raises ``ProviderUnavailable`` when it is none: it can be asked for again."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(map(str, fault["loc"])) or "all of it"
        raise ProviderUnavailable(f"{who}'s answer cannot be read: {place}: {fault['msg']}", provider=who) from error


def page(url: str | None) -> str:
    """A URL that people may be led to; empty when it is none."""
    return url if url and url.startswith(("https://", "http://")) else ""
