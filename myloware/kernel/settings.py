"""What groups of settings have in common."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Values of environment variables. An empty one, as in ``.env.example``, counts as not set."""

    model_config = SettingsConfigDict(env_ignore_empty=True)


def _site(url: str) -> str:
    try:
        place = urlsplit(url)
    except ValueError:
        place = urlsplit("")
    if url and not (place.scheme in {"http", "https"} and place.hostname):
        raise ValueError("write https://HOST")
    return url


Site = Annotated[str, AfterValidator(_site)]
"""A URL of http or https, or nothing."""
