"""A chat model that needs no network: it plays each persona from its ``offline`` part, through the same agent loop.

It is told what any model is told, the conversation and the tools, and answers with the same messages.  The same
conversation and seed give the same text.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    ToolCallChunk,
    ToolMessage,
)
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.utils.function_calling import convert_to_openai_tool

from personas.base import StageBrief
from personas.brendan import offline as brendan
from personas.brendan.news import read
from personas.brendan.persona import pinned_project
from personas.registry import PERSONAS

from .turn import Answer, Call, ChatTurn, Move, StageTurn

if TYPE_CHECKING:
    from langchain_core.callbacks import CallbackManagerForLLMRun
    from langchain_core.language_models import LanguageModelInput
    from langchain_core.runnables import Runnable
    from langchain_core.tools import BaseTool

NAME = "studio"


class StudioChatModel(BaseChatModel):
    """Deterministic stand-in for a hosted chat model."""

    seed: int = 0

    @property
    def _llm_type(self) -> str:
        return NAME

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": NAME, "seed": self.seed}

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        names = [convert_to_openai_tool(each)["function"]["name"] for each in tools]
        return self.bind(tool_names=names, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._answer(messages, kwargs))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        answer = self._answer(messages, kwargs)
        calls = [
            ToolCallChunk(name=call["name"], args=json.dumps(call["args"]), id=call["id"], index=index)
            for index, call in enumerate(answer.tool_calls)
        ]
        # What a message is made of is added up, the name of its model too.
        yield _chunk("", tool_call_chunks=calls, response_metadata=answer.response_metadata)
        yield from map(_chunk, in_pieces(answer.text))

    def _answer(self, messages: Sequence[BaseMessage], given: Mapping[str, Any]) -> AIMessage:
        return _message(_move(messages, frozenset(given.get("tool_names", ())), self.seed), messages)


def in_pieces(text: str) -> list[str]:
    """``text`` word by word; joined it is itself again."""
    return re.findall(r"\s*\S+|\s+", text)


def _chunk(text: str, **fields: Any) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(content=text, **fields))


def _move(messages: Sequence[BaseMessage], tools: frozenset[str], seed: int) -> Move:
    # Only a stage is asked for a persona's structured output; whatever people write to Brendan does not make one.
    persona = next((each for each in PERSONAS.values() if each.output.__name__ in tools), None)
    if persona:
        turn = StageTurn(
            tools=tools,
            answers=_answers(messages),
            seed=seed,
            brief=_brief(messages),
            output_tool=persona.output.__name__,
        )
        return persona.offline(turn)
    latest = _since_last_person(messages)
    return brendan.play(
        ChatTurn(
            tools=tools,
            answers=_answers(latest),
            seed=seed,
            message=str(latest[0].content),
            project=pinned_project(str(messages[0].content)),
            news=tuple(
                each for message in messages if isinstance(message, HumanMessage) for each in read(message.text)
            ),
        )
    )


def _brief(messages: Sequence[BaseMessage]) -> StageBrief:
    """The stage's brief: the first human message, below its line of introduction."""
    text = next(str(message.content) for message in messages if isinstance(message, HumanMessage))
    return StageBrief(run_id="", step_id="", **json.loads(text.partition("\n")[2]))


def _since_last_person(messages: Sequence[BaseMessage]) -> Sequence[BaseMessage]:
    places = [index for index, message in enumerate(messages) if isinstance(message, HumanMessage)]
    return messages[places[-1] :] if places else messages


def _answers(messages: Sequence[BaseMessage]) -> tuple[Answer, ...]:
    calls = {
        call["id"]: call["args"]
        for message in messages
        if isinstance(message, AIMessage)
        for call in message.tool_calls
    }
    return tuple(
        Answer(
            name=message.name or "",
            args=calls.get(message.tool_call_id, {}),
            content=str(message.content),
            ok=message.status != "error",
        )
        for message in messages
        if isinstance(message, ToolMessage)
    )


def _message(move: Move, messages: Sequence[BaseMessage]) -> AIMessage:
    metadata = {"model_name": NAME}
    if not isinstance(move, Call):
        return AIMessage(move.text, response_metadata=metadata)
    call = {"name": move.name, "args": dict(move.args), "id": _call_id(move, messages)}
    return AIMessage("", tool_calls=[call], response_metadata=metadata)


def _call_id(move: Call, messages: Sequence[BaseMessage]) -> str:
    """Unique in its thread: the latest human message has an id of its own, and the conversation only grows."""
    person = next((message.id for message in reversed(messages) if isinstance(message, HumanMessage)), "")
    return "call_" + hashlib.sha256(f"{person}:{len(messages)}:{move.name}".encode()).hexdigest()[:24]
