"""A conversation with Brendan: one checkpointed thread per user."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, NotRequired

from langchain.agents import AgentState, create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, RemoveMessage, ToolMessage
from pydantic import BaseModel, ConfigDict

from personas.agent import citations, invoke, thread_config
from personas.caller import CallerThread
from personas.middleware import Nobody, ai_messages, guards, this_turn, tool_messages
from personas.tools import TOOLS as CREW_TOOLS
from personas.tools import ChatContext

from . import news
from .persona import LIMITS, NAME, TOOLS, prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from langchain_core.language_models import BaseChatModel
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.runtime import Runtime

    from personas.ports import Knowledge, Office

    # ``token`` {message, text}: a piece of what the model says in the message of that id; or
    # ``tool`` {id, name, status}: a call has started, finished, or was refused.
    Event = tuple[str, dict[str, Any]]
    Hear = Callable[[str, dict[str, Any]], None]

# Messages kept of a conversation; older turns are dropped whole.
MEMORY = 40


class Reply(BaseModel):
    """What Brendan answers. ``run_ids`` are the runs this answer is about."""

    model_config = ConfigDict(frozen=True)

    response: str
    run_ids: tuple[str, ...] = ()
    citations: tuple[dict[str, Any], ...] = ()


class ChatState(AgentState[Any]):
    """A conversation. ``heard`` are the ids of the news that it has been told last."""

    heard: NotRequired[list[int]]


class Memory(AgentMiddleware[Any, Any, Any]):
    """Keeps a thread from growing for ever, and repairs one whose last turn broke off between call and answer."""

    state_schema = ChatState

    def before_agent(self, state: ChatState, runtime: Runtime[ChatContext]) -> dict[str, Any] | None:
        messages = state["messages"]
        forgotten = [*_beyond_memory(messages), *_unanswered(messages), *_old_news(messages)]
        return {"messages": [RemoveMessage(id=str(message.id)) for message in forgotten]} if forgotten else None


def converse(  # noqa: PLR0913 - ports and bounds are passed, not found
    message: str,
    *,
    user_id: str,
    thread_id: str,
    office: Office,
    knowledge: Knowledge,
    checkpointer: BaseCheckpointSaver[Any] | None,
    model: BaseChatModel,
    fallbacks: Sequence[BaseChatModel] = (),
    project: str | None = None,
    options: Mapping[str, Any] | None = None,
    hear: Hear | None = None,
) -> Reply:
    """One message to Brendan and his answer.

    ``office`` is bound to ``user_id``, which the model never sees.  ``project`` and ``options`` (``seed``, ...) are
    pinned: they win over what the model asks for.  ``fallbacks`` are asked, in order, when ``model`` does not answer:
    what it had begun to say was heard, in a message of another id.  The ports are called in the caller's thread,
    ``hear`` in another: it is told of each event while the turn is played.  Raises as
    :func:`personas.agent.run_stage` does.
    """
    agent = build(checkpointer, project)
    caller = CallerThread()
    context = ChatContext(
        caller=caller,
        knowledge=knowledge,
        office=office,
        persona=NAME,
        project=project,
        options=dict(options or {}),
        deadline=time.monotonic() + LIMITS.wall_s,
        models=(model, *fallbacks),
    )
    config = thread_config(thread_id, LIMITS, persona=NAME, user_id=user_id)
    start = _start(message, office.news(), heard=_heard(agent, config))
    listener = partial(_tell, hear) if hear else None
    state = caller.run(lambda: invoke(agent, start, config=config, context=context, hear=listener))
    return _reply(this_turn(state["messages"]))


def _heard(agent: CompiledStateGraph[Any, Any, Any, Any], config: RunnableConfig) -> list[int]:
    return list(agent.get_state(config).values.get("heard", ())) if agent.checkpointer else []


def _start(message: str, latest: Sequence[Mapping[str, Any]], *, heard: Collection[int]) -> dict[str, Any]:
    """What a turn adds to the conversation, in one write: what happened meanwhile, and what the person says.

    The newest ids are kept rather than the last one: what was committed late has a smaller id than what was told.
    """
    told = news.told(latest, heard)
    said = [HumanMessage(told)] if told else []
    return {"messages": [*said, HumanMessage(message)], "heard": [each["id"] for each in latest]}


def build(checkpointer: BaseCheckpointSaver[Any] | None, project: str | None) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Brendan's graph."""
    return create_agent(
        Nobody(),
        [CREW_TOOLS[name] for name in TOOLS],
        system_prompt=prompt(project),
        middleware=[Memory(), *guards(LIMITS)],
        context_schema=ChatContext,
        checkpointer=checkpointer,
        name=NAME,
    )


def _tell(hear: Hear, mode: str, data: Any) -> None:
    for name, event in _tokens(data[0]) if mode == "messages" else _tools(data):
        hear(name, event)


def _tokens(message: BaseMessage) -> Iterator[Event]:
    if isinstance(message, AIMessage) and message.text:
        yield "token", {"message": message.id, "text": message.text}


def _tools(update: Mapping[str, Any]) -> Iterator[Event]:
    """The calls of a model's message begin, those of a tool's message end."""
    said = [message for made in update.values() for message in (made or {}).get("messages", ())]
    for call in (call for message in ai_messages(said) for call in message.tool_calls):
        yield "tool", {"id": call["id"], "name": call["name"], "status": "started"}
    for answer in tool_messages(said):
        status = "refused" if answer.status == "error" else "finished"
        yield "tool", {"id": answer.tool_call_id, "name": answer.name, "status": status}


def _reply(turn: list[AnyMessage]) -> Reply:
    ids = [run_id for answer in tool_messages(turn) for run_id in _run_ids(answer)]
    text = turn[-1].text.strip()
    return Reply(
        response=text or "I have no answer to that. Tell me what the film should show.",
        run_ids=tuple(dict.fromkeys(ids)),
        citations=tuple(citations(turn)),
    )


def _run_ids(answer: ToolMessage) -> list[str]:
    return list(answer.artifact or ()) if answer.name != "memory_search" else []


def _beyond_memory(messages: list[AnyMessage]) -> list[AnyMessage]:
    """Everything before the first whole turn among the last ``MEMORY`` messages."""
    start = max(len(messages) - MEMORY, 0)
    people = (index for index in range(start, len(messages)) if isinstance(messages[index], HumanMessage))
    return messages[: next(people, 0)] if start else []


def _old_news(messages: list[AnyMessage]) -> Sequence[AnyMessage]:
    told = [message for message in messages if isinstance(message, HumanMessage) and news.read(message.text)]
    return told[: -news.KEPT]


def _unanswered(messages: list[AnyMessage]) -> list[AnyMessage]:
    answered = {message.tool_call_id for message in tool_messages(messages)}
    return [
        message
        for message in messages
        if any(call["id"] not in answered for call in getattr(message, "tool_calls", ()))
    ]
