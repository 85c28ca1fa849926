"""Ideas that repeat neither each other nor an earlier film."""

from __future__ import annotations

from typing import Any

import pytest

from knowledge.likeness import alike
from myloware.kernel.errors import ContractBroken
from personas.studio.lexicon import COMPOSED, MODIFIERS

from .bad_models import fresh
from .test_bad_models import Recorder
from .world import ScriptedModel, brief, spec_of, work

LIMIT = 0.85


def ideas(archive: list[str], **given: Any) -> list[str]:
    """The headers of a film's ideas."""
    stage = brief("iggy", "aismr", input={"prompt": "a candle", **given}, materials={"archive": archive})
    return [idea["header"] for idea in work(stage).output["ideas"]]


def test_fifty_films_in_a_row_repeat_nothing() -> None:
    archive: list[str] = []
    for _ in range(50):
        new = ideas(archive)
        assert len(set(new)) == 12
        assert not set(new) & set(archive)
        archive += new
    assert (
        float(next(rail["tolerance"] for rail in spec_of("aismr")["guardrails"] if rail["key"] == "modifiers.unique"))
        == LIMIT
    )
    assert alike(archive, [], limit=LIMIT) == []


def test_no_two_words_of_the_offline_model_are_too_near() -> None:
    names = [each.name for each in (*MODIFIERS, *COMPOSED)]
    assert len(set(names)) == len(names) > 600
    assert alike(names, [], limit=LIMIT) == []


def scripted(header: str) -> ScriptedModel:
    """Iggy with one header that is not new."""
    model = Recorder(seed=1)
    work(brief("iggy", "aismr", input={"prompt": "a candle"}), model)
    search, good = model.said
    args = good.tool_calls[0]["args"]
    changed = [{**idea, "header": header} if idea["index"] == 3 else idea for idea in args["ideas"]]
    return ScriptedModel(search, fresh(good, ideas=changed), fresh(good))


def test_what_was_filmed_before_goes_back_once_with_its_neighbour() -> None:
    stage = brief("iggy", "aismr", input={"prompt": "a candle"}, materials={"archive": ["rusting pearls"]})
    model = scripted("rusting pearl")
    work(stage, model)
    assert "'rusting pearl' and 'rusting pearls'" in model.seen[2][-1].text


def test_who_repeats_it_fails_with_the_reason() -> None:
    stage = brief("iggy", "aismr", input={"prompt": "a candle"}, materials={"archive": ["rusting pearl"]})
    lines = scripted("rusting pearl")
    with pytest.raises(ContractBroken, match="too near"):
        work(stage, ScriptedModel(*lines._script[:2]))


def test_what_a_person_names_is_filmed_again() -> None:
    assert ideas(["rain inside"], modifiers=["rain inside"])[0] == "rain inside"


def test_a_project_without_the_rule_may_repeat_itself() -> None:
    work(brief("iggy", materials={"archive": ["cheeseburger"]}))
