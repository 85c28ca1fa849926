"""The one place where a chat model is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from .config import CrewSettings

# The client owns the retries of a model call; nothing above it repeats one.
TRANSPORT_RETRIES = 2


def chat_model(settings: CrewSettings, *, seed: int) -> BaseChatModel:
    """``studio``, the offline model, or any ``init_chat_model`` id. ``seed`` decides the offline model's choices."""
    if settings.llm_model == "studio":
        from .studio.model import StudioChatModel

        return StudioChatModel(seed=seed)
    from langchain.chat_models import init_chat_model

    return init_chat_model(
        settings.llm_model,
        temperature=settings.llm_temperature,
        timeout=settings.llm_timeout_s,
        max_retries=TRANSPORT_RETRIES,
    )
