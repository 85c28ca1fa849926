"""Another embedding model: everything is found before, while and after the passages change over."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from django.core.management import CommandError, call_command
from pydantic import SecretStr

from knowledge import embeddings, reembed
from knowledge.models import Chunk
from knowledge.search import search
from myloware.simulators import simulators
from tests.myloware.conftest import Served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_django import Settings

REMOTE = "text-embedding-3-small"


@pytest.fixture
def openai(tmp_path: Path, settings: Settings) -> Iterator[None]:
    """OpenAI's stand-in behind a socket, and its key; the local model is still the chosen one."""
    settings.DATA_DIR = tmp_path
    served = Served(simulators(tiny=True))
    changed = {"openai_base_url": f"{served.url}/v1", "openai_api_key": SecretStr("sk-of-the-tests")}
    settings.KNOWLEDGE = settings.KNOWLEDGE.model_copy(update=changed)
    yield
    asked = embeddings._load(REMOTE)
    assert isinstance(asked, embeddings.OpenAiModel)
    asked._http.close()
    embeddings._load.cache_clear()
    served.stop()


def choose(settings: Settings, model: str) -> None:
    settings.KNOWLEDGE = settings.KNOWLEDGE.model_copy(update={"embeddings_model": model})


def first() -> str:
    return search(["whisper timing"])[0].path


def test_everything_is_found_all_the_time(
    shipped: Path, openai: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reembed, "BATCH", 100)
    choose(settings, REMOTE)
    assert first() == "craft/whisper-timing.md"
    found: list[str] = []
    total = Chunk.objects.count()
    assert reembed.reembed(lambda _: found.append(first())) == total
    assert found == ["craft/whisper-timing.md"] * -(-total // 100)
    assert set(Chunk.objects.values_list("embedding_model", flat=True)) == {REMOTE}
    assert reembed.reembed() == 0


def test_the_command_tells_what_it_would_do_and_did(shipped: Path, openai: None, settings: Settings) -> None:
    out = io.StringIO()
    choose(settings, REMOTE)
    call_command("kb_reembed", "--dry-run", stdout=out)
    assert f"would embed {Chunk.objects.count()} passages with {REMOTE}" in out.getvalue()
    assert not Chunk.objects.filter(embedding_model=REMOTE).exists()
    call_command("kb_reembed", stdout=out)
    assert not Chunk.objects.exclude(embedding_model=REMOTE).exists()


def test_the_command_says_which_key_is_missing(shipped: Path, settings: Settings) -> None:
    choose(settings, REMOTE)
    with pytest.raises(CommandError, match="OPENAI_API_KEY"):
        call_command("kb_reembed", stdout=io.StringIO())
