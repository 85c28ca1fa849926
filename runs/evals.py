"""Scores the crew over versioned datasets (``fixtures/evals``): by checks, and by a judge where there is one.

Nothing is ordered.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from pydantic import BaseModel, ConfigDict, Field

from myloware.kernel.errors import ContractBroken
from personas.base import StageBrief, StageResult
from personas.contracts import missing
from personas.llm import chat_model, fallback_models
from personas.registry import PERSONAS

from .ports import Library
from .schemas import ProjectSpec, RunInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from myloware.kernel.cues import Cue
    from personas.judge import Mark
    from personas.ports import ClipRequest, PublishRequest, RenderRequest

FIXTURES = Path(settings.BASE_DIR) / "fixtures"


class Case(BaseModel):
    """One brief of a project."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    project: str
    input: RunInput


class Dataset(BaseModel):
    """Briefs for one persona. ``least`` is the share of its checks that have to pass, 0-1.

    ``question`` is what a judge is asked about each case, and ``least_mark`` the mean of its marks that will do, 0-1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    persona: str
    least: float = Field(ge=0, le=1)
    checks: tuple[str, ...]
    question: str
    least_mark: float = Field(ge=0, le=1)
    cases: tuple[Case, ...]


@dataclass
class Rehearsal:
    """A production that writes down what it is asked for, and makes nothing."""

    texts: list[str] = field(default_factory=list)

    def submit_clips(self, call_id: str, videos: Sequence[ClipRequest]) -> dict[str, Any]:
        self.texts += [video.prompt for video in videos]
        return {"submitted": [{"index": video.index} for video in videos]}

    def clips_state(self) -> dict[str, Any]:
        return {"clips": []}

    def render(self, call_id: str, request: RenderRequest) -> dict[str, Any]:
        return {"render": call_id}

    def design_sound(self, call_id: str, cues: Sequence[Cue]) -> dict[str, Any]:
        return {"cues": []}

    def draft_publish(self, call_id: str, draft: PublishRequest) -> dict[str, Any]:
        self.texts.append(draft.caption)
        return {"status": "drafted", "findings": []}


@dataclass(frozen=True)
class Take:
    """One case, as it was played."""

    brief: StageBrief
    result: StageResult
    production: Rehearsal

    @property
    def texts(self) -> list[str]:
        """What the persona wrote: headers, prompts, or the caption."""
        output = self.result.output
        ideas = [idea["header"] for idea in output.get("ideas", [])]
        return ideas or [clip["prompt"] for clip in output.get("clips", [])] or [str(output.get("caption", ""))]

    def rules(self, enforcement: str) -> list[str]:
        """First guideline of each guardrail enforced there, up to its first blank to fill in."""
        rails = [rail for rail in self.brief.guardrails if rail["enforcement"] == enforcement and rail["guidelines"]]
        return [str(rail["guidelines"][0]).partition("{")[0].strip() for rail in rails]


def _contract(take: Take) -> bool:
    called = [call["name"] for call in take.result.tool_calls if call["ok"]]
    return not missing(take.brief.persona, allowed=take.brief.expectations.tools, called=called)


def _schema(take: Take) -> bool:
    persona = PERSONAS[take.brief.persona]
    return not persona.check(persona.output.model_validate(take.result.output), take.brief)


def _names_the_brief(take: Take) -> bool:
    subjects = {idea["subject"].lower() for idea in take.result.output["ideas"]}
    said = json.dumps(take.brief.input).lower()
    return all(any(word in said for word in subject.split()) for subject in subjects)


CHECKS: Mapping[str, Callable[[Take], bool]] = {
    "contract": _contract,
    "schema": _schema,
    "distinct": lambda take: len({text.lower() for text in take.texts}) == len(take.texts),
    "short_headers": lambda take: all(len(text.split()) <= 4 for text in take.texts),
    "names_the_brief": _names_the_brief,
    "sure_enough": lambda take: float(take.result.output["confidence"]) >= 0.65,
    "says_the_length": lambda take: all(f"{take.brief.clip_duration_s:g} second" in text for text in take.texts),
    "carries_the_rules": lambda take: all(rule in text for text in take.texts for rule in take.rules("prompt")),
    "says_that_it_is_ai": lambda take: "made with ai" in take.texts[0].lower(),
    "orders_what_it_hands_in": lambda take: take.production.texts == take.texts,
}


@dataclass(frozen=True)
class Score:
    """How a case went: ``failed`` checks, or why there was nothing to check.

    ``mark`` is the judge's, None without one. ``example`` is the case as LangSmith keeps it.
    """

    case: str
    passed: float
    failed: tuple[str, ...] = ()
    mark: Mark | None = None
    example: dict[str, Any] = field(default_factory=dict)


def datasets() -> dict[str, Dataset]:
    """All of them, by name."""
    found = sorted((FIXTURES / "evals").glob("*.json"))
    return {path.stem: Dataset.model_validate_json(path.read_text()) for path in found}


def scores(dataset: Dataset) -> Iterator[Score]:
    """One by one, as they are played."""
    for case in dataset.cases:
        try:
            take = _take(dataset.persona, case)
        except ContractBroken as error:
            yield Score(case.name, 0, (error.message,), example=_example(dataset, case))
            continue
        failed = tuple(name for name in dataset.checks if not CHECKS[name](take))
        passed = 1 - len(failed) / len(dataset.checks)
        # What passed every check will do for a reference.
        example = _example(dataset, case) | ({} if failed else {"reference_outputs": take.result.output})
        yield Score(case.name, passed, failed, _mark(dataset, take), example)


def mean_mark(played: Sequence[Score]) -> float | None:
    """Of the judge, a case without work counting as 0; None when there is no judge."""
    if not settings.CREW.judge_model:
        return None
    return sum(score.mark.score if score.mark else 0 for score in played) / len(played)


def publish(name: str, dataset: Dataset, played: Sequence[Score]) -> int:
    """How many cases LangSmith has taken: none without a key, or where this version is there already.

    Raises ``ProviderUnavailable``.
    """
    if not settings.CREW.langsmith_api_key.get_secret_value():
        return 0
    from personas.datasets import upload

    title = f"myloware {name} v{dataset.version}"
    return upload(title, dataset.question, [score.example for score in played], settings=settings.CREW)


def _mark(dataset: Dataset, take: Take) -> Mark | None:
    if not settings.CREW.judge_model:
        return None
    from personas.judge import mark

    brief = take.brief.model_dump_json(include={"input", "specs", "guardrails"})
    return mark(dataset.question, brief=brief, work=json.dumps(take.result.output), settings=settings.CREW)


def _example(dataset: Dataset, case: Case) -> dict[str, Any]:
    about = {"case": case.name, "persona": dataset.persona, "checks": list(dataset.checks)}
    return {"inputs": case.model_dump(mode="json", include={"project", "input"}), "metadata": about}


def _take(persona: str, case: Case) -> Take:
    from personas.agent import run_stage

    brief, production = _brief(persona, case), Rehearsal()
    result = run_stage(
        brief,
        thread_id=f"evals.{persona}",
        knowledge=Library(),
        production=production,
        checkpointer=None,
        model=chat_model(settings.CREW, seed=brief.seed, persona=persona),
        fallbacks=fallback_models(settings.CREW, seed=brief.seed),
        settings=settings.CREW,
    )
    return Take(brief, result, production)


def _brief(persona: str, case: Case) -> StageBrief:
    spec = ProjectSpec.model_validate_json((FIXTURES / "projects" / f"{case.project}.json").read_text())
    return StageBrief(
        run_id="",
        step_id="",
        persona=persona,
        project=spec.slug,
        title=spec.title,
        specs=spec.specs.model_dump(mode="json", by_alias=True),
        guardrails=list(spec.guardrails),
        expectations=spec.personas[persona].model_dump(mode="json"),
        input=case.input.model_dump(mode="json"),
    )
