"""An OpenAI-compatible endpoint on this machine: chat completions by the offline crew, embeddings by a local model.

https://platform.openai.com/docs/api-reference
"""

from __future__ import annotations

import base64
import json
import re
import time
import uuid
from typing import TYPE_CHECKING, Any, ClassVar

import httpx
import numpy as np

from knowledge.embeddings import local
from providers.callbacks import body_json
from providers.simulator import JSON, Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from langchain_core.messages import BaseMessage

EMBEDDING_SIZES = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}
CHAT_MODELS = ("gpt-5", "gpt-5-mini", "gpt-4.1", "gpt-4.1-mini", "gpt-4o", "gpt-4o-mini")
CHARACTERS_PER_TOKEN = 4
# Between two pieces of a stream.
TOKEN_S = 0.01
BREAKS_AFTER = 3


class OpenAiSimulator(Simulator):
    """Chat completions, embeddings and the list of models. Any key is taken."""

    name = "openai"
    hosts = frozenset({"api.openai.com"})
    callback_delays_s = ()
    faults: ClassVar[Mapping[str, str]] = {
        "bad_key": "401: the key is refused",
        "rate_limited": "429 with Retry-After",
        "no_quota": "429: the account has no money left",
        "server_error": "500",
        "too_long": "400: the conversation is longer than the model takes",
        "breaks_off": "a stream ends in the middle of the answer",
    }

    def routes(self) -> dict[str, Callable[..., httpx.Response]]:
        return {
            "POST /v1/chat/completions": self.chat,
            "POST /v1/embeddings": self.embeddings,
            "GET /v1/models": self.models,
        }

    def handle(self, request: httpx.Request) -> httpx.Response:
        if self.goes_wrong("bad_key"):
            return _error(401, "Incorrect API key provided.", "invalid_api_key")
        if not request.headers.get("Authorization", "").removeprefix("Bearer ").strip():
            return _error(401, "You didn't provide an API key.", "invalid_api_key")
        if self.goes_wrong("rate_limited"):
            return _error(429, "Rate limit reached.", "rate_limit_exceeded", {"Retry-After": "1"})
        if self.goes_wrong("no_quota"):
            return _error(429, "You exceeded your current quota.", "insufficient_quota")
        if self.goes_wrong("server_error"):
            return _error(500, "The server had an error while processing your request.", None)
        return super().handle(request)

    def chat(self, request: httpx.Request) -> httpx.Response:
        body = body_json(request.content)
        if not body.get("messages"):
            return _error(400, "Missing required parameter: 'messages'.", "missing_required_parameter")
        if self.goes_wrong("too_long"):
            return _error(400, "This model's maximum context length is exceeded.", "context_length_exceeded")
        try:
            answer = _played(body)
        except (KeyError, ValueError, TypeError) as error:
            return _error(400, f"The messages cannot be read: {error}", "invalid_value")
        if not body.get("stream"):
            return httpx.Response(200, json=completion(body, answer))
        lines = self._lines(_chunks(body, answer))
        return httpx.Response(200, content=lines, headers={"Content-Type": "text/event-stream"})

    def _lines(self, chunks: Iterator[JSON]) -> Iterator[bytes]:
        pause_s = TOKEN_S * self.world.dial.time_scale
        breaks_off = self.goes_wrong("breaks_off")
        for number, chunk in enumerate(chunks):
            if breaks_off and number == BREAKS_AFTER:
                raise ConnectionResetError("as the dial says")
            yield f"data: {json.dumps(chunk)}\n\n".encode()
            time.sleep(pause_s)
        yield b"data: [DONE]\n\n"

    def embeddings(self, request: httpx.Request) -> httpx.Response:
        body = body_json(request.content)
        model, given = str(body.get("model")), body.get("input")
        if model not in EMBEDDING_SIZES:
            return _error(404, f"The model '{model}' does not exist.", "model_not_found")
        texts = [given] if isinstance(given, str) else given
        if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
            return _error(400, "'$.input' is invalid. Give a text or a list of texts.", None)
        size = int(body.get("dimensions") or EMBEDDING_SIZES[model])
        coded = body.get("encoding_format") == "base64"
        data = [
            {"object": "embedding", "index": index, "embedding": _coded(vector) if coded else vector.tolist()}
            for index, vector in enumerate(_vectors(texts, size))
        ]
        tokens = sum(map(_tokens, texts))
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return httpx.Response(200, json={"object": "list", "data": data, "model": model, "usage": usage})

    def models(self, request: httpx.Request) -> httpx.Response:
        found = [
            {"id": name, "object": "model", "created": 0, "owned_by": "local"}
            for name in (*CHAT_MODELS, *EMBEDDING_SIZES)
        ]
        return httpx.Response(200, json={"object": "list", "data": found})


