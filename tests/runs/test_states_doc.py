"""docs/states.md is what the tables say."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

from django.core.management import call_command

DOCS = Path(__file__).parents[2] / "docs"


def test_the_diagrams_are_up_to_date() -> None:
    printed = StringIO()
    call_command("state_diagram", stdout=printed)
    assert (DOCS / "states.md").read_text() == printed.getvalue()
