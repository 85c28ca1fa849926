"""The outside of the crew, in memory: ports that record what reaches them, and chat models that follow a script."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from pydantic import PrivateAttr

from knowledge.likeness import alike
from myloware.kernel.cues import Cue
from myloware.kernel.errors import Conflict, InvalidInput, NotFound
from personas.agent import run_stage
from personas.base import StageBrief, StageResult
from personas.config import CrewSettings
from personas.ports import ClipRequest, Hit, PublishRequest, RenderRequest
from personas.studio.model import StudioChatModel

PROJECTS = Path(__file__).parents[2] / "fixtures" / "projects"

GUIDE = Hit(
    document="d-1",
    path="craft/prompting.md",
    heading="Camera and light",
    chunk_id="c-1",
    score=0.62,
    snippet="Lead with the camera. A slow orbit and cool starlight carry a quiet scene. #nightshift",
)


class Library:
    """A knowledge base of a few passages."""

    def __init__(self, *hits: Hit) -> None:
        self.hits = list(hits)
        self.searches: list[tuple[tuple[str, ...], str | None, str | None]] = []
        self.threads: set[int] = set()

    def search(self, queries: Sequence[str], *, k: int, project: str | None, persona: str | None) -> list[Hit]:
        self.threads.add(threading.get_ident())
        self.searches.append((tuple(queries), project, persona))
        return self.hits[:k]

    def alike(self, texts: Sequence[str], known: Sequence[str], *, limit: float) -> list[tuple[str, str, float]]:
        return alike(texts, known, limit=limit)


@dataclass
class Studio:
    """A production that makes nothing and remembers every order once per call id. ``failures`` are raised in turn."""

    failures: list[Exception] = field(default_factory=list)
    clips: dict[str, list[ClipRequest]] = field(default_factory=dict)
    renders: dict[str, RenderRequest] = field(default_factory=dict)
    sounds: dict[str, list[Cue]] = field(default_factory=dict)
    drafts: dict[str, PublishRequest] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def submit_clips(self, call_id: str, videos: Sequence[ClipRequest]) -> dict[str, Any]:
        self._arrive("submit_clips")
        self.clips.setdefault(call_id, list(videos))
        return {"submitted": [{"index": video.index} for video in videos]}

    def clips_state(self) -> dict[str, Any]:
        self._arrive("clips_state")
        return {"clips": []}

    def render(self, call_id: str, request: RenderRequest) -> dict[str, Any]:
        self._arrive("render")
        self.renders.setdefault(call_id, request)
        return {"render": "r-1"}

    def design_sound(self, call_id: str, cues: Sequence[Cue]) -> dict[str, Any]:
        self._arrive("design_sound")
        self.sounds.setdefault(call_id, list(cues))
        return {"duration_s": 14.5, "loudness_lufs": -14.0, "cues": []}

    def draft_publish(self, call_id: str, draft: PublishRequest) -> dict[str, Any]:
        self._arrive("draft_publish")
        self.drafts.setdefault(call_id, draft)
        return {"status": "drafted"}

    def _arrive(self, name: str) -> None:
        self.calls.append(name)
        if self.failures:
            raise self.failures.pop(0)


class FrontOffice:
    """The office of one user with one run."""

    def __init__(self, *, can_change: bool = True) -> None:
        self.can_change = can_change
        self.proposals: dict[str, dict[str, Any]] = {}
        self.classified: list[dict[str, Any]] = []
        self.happened: list[dict[str, Any]] = []
        self.runs = [
            {
                "run_id": "0f8fad5b-d9cb-469f-a165-70867728950e",
                "project": "aismr",
                "title": "candle",
                "status": "waiting",
            }
        ]

    def projects(self) -> list[dict[str, Any]]:
        specs = [json.loads(path.read_text()) for path in sorted(PROJECTS.glob("*.json"))]
        return [{key: spec[key] for key in ("slug", "title", "description")} for spec in specs]

    def my_runs(self) -> list[dict[str, Any]]:
        return self.runs

    def run_status(self, run_id: str) -> dict[str, Any]:
        for run in self.runs:
            if run["run_id"] == run_id:
                return {**run, "step": "prepublish"}
        raise NotFound("There is no such run.")

    def news(self) -> list[dict[str, Any]]:
        return self.happened

    def gate_link(self, run_id: str) -> dict[str, Any]:
        run = self.run_status(run_id)
        if run["status"] != "waiting":
            raise Conflict("this film waits for nobody.")
        return {"run_id": run_id, "gate": "prepublish", "approve_url": "https://x.test/decide", "expires_at": "later"}

    def propose_run(
        self,
        call_id: str,
        *,
        project: str,
        input: dict[str, Any],  # noqa: A002
        options: dict[str, Any],
        classified: dict[str, Any],
    ) -> dict[str, Any]:
        self.classified.append(classified)
        if options and not self.can_change:
            raise InvalidInput("without render there is nothing to publish; skip fewer steps")
        self.proposals.setdefault(call_id, {"project": project, "input": input, "options": options})
        number = list(self.proposals).index(call_id)
        return {
            "run_id": f"run-{number}",
            "plan": ["workflow", "iggy"],
            "requirements": classified.get("requirements", {}),
            "approve_url": f"https://x.test/{number}",
        }


Script = Sequence[AIMessage | Exception | Callable[[list[BaseMessage]], AIMessage]]


class ScriptedModel(BaseChatModel):
    """Says its lines in order; the last one repeats. An exception is raised instead of said."""

    _script: list[Any] = PrivateAttr()
    _seen: list[list[BaseMessage]] = PrivateAttr(default_factory=list)
    _tools: list[list[str]] = PrivateAttr(default_factory=list)

    def __init__(self, *script: AIMessage | Exception | Callable[[list[BaseMessage]], AIMessage]) -> None:
        super().__init__()
        self._script = list(script)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    @property
    def seen(self) -> list[list[BaseMessage]]:
        """The conversation at each call."""
        return self._seen

    @property
    def offered(self) -> list[list[str]]:
        """The tools bound at each call."""
        return self._tools

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        self._tools.append([str(getattr(each, "name", each)) for each in tools])
        return self.bind()

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        self._seen.append(list(messages))
        line = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if isinstance(line, Exception):
            raise line
        message = line(messages) if callable(line) else line.model_copy(deep=True)
        return ChatResult(generations=[ChatGeneration(message=message)])


class CountingStudio(StudioChatModel):
    """The offline model, counting its calls, and failing at one of them."""

    _calls: int = PrivateAttr(default=0)
    _fail_at: int = PrivateAttr(default=0)

    @property
    def calls(self) -> int:
        return self._calls

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        self._calls += 1
        if self._calls == self._fail_at:
            raise ConnectionResetError("the worker died here")
        return super()._generate(messages, stop, run_manager, **kwargs)

    @classmethod
    def failing_at(cls, call: int) -> CountingStudio:
        model = cls(seed=1)
        model._fail_at = call
        return model


def call(name: str, args: dict[str, Any] | None = None, *, id: str = "c-1") -> AIMessage:  # noqa: A002
    return AIMessage("", tool_calls=[{"name": name, "args": args or {}, "id": id}])


def spec_of(project: str) -> dict[str, Any]:
    spec: dict[str, Any] = json.loads((PROJECTS / f"{project}.json").read_text())
    return spec


def brief(persona: str, project: str = "test_video_gen", **changes: Any) -> StageBrief:
    """A brief as the engine makes it from the project file."""
    spec = spec_of(project)
    given: dict[str, Any] = {
        "run_id": "run-1",
        "step_id": f"step-{persona}",
        "persona": persona,
        "project": project,
        "title": spec["title"],
        "specs": spec["specs"],
        "guardrails": spec["guardrails"],
        "expectations": spec["personas"].get(persona, {}),
        "input": {"prompt": "A lighthouse in a storm and a paper boat crossing a puddle"},
        "seed": 1,
    }
    return StageBrief.model_validate(given | changes)


def work(stage: StageBrief, model: BaseChatModel | None = None, **changes: Any) -> StageResult:
    """Runs a stage against in-memory ports."""
    given: dict[str, Any] = {
        "thread_id": stage.step_id,
        "knowledge": Library(GUIDE),
        "production": Studio(),
        "checkpointer": None,
        "model": model or StudioChatModel(seed=stage.seed),
        "settings": CrewSettings(),
    }
    return run_stage(stage, **(given | changes))
