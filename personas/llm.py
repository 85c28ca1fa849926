"""The one place where a chat model is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from .config import CrewSettings

# The client owns the retries of a model call; nothing above it repeats one.
TRANSPORT_RETRIES = 2


def chat_model(settings: CrewSettings, *, seed: int, persona: str = "") -> BaseChatModel:
    """The model that plays ``persona``. ``seed`` decides the offline model's choices."""
    return model_named(settings.model_of(persona), settings, seed=seed)


def fallback_models(settings: CrewSettings, *, seed: int) -> list[BaseChatModel]:
    """Who is asked, in this order, when that one does not answer."""
    return [model_named(name, settings, seed=seed) for name in settings.llm_fallbacks]


def model_named(name: str, settings: CrewSettings, *, seed: int, temperature: float | None = None) -> BaseChatModel:
    """``studio``, the offline model, or any ``init_chat_model`` id. ``temperature`` is the setting's when absent."""
    if name == "studio":
        from .studio.model import StudioChatModel

        return StudioChatModel(seed=seed)
    from langchain.chat_models import init_chat_model

    chosen = settings.llm_temperature if temperature is None else temperature
    sampling: dict[str, Any] = {} if chosen is None else {"temperature": chosen}
    model: BaseChatModel = init_chat_model(
        name, timeout=settings.llm_timeout_s, max_retries=TRANSPORT_RETRIES, **sampling
    )
    return model
