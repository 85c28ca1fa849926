"""Keys of several people, and the projects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest
from django.core.cache import cache
from django.test import Client

from access.models import ApiKey
from tests.hitl.conftest import api, checkpoint_pools, media, projects, visitor

if TYPE_CHECKING:
    from pytest_django import Settings

__all__ = ["api", "checkpoint_pools", "media", "projects", "visitor"]


class KeyOf(Protocol):
    def __call__(self, name: str, *scopes: str, owner: str = ...) -> Client: ...


@pytest.fixture
def key_of(settings: Settings) -> KeyOf:
    """A client with a key of its own."""
    cache.clear()

    def make(name: str, *scopes: str, owner: str = "") -> Client:
        return Client(
            headers={"X-API-Key": ApiKey.make(name, scopes, owner=owner or name)[1]}, enforce_csrf_checks=True
        )

    return make
