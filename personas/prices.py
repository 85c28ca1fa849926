"""What chat models cost."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from functools import cache

log = logging.getLogger(__name__)

# What a stage is taken to use: a handful of calls, each with the whole conversation so far (our guess).
STAGE_INPUT_TOKENS, STAGE_OUTPUT_TOKENS = 40_000, 6_000


@dataclass(frozen=True)
class TokenPrice:
    """Micro-dollars per million tokens."""

    input: int
    output: int


# Services answer under the name of a version: gpt-5.5-2026-04-23, claude-haiku-4-5-20251001.
_VERSION = re.compile(r"-\d{4}-?\d{2}-?\d{2}$")
FREE = TokenPrice(0, 0)
# Standard rates without discounts for caching or batches, in the order of the vendors' pages: developers.openai.com
# (API pricing) and claude.com (pricing), as third parties quote them, read in November 2026.
PRICES = {
    "studio": FREE,
    "gpt-5.5": TokenPrice(5_000_000, 30_000_000),
    "gpt-5.4": TokenPrice(2_500_000, 15_000_000),
    "gpt-5.4-mini": TokenPrice(750_000, 4_500_000),
    "gpt-5.4-nano": TokenPrice(200_000, 1_250_000),
    "gpt-5": TokenPrice(1_250_000, 10_000_000),
    "gpt-5-mini": TokenPrice(250_000, 2_000_000),
    "gpt-4.1": TokenPrice(2_000_000, 8_000_000),
    "gpt-4.1-mini": TokenPrice(400_000, 1_600_000),
    "gpt-4o": TokenPrice(2_500_000, 10_000_000),
    "gpt-4o-mini": TokenPrice(150_000, 600_000),
    "claude-sonnet-4-5": TokenPrice(3_000_000, 15_000_000),
    "claude-haiku-4-5": TokenPrice(1_000_000, 5_000_000),
}


def tokens_microusd(model: str, input_tokens: int, output_tokens: int) -> int:
    """What so many tokens of a model, named as for ``init_chat_model``, cost in micro-dollars, rounded up."""
    price = _price(model)
    return -(-(input_tokens * price.input + output_tokens * price.output) // 1_000_000)


def stage_microusd(model: str) -> int:
    """What a stage of that model may cost, in micro-dollars."""
    return tokens_microusd(model, STAGE_INPUT_TOKENS, STAGE_OUTPUT_TOKENS)


def is_priced(model: str) -> bool:
    """Whether the price of a model is known."""
    return _plain(model) in PRICES


def _plain(model: str) -> str:
    return _VERSION.sub("", model.rpartition(":")[2])


@cache
def _price(model: str) -> TokenPrice:
    found = PRICES.get(_plain(model))
    if found is None:
        log.warning("no price is known for this model: its tokens count as free", extra={"model": model})
    return found or FREE
