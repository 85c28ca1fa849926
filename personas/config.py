"""Settings of the crew."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from myloware.kernel.settings import Settings


class CrewSettings(Settings):
    """Crew."""

    llm_model: str = Field(
        "studio",
        description="chat model: `studio` (offline, deterministic) or any init_chat_model id, e.g. openai:gpt-5.5",
    )
    llm_models: dict[str, str] = Field(
        {}, description='other chat models for some of the crew, as JSON: {"quinn": "openai:gpt-5-mini"}'
    )
    llm_fallbacks: tuple[str, ...] = Field(
        (), description='chat models to ask, in this order, when one does not answer, as JSON: ["openai:gpt-5-mini"]'
    )
    llm_temperature: float | None = Field(
        None, ge=0, le=2, description="sampling temperature of live models; empty: the model's own (some take no other)"
    )
    llm_timeout_s: float = Field(120, gt=0, le=600, description="time limit of one model call, in seconds")
    judge_model: str = Field(
        "", description="chat model that marks the crew's work in `evals run`, as LLM_MODEL; empty: checks alone"
    )
    langsmith_api_key: SecretStr = Field(SecretStr(""), description="LangSmith key; empty: no traces leave")
    langsmith_endpoint: str = Field(
        "https://api.smith.langchain.com",
        pattern=r"^(https://|http://(127\.0\.0\.1|localhost)(:\d+)?(/|$))",
        description="where LangSmith is: https, or this machine",
    )
    langsmith_project: str = Field("myloware", description="LangSmith project that traces go into")
    langsmith_sample_rate: float = Field(
        0.1, ge=0, le=1, description="share of runs that are traced, 0-1; stages that fail are traced in any case"
    )
    persona_allowlist_mode: Literal["fail_fast", "memory_fallback"] = Field(
        "fail_fast", description="a missing tool allowlist stops the stage, or leaves it memory_search only"
    )

    def model_of(self, persona: str) -> str:
        """The id of the chat model that plays ``persona``."""
        return self.llm_models.get(persona, self.llm_model)
