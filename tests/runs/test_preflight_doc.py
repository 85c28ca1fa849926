"""docs/preflight.md is what the rules say, and the rules are such that they can be used."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from django.core.management import call_command

from providers.media.preflight import rules
from runs.checks import check_rules

if TYPE_CHECKING:
    import pytest

DOCS = Path(__file__).parents[2] / "docs"


def test_the_tables_are_up_to_date() -> None:
    printed = StringIO()
    call_command("preflight_rules", stdout=printed)
    assert printed.getvalue() in (DOCS / "preflight.md").read_text()


def test_a_file_that_cannot_be_used_stops_the_system_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check_rules() == []
    rules.rules_of.cache_clear()
    (tmp_path / "myspace.json").write_text('{"platform": "myspace", "version": "2026-01-01", "rules": []}')
    (tmp_path / "orkut.json").write_text((rules.FOLDER / "film.json").read_text())
    monkeypatch.setattr(rules, "FOLDER", tmp_path)
    messages = [str(error.msg) for error in check_rules()]
    assert [message.partition(":")[0] for message in messages] == ["myspace.json", "orkut.json"]
    assert "at least 1 item" in messages[0]
    assert "holds the rules of 'film'" in messages[1]
