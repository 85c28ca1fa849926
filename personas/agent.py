"""Runs one stage as a LangGraph agent."""

from __future__ import annotations

import logging
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain_core.messages import HumanMessage
from langgraph.errors import GraphRecursionError

from myloware.kernel.errors import ContractBroken, Misconfigured

from .base import INTRODUCTION, ModelCall, StageResult
from .caller import CallerThread
from .middleware import Completion, Nobody, ai_messages, guards, tool_messages
from .registry import persona as member
from .tools import TOOLS, StageContext

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AnyMessage
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.graph.state import CompiledStateGraph

    from .base import Limits, Persona, StageBrief
    from .config import CrewSettings
    from .ports import Knowledge, Production

    Listener = Callable[[str, Any], None]

log = logging.getLogger(__name__)


def run_stage(
    brief: StageBrief,
    *,
    thread_id: str,
    knowledge: Knowledge,
    production: Production,
    checkpointer: BaseCheckpointSaver[Any] | None,
    model: BaseChatModel,
    settings: CrewSettings,
    fallbacks: Sequence[BaseChatModel] = (),
) -> StageResult:
    """Lets ``brief.persona`` do its work; ``fallbacks`` are asked, in order, when ``model`` does not answer.

    ``thread_id`` names the checkpointed thread: the same one again continues after a crash and repeats no finished
    model call and no finished tool call.  The ports are called in the caller's thread only.

    Raises ``ContractBroken`` (a required tool skipped, no usable output, a budget used up), ``Misconfigured`` (unknown
    persona, bad allowlist, a key the model provider refuses), ``ProviderError`` (the model failed), and whatever
    the ports raise apart from what goes back to the model.
    """
    persona = member(brief.persona)
    allowed = allowed_tools(persona, brief, settings)
    agent = build(persona.name, allowed, checkpointer)
    caller = CallerThread()
    context = StageContext(
        caller=caller,
        knowledge=knowledge,
        production=production,
        persona=persona.name,
        project=brief.project,
        deadline=time.monotonic() + persona.limits.wall_s,
        brief=brief,
        allowed=frozenset(allowed),
        models=(model, *fallbacks),
    )
    config = thread_config(thread_id, persona.limits, persona=persona.name, project=brief.project, run_id=brief.run_id)
    # The tools of one message in their order: the caller's thread serves one at a time in any case, and each thread
    # costs as much as a checkpoint. (A graph that streams waits for its own events in one more thread.)
    config["max_concurrency"] = 1
    state = caller.run(lambda: converge(agent, brief_message(brief), config=config, context=context))
    return result_of(state, persona=persona, fallback_model=settings.model_of(persona.name))


def allowed_tools(persona: Persona, brief: StageBrief, settings: CrewSettings) -> tuple[str, ...]:
    """The persona's tools that the project allows; the rest never reaches the agent.

    An allowlist that is missing or names an unknown tool raises ``Misconfigured``, or leaves ``memory_search`` alone
    in ``memory_fallback`` mode.
    """
    listed = brief.expectations.tools
    unknown = [name for name in listed if name not in TOOLS]
    if unknown or (persona.tools and not listed):
        return _bad_allowlist(persona, brief, unknown, settings)
    dropped = sorted(set(persona.tools) ^ set(listed))
    if dropped:
        log.info("tools left out", extra={"persona": persona.name, "project": brief.project, "tools": dropped})
    return tuple(name for name in persona.tools if name in listed)


def _bad_allowlist(persona: Persona, brief: StageBrief, unknown: list[str], settings: CrewSettings) -> tuple[str, ...]:
    reason = f"names unknown tools: {', '.join(unknown)}" if unknown else "is missing"
    if settings.persona_allowlist_mode == "memory_fallback":
        extra = {"persona": persona.name, "project": brief.project, "reason": reason}
        log.warning("tool allowlist unusable, memory_search only", extra=extra)
        return ("memory_search",)
    raise Misconfigured(
        f"The tool allowlist of '{persona.name}' in project '{brief.project}' {reason}. "
        f"Set personas.{persona.name}.tools in the project file to some of: {', '.join(persona.tools)}."
    )


