"""What a whole system needs around it."""

from __future__ import annotations

from tests.myloware.conftest import projects, served  # noqa: F401
from tests.providers.live import live  # noqa: F401
