"""What every test has: files of its own. Tasks are not run in place; they wait in the session's own broker."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django.fixtures import Settings


@pytest.fixture(autouse=True)
def media_root(settings: Settings, tmp_path: Path) -> Path:
    """An empty media folder, for this test alone."""
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


def pytest_unconfigure() -> None:
    # The mock services' callbacks, which nobody here receives, are still being retried when pytest closes its streams.
    logging.disable()
