"""The embedding model that needs no network: WordLlama, a table with a vector for each token, in its wheel."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import wordllama

from .embeddings import DIMENSIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .embeddings import Vector

# Words whose tokens a process keeps, some 10 MB.
REMEMBERED = 50_000


class LocalModel:
    """A text's vector is the mean of its tokens'.

    The vocabulary has most words in lower case only and spells others in syllables, so ``cased`` texts are found
    worse; it stays for passages that were embedded so.
    """

    def __init__(self, *, cased: bool) -> None:
        package = Path(wordllama.__file__).parent
        self._model: Any = wordllama.WordLlama.load(cache_dir=package, disable_download=True, dim=DIMENSIONS)
        self._cased = cased
        # Words come again and again, and taking one apart costs twenty times as much as looking it up.
        self._tokens_of = lru_cache(REMEMBERED)(self._taken_apart)

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Needs no key and raises nothing."""
        spelt = list(texts) if self._cased else [text.lower() for text in texts]
        vectors: list[Vector] = self._model.embed(spelt, norm=True).tolist()
        return vectors

    def likeness(self, query: str, texts: Sequence[str]) -> list[float]:
        """How well each text has the like of each of the query's words, at most 1 (MaxSim; Khattab and Zaharia 2020).

        For each token of the query the cosine of the nearest token counts, by how much the former tells.
        """
        if not texts:
            return []
        asked, *told = map(self._tokens, (query, *texts))
        every, places = np.unique(np.concatenate(told), return_inverse=True)
        # The longer a token's vector, the more it tells, so the query's stay as they are. The table is not looked at as
        # a whole: pages that nobody has read take no memory.
        weighted = self._model.embedding[asked]
        weighted = weighted / (np.linalg.norm(weighted, axis=1).sum() or 1)
        likes = weighted @ self._directions(every).T
        ends = np.cumsum([len(tokens) for tokens in told])[:-1]
        return [float(likes[:, here].max(axis=1, initial=0).sum()) for here in np.split(places, ends)]

    def _tokens(self, text: str) -> NDArray[np.int64]:
        return np.fromiter((token for word in text.lower().split() for token in self._tokens_of(word)), np.int64)

    def _taken_apart(self, word: str) -> tuple[int, ...]:
        return tuple(self._model.tokenizer.encode(word, add_special_tokens=False).ids)

    def _directions(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        vectors = self._model.embedding[tokens]
        directions: NDArray[np.float32] = vectors / np.maximum(np.linalg.norm(vectors, axis=1), 1e-6)[:, None]
        return directions