# As many as a process meets: the crew, times the allowlists of its projects.
@lru_cache(maxsize=64)
def build(
    name: str, allowed: tuple[str, ...], checkpointer: BaseCheckpointSaver[Any] | None
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """The agent's graph, made once: all that belongs to one run comes with the runtime's context."""
    persona = member(name)
    return create_agent(
        Nobody(),
        [TOOLS[name] for name in allowed],
        system_prompt=persona.prompt,
        response_format=ToolStrategy(persona.output),
        middleware=[*guards(persona.limits), Completion(persona)],
        context_schema=StageContext,
        checkpointer=checkpointer,
        name=persona.name,
    )


def brief_message(brief: StageBrief) -> HumanMessage:
    """The brief as the agent reads it: without ids, so that they cannot leak into what is written."""
    return HumanMessage(f"{INTRODUCTION}\n{brief.model_dump_json(exclude={'run_id', 'step_id'})}")


def prompt_of(brief: StageBrief, settings: CrewSettings) -> dict[str, Any]:
    """What the model of a stage is told: ``{persona, model, system, brief, tools, output}``."""
    persona = member(brief.persona)
    return {
        "persona": persona.name,
        "model": settings.model_of(persona.name),
        "system": persona.prompt,
        "brief": brief_message(brief).text,
        "tools": allowed_tools(persona, brief, settings),
        "output": persona.output.__name__,
    }


def thread_config(thread_id: str, limits: Limits, **metadata: str) -> RunnableConfig:
    # A turn of the loop is three graph steps, model, budgets and tools; the slack is for the completion check.
    return {
        "configurable": {"thread_id": thread_id},
        "recursion_limit": 3 * limits.model_calls + 6,
        # Of the trace, where there is one.
        "tags": [f"{name}:{value}" for name, value in metadata.items()],
        "metadata": metadata,
    }


def converge(
    agent: CompiledStateGraph[Any, Any, Any, Any],
    message: HumanMessage,
    *,
    config: RunnableConfig,
    context: StageContext,
) -> dict[str, Any]:
    """The agent's final state. A thread that was interrupted goes on where it stopped; a finished one is only read."""
    saved = agent.get_state(config) if agent.checkpointer else None
    # Not ``next``: it leaves out a task that has written its result and died before the step was saved.
    if saved and saved.created_at and not saved.tasks:
        return dict(saved.values)
    start = None if saved and saved.tasks else {"messages": [message]}
    return invoke(agent, start, config=config, context=context)


def invoke(
    agent: CompiledStateGraph[Any, Any, Any, Any],
    start: dict[str, Any] | None,
    *,
    config: RunnableConfig,
    context: Any,
    hear: Listener | None = None,
) -> dict[str, Any]:
    """One run of the graph, each step saved before the next begins.

    ``hear`` is told what comes of it meanwhile: LangGraph's stream modes ``messages`` and ``updates``, and their data.
    """
    given: dict[str, Any] = {"context": context, "durability": "sync" if agent.checkpointer else None}
    try:
        return _heard(agent, start, config, hear, given) if hear else dict(agent.invoke(start, config, **given))
    except GraphRecursionError as error:
        raise ContractBroken("The agent went in circles and was stopped.", budget="steps") from error


def _heard(
    agent: CompiledStateGraph[Any, Any, Any, Any],
    start: dict[str, Any] | None,
    config: RunnableConfig,
    hear: Listener,
    given: dict[str, Any],
) -> dict[str, Any]:
    state: dict[str, Any] = {}
    for mode, data in agent.stream(start, config, stream_mode=["messages", "updates", "values"], **given):
        if mode == "values":
            state = data
        else:
            hear(mode, data)
    return state


def result_of(state: dict[str, Any], *, persona: Persona, fallback_model: str) -> StageResult:
    messages: list[AnyMessage] = state["messages"]
    calls = model_calls(messages)
    return StageResult(
        output=state["structured_response"].model_dump(mode="json"),
        citations=tuple(citations(messages)),
        tool_calls=tuple(tool_calls(messages)),
        model=next((call.model for call in reversed(calls) if call.model), fallback_model),
        input_tokens=sum(call.input_tokens for call in calls),
        output_tokens=sum(call.output_tokens for call in calls),
    )


def messages_of(thread_id: str, checkpointer: BaseCheckpointSaver[Any]) -> list[AnyMessage]:
    """A thread's conversation so far, by its checkpoint; empty for a thread that has not begun."""
    saved = checkpointer.get_tuple({"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}})
    return list(saved.checkpoint["channel_values"].get("messages", [])) if saved else []


def model_calls(messages: Sequence[AnyMessage]) -> list[ModelCall]:
    """Every answer of a model, in order."""
    return [
        ModelCall(
            model=str(message.response_metadata.get("model_name", "")),
            input_tokens=message.usage_metadata["input_tokens"] if message.usage_metadata else 0,
            output_tokens=message.usage_metadata["output_tokens"] if message.usage_metadata else 0,
        )
        for message in ai_messages(messages)
    ]


def searches(messages: Sequence[AnyMessage]) -> list[dict[str, Any]]:
    """What was looked up and what came of it: ``[{call_id, asked, passages: [as citations]}]``, best passage first."""
    asked = {call["id"]: call["args"] for message in ai_messages(messages) for call in message.tool_calls}
    return [
        {"call_id": message.tool_call_id, "asked": asked.get(message.tool_call_id, {}), "passages": message.artifact}
        for message in tool_messages(messages)
        if message.name == "memory_search" and message.artifact is not None
    ]


def citations(messages: Sequence[AnyMessage]) -> list[dict[str, Any]]:
    """The passages the agent was shown, each once."""
    return list({hit["chunk_id"]: hit for search in searches(messages) for hit in search["passages"]}.values())


def tool_calls(messages: Sequence[AnyMessage]) -> list[dict[str, Any]]:
    """Every tool call that was answered, in order."""
    return [
        {"id": message.tool_call_id, "name": message.name, "ok": message.status != "error"}
        for message in tool_messages(messages)
        if message.name in TOOLS
    ]
