"""Keeps an agent inside its budgets and its contract, whatever the model does."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from langchain.agents.middleware import AgentMiddleware, ToolErrorMiddleware, hook_config
from langchain_core import exceptions as vendors
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, ToolMessage
from pydantic import ValidationError

from myloware.kernel.errors import (
    ContractBroken,
    InvalidInput,
    Misconfigured,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
    RateLimited,
)
from myloware.kernel.logging import cleaned, redact
from myloware.kernel.plain import UNFIT, storable

from .contracts import missing, require
from .tools import Context, StageContext

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from langchain.agents import AgentState
    from langchain.agents.middleware import ModelRequest, ModelResponse
    from langchain.agents.middleware.types import ToolCallRequest
    from langchain_core.callbacks import CallbackManagerForLLMRun
    from langchain_core.outputs import ChatResult
    from langgraph.runtime import Runtime
    from langgraph.types import Command
    from pydantic import BaseModel

    from .base import Limits, Persona

log = logging.getLogger(__name__)

Hooks = AgentMiddleware[Any, Any, Any]

CHARACTERS_PER_TOKEN = 4

# Marks our reminder in the conversation, so that it is given once even after a resume.
REMINDER = "crew.reminder"

CREDENTIAL = "leave out what looks like a password or key, and write the rest again."
UNSTORABLE = f"leave out {UNFIT}, and write the rest again."

_OPERATOR = (vendors.ModelAuthenticationError, vendors.ModelPermissionDeniedError, vendors.ModelNotFoundError)
_REFUSED = (vendors.ModelInvalidRequestError, vendors.ContextOverflowError)


class Budgets(Hooks):
    """Limits model calls, tool calls, tokens and time.

    Counts come from the conversation, so a resume does not reset them.
    """

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self.limits = limits

    def wrap_model_call(
        self, request: ModelRequest[Context], handler: Callable[[ModelRequest[Context]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        spoken = ai_messages(this_turn(request.messages))
        self._spend("model calls", len(spoken) + 1, self.limits.model_calls)
        self._check_time(request.runtime.context)
        return handler(request)

    def after_model(self, state: AgentState[Any], runtime: Runtime[Context]) -> None:
        """Looks at an answer when the thread has it: what was paid for is counted, also of an agent that is stopped."""
        said = ai_messages(this_turn(state["messages"]))
        self._spend("tool calls", sum(len(message.tool_calls) for message in said), self.limits.tool_calls)
        self._spend("tokens", sum(map(_tokens, said)), self.limits.tokens)

    def _spend(self, budget: str, count: int, limit: int) -> None:
        if count > limit:
            raise ContractBroken(
                f"The agent used up its {limit} {budget} without finishing.", budget=budget, limit=limit
            )

    def _check_time(self, context: Context) -> None:
        if context.caller.closed:
            raise ContractBroken("The agent was abandoned by its caller.", budget="time")
        if time.monotonic() > context.deadline:
            limit = self.limits.wall_s
            raise ContractBroken(f"The agent did not finish within {limit:g} s.", budget="time", limit=limit)


def _tokens(message: AIMessage) -> int:
    """Of the call that ended with this message; of its text alone, roughly, when the model does not say."""
    usage = message.usage_metadata
    return usage["total_tokens"] if usage else len(message.text) // CHARACTERS_PER_TOKEN


class VendorErrors(Hooks):
    """Translates the failures of a model's client into our error tree. It does not retry: the client does."""

    def wrap_model_call(
        self, request: ModelRequest[Context], handler: Callable[[ModelRequest[Context]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        try:
            return handler(request)
        except vendors.ModelError as error:
            raise translated(error) from error
        except ValidationError as error:
            raise ContractBroken("The chat model's answer cannot be read: it breaks the protocol.") from error


def translated(error: vendors.ModelError) -> Misconfigured | ProviderError:
    """Our error for a model client's. The vendor's text stays in the cause: it may quote keys or prompts."""
    kind = type(error).__name__
    if isinstance(error, _OPERATOR):
        return Misconfigured(f"The chat model's service does not accept our key or model name ({kind}).", kind=kind)
    if isinstance(error, _REFUSED):
        return ProviderRefused(f"The chat model refused the request ({kind}).", kind=kind)
    return ProviderUnavailable(f"The chat model did not answer ({kind}).", kind=kind)


class Nobody(BaseChatModel):
    """The model of a graph that serves all runs: whoever forgets to say who plays is told."""

    @property
    def _llm_type(self) -> str:
        return "nobody"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        raise RuntimeError("no chat model was chosen for this run")


class Played(Hooks):
    """The models are asked in their order until one answers."""

    def wrap_model_call(
        self, request: ModelRequest[Context], handler: Callable[[ModelRequest[Context]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        *others, last = request.runtime.context.models
        for model in others:
            try:
                return handler(request.override(model=model))
            except (vendors.ModelError, ValidationError) as error:
                log.warning("the next chat model is asked", extra={"kind": type(error).__name__})
        return handler(request.override(model=last))


class OneAnswerPerCall(Hooks):
    """A tool call id that was answered before gets the same answer, and its tool is not run again.

    A call that comes without an id gets one, and so does one whose id belongs to an earlier turn: some services count
    their calls from zero again whenever a person speaks.
    """

    def wrap_model_call(
        self, request: ModelRequest[Context], handler: Callable[[ModelRequest[Context]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        response = handler(request)
        turn = this_turn(request.messages)
        earlier = request.messages[: len(request.messages) - len(turn)]
        known = {call["id"] for message in ai_messages(earlier) for call in message.tool_calls}
        for message in ai_messages(response.result):
            for call in message.tool_calls:
                if not call["id"] or call["id"] in known:
                    call["id"] = f"call_{uuid4().hex}"
        return response

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]]
    ) -> ToolMessage | Command[Any]:
        call = request.tool_call
        earlier = next((m for m in tool_messages(request.state["messages"]) if m.tool_call_id == call["id"]), None)
        if earlier is None:
            return handler(request)
        log.warning("tool call id used twice", extra={"tool": call["name"], "toolCallId": call["id"]})
        if earlier.name != call["name"]:
            text = "This tool call id was used before. Call the tool again with a new id."
            return ToolMessage(text, name=call["name"], tool_call_id=call["id"], status="error")
        return earlier.model_copy(update={"id": None})


class NoCredentials(Hooks):
    """Nothing that looks like a credential reaches a tool, whoever told the model to write it."""

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]]
    ) -> ToolMessage | Command[Any]:
        call = request.tool_call
        if cleaned(call["args"]) == call["args"]:
            return handler(request)
        log.warning("credential in a tool call", extra={"tool": call["name"]})
        return ToolMessage(CREDENTIAL, name=call["name"], tool_call_id=call["id"], status="error")


class Storable(Hooks):
    """No tool gets what PostgreSQL cannot store."""

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]]
    ) -> ToolMessage | Command[Any]:
        call = request.tool_call
        if storable(call["args"]):
            return handler(request)
        return ToolMessage(UNSTORABLE, name=call["name"], tool_call_id=call["id"], status="error")


