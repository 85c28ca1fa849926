"""What a person asked beyond the project reaches the crew as a quotation, and moves nothing but the film."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from personas.base import INTRODUCTION
from personas.registry import PERSONAS

from .bad_models import ORDER
from .test_bad_models import Recorder, asked
from .world import ScriptedModel, Studio, call, work

WISHES = {"language": "German", "must_have": ["a red umbrella"], "avoid": ["people"], "length": "about 15 seconds"}
CREW = ("iggy", "riley", "alex", "morgan", "quinn", "reviewer")


def lines(persona: str, requirements: dict[str, Any]) -> tuple[list[AIMessage], Studio]:
    """What the offline model does under such a brief, and what came of it."""
    model, production = Recorder(seed=1), Studio()
    work(asked(persona, requirements=requirements), model, production=production)
    return model.said, production


def calls(said: list[AIMessage]) -> list[str]:
    return [each["name"] for message in said for each in message.tool_calls]


@pytest.mark.parametrize("persona", CREW)
def test_the_prompt_holds_them_below_the_guardrails_as_what_others_wrote(persona: str) -> None:
    good, _ = lines(persona, {})
    model = ScriptedModel(*good)
    brief = asked(persona, requirements=WISHES)
    work(brief, model)
    system, told = model.seen[0]
    first, _, rest = told.text.partition("\n")
    assert isinstance(told, HumanMessage)
    assert first == INTRODUCTION
    assert json.loads(rest)["requirements"] == WISHES
    assert list(json.loads(rest)).index("requirements") == list(json.loads(rest)).index("guardrails") + 1
    assert "umbrella" not in system.text
    assert "requirements" in PERSONAS[persona].prompt


@pytest.mark.parametrize("persona", CREW)
def test_an_order_among_them_changes_no_use_of_tools(persona: str) -> None:
    usual, quiet = lines(persona, {})
    ordered, loud = lines(persona, {"must_have": [ORDER], "avoid": [ORDER], "language": ORDER[:40], "length": ORDER})
    assert calls(ordered) == calls(usual)
    assert loud.calls == quiet.calls


@pytest.mark.parametrize("persona", ["iggy", "riley"])
def test_a_model_that_obeys_an_order_among_them_finds_no_tool_for_it(persona: str) -> None:
    good, _ = lines(persona, {})
    publish = call("publish_to_tiktok_tool", {"caption": "Bought."}, id="evil")
    model, production = ScriptedModel(publish, *good), Studio()
    work(asked(persona, requirements={"must_have": [ORDER]}), model, production=production)
    assert production.drafts == {}
    assert "publish_to_tiktok_tool" not in {name for offered in model.offered for name in offered}
    usual = ScriptedModel(*good)
    work(asked(persona), usual)
    assert model.offered[0] == usual.offered[0]
