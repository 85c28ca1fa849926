"""What the source tree promises: no strays, and an example file that tells the truth."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from myloware import env

ROOT = Path(__file__).parents[2]
APPS = ("myloware", "access", "telegram_bot", "hitl", "runs", "personas", "knowledge", "providers")
SOURCES = [path for app in APPS for path in (ROOT / app).rglob("*.py") if "migrations" not in path.parts]


def test_the_example_of_settings_is_the_generated_one() -> None:
    assert (ROOT / ".env.example").read_text() == env.example()


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_lock_files_pin_by_hash_and_name_no_index(lock: str) -> None:
    text = (ROOT / lock).read_text()
    pins = re.findall(r"^\S+==\S+.*\\$", text, re.MULTILINE)
    assert len(pins) > 50
    assert text.count("--hash=sha256:") >= len(pins)
    assert "://" not in text


def test_no_file_is_called_utils() -> None:
    assert [path for path in SOURCES if path.stem in {"utils", "helpers", "common"}] == []


def test_functions_stay_short() -> None:
    lengths = sorted(
        (node.end_lineno or 0) - node.lineno + 1
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    )
    assert lengths[len(lengths) // 2] <= 9
    assert lengths[int(len(lengths) * 0.9)] <= 34
    assert lengths[-1] <= 60
