"""Evaluation datasets in LangSmith."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langsmith import Client
from langsmith.utils import LangSmithError
from requests import RequestException

from myloware.kernel.errors import ProviderUnavailable

from .traces import TIMEOUT_MS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .config import CrewSettings


def upload(name: str, description: str, examples: Sequence[dict[str, Any]], *, settings: CrewSettings) -> int:
    """How many examples were uploaded: none when there is a dataset of that name, for a version never changes.

    ``examples`` are ``{inputs, reference_outputs?, metadata}``. Raises ``ProviderUnavailable``.
    """
    client = Client(
        api_url=settings.langsmith_endpoint,
        api_key=settings.langsmith_api_key.get_secret_value(),
        timeout_ms=TIMEOUT_MS,
        # Without the thread that waits for spans.
        auto_batch_tracing=False,
        info={},
    )
    try:
        if client.has_dataset(dataset_name=name):
            return 0
        made = client.create_dataset(name, description=description)
        client.create_examples(dataset_id=made.id, examples=list(examples))
    except (LangSmithError, RequestException) as error:
        raise ProviderUnavailable(
            f"LangSmith did not take the dataset {name} ({type(error).__name__}). Delete it there, if it is there, and "
            "run this again."
        ) from error
    return len(examples)