def _played(body: JSON) -> JSON:
    """The assistant's message, as the offline crew answers this conversation."""
    # LangChain takes 150 MB, which a demo that asks for no chat does not spend.
    from langchain_core.messages import convert_to_messages, convert_to_openai_messages

    from personas.studio.model import StudioChatModel

    names = [each["function"]["name"] for each in body.get("tools") or []]
    messages = _named(convert_to_messages(body["messages"]))
    answer = StudioChatModel(seed=int(body.get("seed") or 0)).invoke(messages, tool_names=names)
    message = convert_to_openai_messages(answer)
    return message if isinstance(message, dict) else message[0]


def _named(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """On the wire the answer of a tool carries the call's id alone."""
    from langchain_core.messages import AIMessage, ToolMessage

    calls = {call["id"]: call["name"] for each in messages if isinstance(each, AIMessage) for call in each.tool_calls}
    return [
        each.model_copy(update={"name": calls.get(each.tool_call_id)}) if isinstance(each, ToolMessage) else each
        for each in messages
    ]


def completion(body: JSON, answer: JSON) -> JSON:
    """The answer to a request that does not stream; ``answer`` is the assistant's message."""
    asked, told = _tokens(json.dumps(body["messages"])), _tokens(json.dumps(answer))
    return {
        **_head(body, "chat.completion"),
        "choices": [{"index": 0, "message": answer, "logprobs": None, "finish_reason": _finish(answer)}],
        "usage": {"prompt_tokens": asked, "completion_tokens": told, "total_tokens": asked + told},
    }


def _chunks(body: JSON, answer: JSON) -> Iterator[JSON]:
    head = _head(body, "chat.completion.chunk")
    calls = [{"index": index, **call} for index, call in enumerate(answer.get("tool_calls") or [])]
    pieces: list[JSON] = [{"role": "assistant", "content": ""}]
    pieces += [{"content": word} for word in re.findall(r"\s*\S+|\s+", str(answer.get("content") or ""))]
    pieces += [{"tool_calls": [call]} for call in calls]
    for piece in pieces:
        yield {**head, "choices": [{"index": 0, "delta": piece, "finish_reason": None}]}
    yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": _finish(answer)}]}
    if (body.get("stream_options") or {}).get("include_usage"):
        yield {**head, "choices": [], "usage": completion(body, answer)["usage"]}


def _head(body: JSON, kind: str) -> JSON:
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": body.get("model"),
    }


def _finish(answer: JSON) -> str:
    return "tool_calls" if answer.get("tool_calls") else "stop"


def _tokens(text: str) -> int:
    return max(1, len(text) // CHARACTERS_PER_TOKEN)


def _vectors(texts: list[str], size: int) -> Iterator[np.ndarray[Any, Any]]:
    """Unit vectors: the local model's 256 numbers, shortened, or followed by zeros."""
    for vector in local().embed(texts):
        cut = np.zeros(size, dtype="<f4")
        cut[: len(vector)] = vector[:size]
        yield cut / (np.linalg.norm(cut) or 1)


def _coded(vector: np.ndarray[Any, Any]) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def _error(status: int, message: str, code: str | None, headers: Mapping[str, str] | None = None) -> httpx.Response:
    body = {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}
    return httpx.Response(status, json=body, headers=headers)
