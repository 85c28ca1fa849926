"""Settings of the knowledge base."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from myloware.kernel.settings import Settings, Site


class KnowledgeSettings(Settings):
    """Knowledge base."""

    embeddings_model: Literal["wordllama-uncased", "wordllama", "text-embedding-3-small"] = Field(
        "wordllama-uncased",
        description="local `wordllama-uncased`, its older `wordllama`, or OpenAI's with 256 dimensions",
    )
    kb_rerank: bool = Field(True, description="compare the best passages with the query word by word, for their order")
    openai_base_url: Site = Field("https://api.openai.com/v1", description="where OpenAI's API, or one like it, is")
    openai_api_key: SecretStr = Field(SecretStr(""), description="OpenAI key, for live chat models and embeddings")
