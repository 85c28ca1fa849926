"""Embedding models: texts in, vectors of one length out.

Vectors of different models mean different things and must not be compared; whoever stores one stores the model's
name with it.
"""

from __future__ import annotations

import threading
from functools import cache, partial
from typing import TYPE_CHECKING, Protocol

import httpx
import stamina
from django.conf import settings

from myloware.kernel.errors import Misconfigured, ProviderRefused, ProviderUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .local import LocalModel

DIMENSIONS = 256

Vector = list[float]


class EmbeddingModel(Protocol):
    """Turns texts into vectors of length 1 with ``DIMENSIONS`` numbers; safe to call from several threads."""

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        """One vector per text, in order."""


class OpenAiModel:
    """OpenAI's embeddings endpoint (platform.openai.com/docs/api-reference/embeddings), shortened to ``DIMENSIONS``."""

    # The endpoint takes 2,048 texts and 300,000 tokens a call; our passages have at most a few hundred tokens.
    BATCH = 256

    def __init__(self, name: str, key: str, base_url: str, *, transport: httpx.BaseTransport | None = None) -> None:
        if not key:
            raise Misconfigured(
                f"EMBEDDINGS_MODEL={name} needs OPENAI_API_KEY; set it, or use EMBEDDINGS_MODEL=wordllama-uncased."
            )
        self.name = name
        self._url = f"{base_url.rstrip('/')}/embeddings"
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(headers=headers, timeout=30, transport=transport)

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Raises ``ProviderUnavailable`` after three attempts, ``ProviderRefused`` at once."""
        batches = [texts[start : start + self.BATCH] for start in range(0, len(texts), self.BATCH)]
        return [vector for batch in batches for vector in self._batch(batch)]

    @stamina.retry(on=ProviderUnavailable, attempts=3, timeout=60)
    def _batch(self, texts: Sequence[str]) -> list[Vector]:
        body = {"model": self.name, "input": list(texts), "dimensions": DIMENSIONS, "encoding_format": "float"}
        try:
            answer = self._http.post(self._url, json=body)
        except httpx.TransportError as error:
            raise ProviderUnavailable(
                f"OpenAI cannot be reached ({type(error).__name__}).", provider="openai"
            ) from error
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS or answer.is_server_error:
            raise ProviderUnavailable(f"OpenAI answered {answer.status_code}.", provider="openai")
        if not answer.is_success:
            raise ProviderRefused(
                f"OpenAI refused to embed: {answer.status_code}.", provider="openai", answer=answer.text[:300]
            )
        entries = sorted(answer.json()["data"], key=lambda entry: int(entry["index"]))
        return [entry["embedding"] for entry in entries]


def _openai() -> EmbeddingModel:
    chosen = settings.KNOWLEDGE
    return OpenAiModel("text-embedding-3-small", chosen.openai_api_key.get_secret_value(), chosen.openai_base_url)


@cache
def local(*, cased: bool = False) -> LocalModel:
    """The model that needs no network; loaded on first use, once per process."""
    # Importing it takes 0.3 s, which processes that never embed do not spend.
    from .local import LocalModel

    return LocalModel(cased=cased)


LOCAL: Mapping[str, Callable[[], EmbeddingModel]] = {
    "wordllama-uncased": local,
    "wordllama": partial(local, cased=True),
}
MODELS: Mapping[str, Callable[[], EmbeddingModel]] = {
    **LOCAL,
    "text-embedding-3-small": _openai,
}

_loading = threading.Lock()


def current_model() -> str:
    """Name of the model that new passages and queries are embedded with."""
    return str(settings.KNOWLEDGE.embeddings_model)


def readable_models() -> list[str]:
    """The current model, and others that passages are still embedded with and that can be asked."""
    from .models import Chunk

    current = current_model()
    others = (name for name in MODELS if name != current and Chunk.objects.filter(embedding_model=name).exists())
    return [current, *(name for name in others if _can_be_asked(name))]


def _can_be_asked(model: str) -> bool:
    return model in LOCAL or bool(settings.KNOWLEDGE.openai_api_key.get_secret_value())


def embed(texts: Sequence[str], *, model: str) -> list[Vector]:
    """One vector per text. Loads the model on first use, once per process. Raises ``Misconfigured`` without its key."""
    with _loading:
        loaded = _load(model)
    return loaded.embed(texts)


@cache
def _load(model: str) -> EmbeddingModel:
    return MODELS[model]()
