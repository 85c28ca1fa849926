"""Puts a persona to work on a step: brief in, output and evidence out."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection

from personas import checkpoints
from personas.base import StageBrief, StageResult
from personas.llm import chat_model, fallback_models

from . import archive, money, services
from .models import Step
from .ports import Desk, Library, clip_artifacts, film_url, outputs
from .states import REVIEWER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from personas.traces import Outcome

# Long enough to look at what an agent did.
KEPT = timedelta(days=7)


def perform(step: Step) -> dict[str, Any]:
    """Runs the step's persona and returns its structured output.

    A step taken over after a crash continues from its checkpoint; a person's retry starts a fresh thread.
    Raises ``BudgetExceeded`` when its model, or what it orders, would break a cap; it can go on after that.
    """
    # LangChain takes a second and 70 MB to load: only a process that runs a stage pays for it.
    from personas.agent import messages_of, model_calls, prompt_of, run_stage, searches

    if step.name == "iggy":
        archive.file_films(step.run)
    brief = brief_of(step)
    thread_id, checkpointer = _thread_of(step), checkpoints.saver(conninfo())
    money.reserve_stage(step)
    _keep_prompt(step, prompt_of(brief, settings.CREW))
    try:
        with _traced(step, brief) as outcome:
            result = run_stage(
                brief,
                thread_id=thread_id,
                knowledge=Library(),
                production=Desk(step),
                checkpointer=checkpointer,
                model=chat_model(settings.CREW, seed=brief.seed, persona=step.name),
                fallbacks=fallback_models(settings.CREW, seed=brief.seed),
                settings=settings.CREW,
            )
            outcome.output = result.output
    finally:
        # A stage that fails has used its model, and looked things up, too.
        said = messages_of(thread_id, checkpointer)
        money.settle_stage(step, model_calls(said))
        _keep_searches(step, searches(said))
    _keep_evidence(step, result)
    return result.output


@contextmanager
def _traced(step: Step, brief: StageBrief) -> Iterator[Outcome]:
    """Traces the stage in LangSmith, and keeps a paper about the first of a run that was."""
    from personas.traces import traced

    known = step.run.artifacts.filter(type="trace").exists()
    outcome = None
    try:
        with traced(brief, settings.CREW, began=step.run.created_at, known=known, secrets=settings.SECRETS) as outcome:
            yield outcome
    finally:
        if outcome and outcome.sent and not known:
            paper = {"service": "langsmith", "project": settings.CREW.langsmith_project, "trace_id": str(step.run_id)}
            services.record_artifact(run=step.run, step=step, type="trace", metadata=paper)


def _thread_of(step: Step) -> str:
    return f"{step.id}.{step.retries}"


def forget_old_threads(now: datetime) -> int:
    """Deletes the agents' threads of steps that are over since a week: nothing goes on from them, and they add up."""
    thread_of = re.compile(r"([0-9a-f-]{36})\.\d+")
    threads = {thread: found[1] for thread in checkpoints.threads(conninfo()) if (found := thread_of.fullmatch(thread))}
    over = Step.objects.filter(id__in=set(threads.values()), finished_at__lt=now - KEPT).values_list("id", flat=True)
    old = {str(step_id) for step_id in over}
    forgotten = [thread for thread, step_id in threads.items() if step_id in old]
    for thread in forgotten:
        checkpoints.forget(conninfo(), thread)
    return len(forgotten)


def brief_of(step: Step) -> StageBrief:
    """Everything the persona may know."""
    payload, spec = step.run.payload, step.run.project.spec
    expectations = spec.personas.get(step.name)
    return StageBrief(
        run_id=str(step.run_id),
        step_id=str(step.id),
        persona=step.name,
        project=spec.slug,
        title=spec.title,
        specs=payload.specs.model_dump(mode="json", by_alias=True),
        guardrails=list(spec.guardrails),
        requirements=payload.graph_spec.requirements.said,
        expectations=expectations.model_dump(mode="json") if expectations else {},
        input=payload.input.model_dump(mode="json"),
        options=payload.options.model_dump(mode="json", by_alias=True),
        materials=_materials(step),
        notes=step.notes,
        seed=payload.options.seed,
    )


def _materials(step: Step) -> dict[str, Any]:
    handed = outputs(step)
    ideas = handed.get("iggy", {}).get("ideas", [])
    social = step.run.project.primary_social()
    if step.name == REVIEWER:
        return {"work": _work_before(step)}
    return {
        **({"archive": archive.headers(step.run)} if step.name == "iggy" else {}),
        "ideas": ideas,
        "clips": [
            {
                "index": clip.metadata["index"],
                "prompt": clip.metadata["prompt"],
                "url": clip.media_url,
                "duration_s": clip.metadata["duration_s"],
            }
            for clip in clip_artifacts(step)
        ],
        "film": film_url(step),
        "account": {"platform": social.provider, "name": social.account_id} if social else {},
    }


def _work_before(step: Step) -> dict[str, Any]:
    """What the reviewer reads."""
    work = step.run.steps.filter(kind="stage", position__lt=step.position).last()
    return {"persona": work.name, "output": work.output} if work else {}


def _keep_prompt(step: Step, told: dict[str, Any]) -> None:
    """Once per thread: a stage that is taken over goes on with what its model was told."""
    paper = told | {"retries": step.retries}
    if not step.artifacts.filter(type="prompt", metadata__retries=step.retries).exists():
        services.record_artifact(run=step.run, step=step, type="prompt", metadata=paper)


def _keep_searches(step: Step, made: list[dict[str, Any]]) -> None:
    kept = set(step.artifacts.filter(type="retrieval.trace").values_list("metadata__call_id", flat=True))
    for search in made:
        if search["call_id"] not in kept:
            services.record_artifact(
                run=step.run, step=step, type="retrieval.trace", metadata=search | {"persona": step.name}
            )


def _keep_evidence(step: Step, result: StageResult) -> None:
    kinds = {"iggy": "idea", "riley": "script"}
    if step.name in kinds:
        services.record_artifact(run=step.run, step=step, type=kinds[step.name], metadata=result.output)
    services.record_artifact(
        run=step.run,
        step=step,
        type="citations",
        metadata={
            "persona": step.name,
            "model": result.model,
            "documents": result.citations,
            "tool_calls": result.tool_calls,
            "input_tokens": result.input_tokens,
            "output_tokens": result.output_tokens,
        },
    )


@lru_cache(maxsize=1)
def _conninfo(parameters: tuple[tuple[str, Any], ...]) -> str:
    from psycopg.conninfo import make_conninfo

    return make_conninfo(**dict(parameters))


def conninfo() -> str:
    """libpq connection string of Django's database (the test database in tests), for the checkpointer's own pool."""
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    values = {names[key]: str(value) for key, value in connection.settings_dict.items() if key in names and value}
    return _conninfo(tuple(sorted(values.items())))


def prepare_checkpoints(sender: object, **_: Any) -> None:
    """After each migrate: the checkpointer brings its own tables up to date."""
    checkpoints.setup(conninfo())
