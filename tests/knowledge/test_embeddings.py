"""Vectors of one length from either model; errors of the remote one translated."""

from __future__ import annotations

import json
import math
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import stamina

from knowledge.config import KnowledgeSettings
from knowledge.embeddings import DIMENSIONS, MODELS, OpenAiModel, embed
from myloware.kernel.errors import Misconfigured, ProviderRefused, ProviderUnavailable


def remote(*statuses: int) -> tuple[OpenAiModel, list[httpx.Request]]:
    """The remote model in front of a service that answers with ``statuses`` in turn, and what reached it."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        status = statuses[min(len(seen), len(statuses) - 1)]
        seen.append(request)
        texts = json.loads(request.content)["input"]
        data = [{"index": index, "embedding": [float(len(text))]} for index, text in enumerate(texts)]
        return httpx.Response(status, json={"data": data[::-1]} if status == 200 else {"error": {"message": "no"}})

    return OpenAiModel(
        "text-embedding-3-small", "k-1", "https://api.openai.com/v1", transport=httpx.MockTransport(answer)
    ), seen


@pytest.mark.parametrize("model", ["wordllama-uncased", "wordllama"])
def test_the_local_model_gives_unit_vectors_that_know_meaning(model: str) -> None:
    candle, flame, tax = embed(["a burning candle", "the flame of a wick", "tax law"], model=model)
    assert len(candle) == DIMENSIONS
    assert math.isclose(math.hypot(*candle), 1, abs_tol=1e-3)
    assert math.dist(candle, flame) < math.dist(candle, tax) - 0.1


def test_capitals_change_nothing_but_for_the_older_local_model() -> None:
    for model, same in (("wordllama-uncased", True), ("wordllama", False)):
        small, large = embed(["does insurance cover it?", "Does Insurance Cover It?"], model=model)
        assert (small == large) is same


def test_the_local_model_is_loaded_once_for_all_threads() -> None:
    with ThreadPoolExecutor(8) as pool:
        vectors = list(pool.map(lambda _: embed(["light"], model="wordllama-uncased")[0], range(16)))
    assert all(vector == vectors[0] for vector in vectors)


def test_every_setting_has_its_model() -> None:
    (choices,) = [KnowledgeSettings.model_fields["embeddings_model"].annotation.__args__]  # type: ignore[union-attr]
    assert set(choices) == set(MODELS)


def test_the_remote_model_sends_the_documented_request_and_keeps_the_order() -> None:
    model, seen = remote(200)
    assert model.embed(["a", "bb", "ccc"]) == [[1.0], [2.0], [3.0]]
    assert seen[0].headers["Authorization"] == "Bearer k-1"
    assert set(seen[0].extensions["timeout"].values()) == {30}
    assert str(seen[0].url) == "https://api.openai.com/v1/embeddings"
    assert json.loads(seen[0].content) == {
        "model": "text-embedding-3-small",
        "input": ["a", "bb", "ccc"],
        "dimensions": 256,
        "encoding_format": "float",
    }


def test_the_remote_model_sends_many_texts_in_batches() -> None:
    model, seen = remote(200)
    assert len(model.embed(["x"] * (OpenAiModel.BATCH + 1))) == OpenAiModel.BATCH + 1
    assert len(seen) == 2


def test_the_remote_model_tries_again_when_it_is_busy_but_not_when_it_refuses() -> None:
    with stamina.set_testing(True, attempts=3):
        busy, seen = remote(429, 500, 200)
        assert busy.embed(["a"]) == [[1.0]]
        assert len(seen) == 3
        with pytest.raises(ProviderUnavailable):
            remote(500)[0].embed(["a"])
        refusing, seen = remote(401)
        with pytest.raises(ProviderRefused):
            refusing.embed(["a"])
        assert len(seen) == 1


def test_the_remote_model_needs_a_key() -> None:
    with pytest.raises(Misconfigured, match="OPENAI_API_KEY"):
        OpenAiModel("text-embedding-3-small", "", "https://api.openai.com/v1")
