"""Which texts say nearly the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .embeddings import current_model, embed

if TYPE_CHECKING:
    from collections.abc import Sequence


def alike(texts: Sequence[str], known: Sequence[str], *, limit: float) -> list[tuple[str, str, float]]:
    """Pairs of a text and another, or a known one, with a cosine similarity above ``limit``; nearest first."""
    # Only who compares pays for NumPy.
    import numpy as np

    every = [*texts, *known]
    vectors = np.array(embed(every, model=current_model()))
    # Each pair once: a text with those behind it.
    likeness = np.triu(vectors[: len(texts)] @ vectors.T, k=1)
    pairs = [(every[one], every[other], float(likeness[one, other])) for one, other in np.argwhere(likeness > limit)]
    return sorted(pairs, key=lambda pair: -pair[2])
