"""Every script of a bad model, with every persona that it fits: contained, and nothing done beyond the contract."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatResult
from pydantic import PrivateAttr

from myloware.kernel.errors import MylowareError
from personas.base import StageBrief
from personas.registry import PERSONAS
from personas.studio.model import StudioChatModel

from .bad_models import KEY, ORDERING, SCRIPTS, Script
from .world import GUIDE, Library, ScriptedModel, Studio, brief, work

CLIPS = [{"index": index, "prompt": "a candle melts", "url": "u", "duration_s": 8} for index in (0, 1)]
WORK = {"persona": "iggy", "output": {"summary": "A candle.", "confidence": 0.6}}
# What each persona's tools do at the production.
MAY = {
    "riley": {"submit_clips", "clips_state"},
    "alex": {"render"},
    "morgan": {"design_sound"},
    "quinn": {"draft_publish"},
}


class Recorder(StudioChatModel):
    """The offline model, whose lines are kept."""

    _said: list[AIMessage] = PrivateAttr(default_factory=list)

    @property
    def said(self) -> list[AIMessage]:
        return self._said

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        result = super()._generate(messages, stop, run_manager, **kwargs)
        message = result.generations[0].message
        assert isinstance(message, AIMessage)
        self._said.append(message.model_copy(deep=True))
        return result


def asked(persona: str, **changes: Any) -> StageBrief:
    """A brief for two clips; Morgan works for one project only."""
    project = "aismr" if persona == "morgan" else "test_video_gen"
    given: dict[str, Any] = {"materials": {"clips": CLIPS, "work": WORK}}
    return brief(persona, project, **(given | changes), **({"specs": _specs()} if persona == "morgan" else {}))


def _specs() -> dict[str, Any]:
    return {**brief("morgan", "aismr").specs, "videoCount": 2}


@cache
def good(persona: str) -> tuple[AIMessage, ...]:
    """What a good model says."""
    model = Recorder(seed=1)
    work(asked(persona), model)
    return tuple(model.said)


CASES = [pytest.param(script, name, id=f"{name} {script.name}") for script in SCRIPTS for name in script.fits]


@pytest.mark.parametrize(("script", "persona"), CASES)
def test_a_bad_model_is_contained(script: Script, persona: str) -> None:
    production = Studio(failures=list(script.failures))
    model = ScriptedModel(*script.lines([line.model_copy(deep=True) for line in good(persona)]))
    stage = asked(persona, **script.changes)
    library = Library(*(script.hits or (GUIDE,)))
    if script.fails:
        with pytest.raises(MylowareError, match=script.fails) as caught:
            work(stage, model, production=production, knowledge=library)
        assert KEY not in caught.value.message
        assert 20 < len(caught.value.message) < 700
    else:
        result = work(stage, model, production=production, knowledge=library)
        PERSONAS[persona].output.model_validate(result.output)
        assert KEY not in str(result.output)
    assert set(production.calls) <= MAY.get(persona, set())
    made = [*production.clips.values(), *production.renders.values()]
    made += [*production.sounds.values(), *production.drafts.values()]
    assert len(made) <= script.orders
    assert KEY not in str(made)
    assert "evil" not in str(made)
    assert KEY not in str(library.searches)
    assert len(model.seen) <= PERSONAS[persona].limits.model_calls


def test_there_are_enough_scripts_and_each_persona_meets_them() -> None:
    assert len({script.name for script in SCRIPTS}) == len(SCRIPTS) >= 40
    assert {name for script in SCRIPTS for name in script.fits} == {*PERSONAS}
    assert set(ORDERING) == {*MAY}
