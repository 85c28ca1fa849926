"""What every test of the people in the loop needs: the projects, and a mailbox of our own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command
from django.test import Client

from personas import checkpoints
from runs.crew import conninfo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_django import Settings


@pytest.fixture(scope="session", autouse=True)
def checkpoint_pools(django_db_setup: None) -> Iterator[None]:
    """The crew's own connections would keep the test database from being dropped."""
    yield
    checkpoints.close(conninfo())


@pytest.fixture(autouse=True)
def projects(db: None) -> None:
    call_command("load_projects", verbosity=0)


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def visitor() -> Client:
    """Somebody with a link and nothing else: no key, no login; the CSRF check is on as in production."""
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def api(settings: Settings) -> Client:
    """The holder of the API key."""
    settings.API_KEY = "key-of-the-tests"
    return Client(headers={"X-API-Key": settings.API_KEY}, enforce_csrf_checks=True)
