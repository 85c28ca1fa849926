"""What our agent layer costs a stage: everything but the model's and the services' own time.

Each stage runs through the real loop with its checkpoints in PostgreSQL; the model says what the offline one said,
without thinking, and the ports answer at once, so that all that is left is ours (and LangChain's).

``python -m benchmarks.agents DB_URL [--runs 30]`` prints, for each persona, least, median and 95th percentile
in milliseconds of one stage, and ends with 1 when a median is above ``--limit`` (25).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from langchain_core.language_models import BaseChatModel
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import PrivateAttr

from knowledge.likeness import alike
from personas import checkpoints
from personas.agent import run_stage
from personas.base import StageBrief
from personas.config import CrewSettings
from personas.middleware import ai_messages
from personas.ports import Hit
from personas.registry import PERSONAS
from personas.studio.model import StudioChatModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.callbacks import CallbackManagerForLLMRun
    from langchain_core.messages import AIMessage, BaseMessage
    from langgraph.checkpoint.base import BaseCheckpointSaver

    from myloware.kernel.cues import Cue
    from personas.ports import ClipRequest, PublishRequest, RenderRequest

PROJECTS = Path(__file__).parents[1] / "fixtures" / "projects"
WARM_UP = 3
CLIPS = [{"index": index, "prompt": "a candle melts", "url": "u", "duration_s": 8} for index in (0, 1)]
WORK = {"persona": "iggy", "output": {"summary": "A candle.", "confidence": 0.6}}
GUIDE = Hit(document="d", path="craft/prompting.md", chunk_id="c", score=0.6, snippet="Lead with the camera.")


class World:
    """Both ports: whatever is asked for is there at once."""

    def search(self, queries: Sequence[str], *, k: int, project: str | None, persona: str | None) -> list[Hit]:
        return [GUIDE]

    def alike(self, texts: Sequence[str], known: Sequence[str], *, limit: float) -> list[tuple[str, str, float]]:
        return alike(texts, known, limit=limit)

    def submit_clips(self, call_id: str, videos: Sequence[ClipRequest]) -> dict[str, Any]:
        return {"submitted": len(videos)}

    def clips_state(self) -> dict[str, Any]:
        return {"clips": []}

    def render(self, call_id: str, request: RenderRequest) -> dict[str, Any]:
        return {"render": call_id}

    def design_sound(self, call_id: str, cues: Sequence[Cue]) -> dict[str, Any]:
        return {"cues": len(cues)}

    def draft_publish(self, call_id: str, draft: PublishRequest) -> dict[str, Any]:
        return {"status": "drafted", "findings": []}


class Reciter(BaseChatModel):
    """Knows its lines by heart."""

    _lines: Sequence[AIMessage] = PrivateAttr()

    def __init__(self, lines: Sequence[AIMessage]) -> None:
        super().__init__()
        self._lines = lines

    @property
    def _llm_type(self) -> str:
        return "reciter"

    def bind_tools(self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any) -> Any:
        # As a client does before each call: it is time that passes here.
        return self.bind(tools=[convert_to_openai_tool(each) for each in tools])

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        line = self._lines[len(ai_messages(messages))]
        return ChatResult(generations=[ChatGeneration(message=line.model_copy(deep=True))])


def brief(persona: str) -> StageBrief:
    """A brief for two clips; Morgan works for one project only."""
    spec = json.loads((PROJECTS / ("aismr.json" if persona == "morgan" else "test_video_gen.json")).read_text())
    return StageBrief(
        run_id="r",
        step_id="s",
        persona=persona,
        project=spec["slug"],
        title=spec["title"],
        specs={**spec["specs"], "videoCount": len(CLIPS)},
        guardrails=spec["guardrails"],
        expectations=spec["personas"].get(persona, {}),
        input={"prompt": "A lighthouse in a storm and a paper boat crossing a puddle"},
        materials={"clips": CLIPS, "work": WORK},
        seed=1,
    )


def play(stage: StageBrief, model: BaseChatModel, saver: BaseCheckpointSaver[Any], thread_id: str) -> None:
    world = World()
    run_stage(
        stage,
        thread_id=thread_id,
        knowledge=world,
        production=world,
        checkpointer=saver,
        model=model,
        settings=CrewSettings(),
    )


def lines(stage: StageBrief) -> list[AIMessage]:
    """What the offline model says in this stage."""
    saver = InMemorySaver(serde=checkpoints.serializer())
    play(stage, StudioChatModel(seed=1), saver, "rehearsal")
    saved = saver.get_tuple({"configurable": {"thread_id": "rehearsal", "checkpoint_ns": ""}})
    return ai_messages(saved.checkpoint["channel_values"]["messages"]) if saved else []


def stage_ms(stage: StageBrief, said: Sequence[AIMessage], database: str) -> float:
    """One stage, in milliseconds."""
    model, saver = Reciter(said), checkpoints.saver(database)
    start = time.perf_counter()
    play(stage, model, saver, f"benchmark-{uuid4().hex}")
    return (time.perf_counter() - start) * 1000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database", help="libpq connection string of a database to write checkpoints into")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--limit", type=float, default=25)
    wanted = parser.parse_args()
    checkpoints.setup(wanted.database)
    slowest = 0.0
    for persona in PERSONAS:
        stage = brief(persona)
        said = lines(stage)
        times = [stage_ms(stage, said, wanted.database) for _ in range(WARM_UP + wanted.runs)][WARM_UP:]
        median, most = statistics.median(times), statistics.quantiles(times, n=20)[-1]
        slowest = max(slowest, median)
        print(f"{persona:<9} {len(said)} calls   {min(times):6.1f} {median:6.1f} {most:6.1f} ms")
    return int(slowest > wanted.limit)


if __name__ == "__main__":
    sys.exit(main())