class Completion(Hooks):
    """A stage ends with its required tools called and a usable output. What is missing is said once, then it fails."""

    def __init__(self, persona: Persona) -> None:
        super().__init__()
        self.persona = persona

    @hook_config(can_jump_to=["model"])
    def after_agent(self, state: AgentState[Any], runtime: Runtime[StageContext]) -> dict[str, Any] | None:
        called = succeeded(state["messages"])
        complaint = self._complaint(called, state.get("structured_response"), runtime.context)
        if not complaint:
            return None
        if any(REMINDER in message.additional_kwargs for message in state["messages"]):
            self._fail(state["messages"], complaint, runtime.context)
        log.warning("persona reminded", extra={"persona": self.persona.name, "reason": complaint})
        reminder = HumanMessage(f"You are not done: {complaint}", additional_kwargs={REMINDER: True})
        return {"jump_to": "model", "messages": [reminder], "structured_response": None}

    def _complaint(self, called: Collection[str], output: BaseModel | None, context: StageContext) -> str:
        skipped = missing(self.persona.name, allowed=context.allowed, called=called)
        if skipped:
            return " ".join(f"call {tool}, because {why}." for tool, why in skipped.items())
        if output is None:
            return f"hand in your result by calling {self.persona.output.__name__}."
        if not storable(output.model_dump()):
            return UNSTORABLE
        text = output.model_dump_json()
        if redact(text) != text:
            return CREDENTIAL
        return self.persona.check(output, context.brief) or self._repeats(output, context)

    def _repeats(self, output: BaseModel, context: StageContext) -> str:
        asked = self.persona.original(output, context.brief)
        if not asked.texts:
            return ""
        pairs = context.caller.call(context.knowledge.alike, asked.texts, asked.known, limit=asked.limit)
        named = [f"'{one}' and '{other}' ({near:.2f})" for one, other, near in pairs[:6]]
        return f"these are too near to each other or to an earlier film: {', '.join(named)}." if named else ""

    def _fail(self, messages: Collection[BaseMessage], complaint: str, context: StageContext) -> None:
        brief = context.brief
        require(
            self.persona.name,
            allowed=context.allowed,
            called=succeeded(messages),
            refused=refused(messages),
            project=brief.project,
            run_id=brief.run_id,
        )
        raise ContractBroken(
            f"{self.persona.name} was asked once more and still: {complaint}",
            persona=self.persona.name,
            project=brief.project,
            run_id=brief.run_id,
        )


def guards(limits: Limits) -> list[AgentMiddleware[Any, Any]]:
    """What stands around every agent's model and tools, outermost first."""
    return [
        Budgets(limits),
        VendorErrors(),
        Played(),
        OneAnswerPerCall(),
        NoCredentials(),
        Storable(),
        ToolErrorMiddleware(_for_the_model),
    ]


def _for_the_model(error: Exception, request: ToolCallRequest) -> str | None:
    """Mistakes and full queues go back to the model; provider failures and bugs pass and fail the step."""
    if isinstance(error, RateLimited):
        return f"{error.code}: {error.message} Do not repeat the call more than once."
    return f"{error.code}: {error.message}" if isinstance(error, InvalidInput) else None


def ai_messages(messages: Collection[BaseMessage]) -> list[AIMessage]:
    return [message for message in messages if isinstance(message, AIMessage)]


def tool_messages(messages: Collection[BaseMessage]) -> list[ToolMessage]:
    return [message for message in messages if isinstance(message, ToolMessage)]


def succeeded(messages: Collection[BaseMessage]) -> set[str]:
    """Names of the tools that answered without an error."""
    return {message.name for message in tool_messages(messages) if message.name and message.status != "error"}


def refused(messages: Collection[BaseMessage]) -> dict[str, str]:
    """Tool -> its last error."""
    failures = [message for message in tool_messages(messages) if message.name and message.status == "error"]
    return {str(message.name): message.text for message in failures}


def this_turn(messages: list[AnyMessage]) -> list[AnyMessage]:
    """The messages since a person last spoke; our own reminders do not count as a person."""
    for index in range(len(messages) - 1, -1, -1):
        message = messages[index]
        if isinstance(message, HumanMessage) and REMINDER not in message.additional_kwargs:
            return messages[index:]
    return messages
