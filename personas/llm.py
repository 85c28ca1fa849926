"""The one place where a chat model is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from .config import CrewSettings

# The client owns the retries of a model call; nothing above it repeats one.
TRANSPORT_RETRIES = 2


def chat_model(settings: CrewSettings, *, seed: int, persona: str = "") -> BaseChatModel:
    """The model that plays ``persona``. ``seed`` decides the offline model's choices."""
    return _model(settings.model_of(persona), settings, seed=seed)


def fallback_models(settings: CrewSettings, *, seed: int) -> list[BaseChatModel]:
    """Who is asked, in this order, when that one does not answer."""
    return [_model(name, settings, seed=seed) for name in settings.llm_fallbacks]


def _model(name: str, settings: CrewSettings, *, seed: int) -> BaseChatModel:
    """``studio``, the offline model, or any ``init_chat_model`` id."""
    if name == "studio":
        from .studio.model import StudioChatModel

        return StudioChatModel(seed=seed)
    from langchain.chat_models import init_chat_model

    return init_chat_model(
        name,
        temperature=settings.llm_temperature,
        timeout=settings.llm_timeout_s,
        max_retries=TRANSPORT_RETRIES,
    )
