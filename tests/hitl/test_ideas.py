"""The gate for ideas: each can be kept, edited or left out, and the film is made of what was approved."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse

from runs import services
from runs.models import Approval, Run
from runs.schemas import IdeaEdit, Specs
from runs.story import Story
from tests.runs import journey

from . import scenes
from .test_approval_page import press

if TYPE_CHECKING:
    from django.test import Client

EDITED = "A candle of clear honey stands in the rain, and every drop leaves a ring that glows."


def fields(run: Run, **changed: str) -> dict[str, str]:
    """What the page's form sends: every text, and a tick for each idea that is left out."""
    ideas = services.shown_at(scenes.gate(run))["ideas"]
    texts = {
        f"idea-{idea['index']}-{name}": idea[name]
        for idea in ideas
        for name in ("subject", "header", "title", "concept")
    }
    return texts | {name.replace("_", "-"): value for name, value in changed.items()}


def approved(run: Run) -> list[dict[str, Any]]:
    output = Approval.objects.get(run=run, gate="ideate").step.output
    assert output is not None
    ideas: list[dict[str, Any]] = output["ideas"]
    return ideas


def test_every_card_can_be_edited_and_left_out(visitor: Client) -> None:
    text = visitor.get(scenes.page(scenes.at_ideate())).content.decode()
    assert text.count("Leave out") == 12
    for name in ("subject", "header", "title", "concept", "drop"):
        assert text.count(f'name="idea-11-{name}"') == 1


def test_untouched_ideas_stay_as_they_are(visitor: Client) -> None:
    run = scenes.at_ideate()
    assert press(visitor, scenes.page(run), "approve", **fields(run)).status_code == 303
    assert approved(run) == scenes.IDEAS
    assert Approval.objects.get(gate="ideate").edits == {}


def test_two_are_edited_and_one_is_left_out(visitor: Client) -> None:
    run = scenes.at_ideate()
    url = scenes.page(run, recipient="ada@example.com")
    sent = fields(run, idea_0_concept=EDITED, idea_0_header="Honey", idea_2_title="By hand", idea_5_drop="on")
    assert press(visitor, url, "approve", **sent).status_code == 303
    ideas = approved(run)
    assert [idea["index"] for idea in ideas] == list(range(11))
    assert (ideas[0]["header"], ideas[0]["concept"], ideas[2]["title"]) == ("Honey", EDITED, "By hand")
    assert ideas[5] == scenes.IDEAS[6] | {"index": 5}
    assert Approval.objects.get(gate="ideate").edits == {
        "ideas": [
            {"index": 0, "header": "Honey", "concept": EDITED},
            {"index": 2, "title": "By hand"},
            {"index": 5, "drop": True},
        ]
    }
    text = visitor.get(url).content.decode()
    assert text.count('class="card idea"') == 11
    assert "By hand" in text
    assert "11 × 8 s" in text


def test_a_shorter_film_is_expected_to_be_shorter(visitor: Client) -> None:
    run = scenes.at_ideate()
    press(visitor, scenes.page(run), "approve", **fields(run, idea_5_drop="on"))
    specs = Run.objects.get(id=run.id).payload.specs
    assert specs.video_count == 11
    assert specs.compilation_length is not None
    assert (specs.compilation_length.min, specs.compilation_length.max) == (72.5, 73.5)
    assert specs.model_dump(by_alias=True)["compilationLength"]["target"] == 73.0


def test_over_http_the_same_edits_give_the_same_rows(visitor: Client, api: Client) -> None:
    by_page, by_api = scenes.at_ideate(), scenes.at_ideate()
    sent = fields(by_page, idea_1_header="Honey", idea_3_drop="on")
    press(visitor, scenes.page(by_page), "approve", **sent)
    wanted = {
        "verdict": "approve",
        "digest": services.digest_of(scenes.gate(by_api)),
        "edits": {"ideas": [{"index": 1, "header": "Honey"}, {"index": 3, "drop": True}]},
    }
    answer = api.post(reverse("hitl-decide", args=[by_api.id, "ideate"]), wanted, "application/json")
    assert answer.status_code == 200
    assert approved(by_api) == approved(by_page)
    edits = [Approval.objects.get(run=run, gate="ideate").edits for run in (by_page, by_api)]
    assert edits[0] == edits[1]
    lines = [list(run.events.values_list("subject", "old", "new", "reason")) for run in (by_page, by_api)]
    assert lines[0] == lines[1]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"idea_3_header": ""}, "idea 4: header"),
        ({"idea_3_concept": "Too short."}, "idea 4: concept"),
        ({f"idea_{index}_drop": "on" for index in range(12)}, "Every idea is dropped"),
    ],
)
def test_what_cannot_be_filmed_is_said_and_nothing_typed_is_lost(
    visitor: Client, changed: dict[str, str], words: str
) -> None:
    run = scenes.at_ideate()
    answer = press(visitor, scenes.page(run), "approve", **fields(run, idea_1_title="Typed before.", **changed))
    assert answer.status_code == 422
    text = answer.content.decode()
    assert words in text
    assert "Typed before." in text
    assert not Approval.objects.filter(gate="ideate").exists()


@pytest.mark.parametrize("edits", [{"ideas": [{"index": 12}]}, {"ideas": [{"index": 1, "concept": "short"}]}])
def test_over_http_impossible_edits_are_refused(api: Client, edits: dict[str, Any]) -> None:
    run = scenes.at_ideate()
    wanted = {"verdict": "approve", "digest": services.digest_of(scenes.gate(run)), "edits": edits}
    answer = api.post(reverse("hitl-decide", args=[run.id, "ideate"]), wanted, "application/json")
    assert answer.status_code in {400, 422}
    assert not Approval.objects.filter(gate="ideate").exists()


def test_a_plan_has_nothing_to_edit(api: Client) -> None:
    run = scenes.at_workflow()
    wanted = {"verdict": "approve", "digest": services.digest_of(scenes.gate(run)), "edits": {"caption": "Hello."}}
    answer = api.post(reverse("hitl-decide", args=[run.id, "workflow"]), wanted, "application/json")
    assert answer.status_code == 422
    assert "nothing can be edited" in answer.json()["error"]["message"]


def test_the_film_is_made_of_exactly_the_edited_ideas(visitor: Client) -> None:
    run = scenes.at_workflow("aismr")
    journey.small(run)
    scenes.decide(run)
    assert journey.work(run, "iggy") == "done"
    scenes.park(run)
    dropped = services.shown_at(scenes.gate(run))["ideas"][11]["header"]
    sent = fields(run, idea_0_header="Glowing honey", idea_0_concept=EDITED, idea_4_title="By hand", idea_11_drop="on")
    assert press(visitor, scenes.page(run), "approve", **sent).status_code == 303
    ideas = approved(run)
    assert journey.work(run, "riley") == "done"
    orders = list(run.jobs.filter(kind="clips").order_by("index"))
    assert len(orders) == 11
    assert "clear honey stands in the rain" in orders[0].request["prompt"]
    run.refresh_from_db()
    journey.go(run, "alex")
    assert journey.work(run, "alex") == "done"
    edit = json.dumps(run.jobs.get(kind="render").request["edit"])
    assert all(json.dumps(idea["header"]) in edit for idea in ideas)
    assert "Glowing honey" in edit
    assert json.dumps(dropped) not in edit
    run.refresh_from_db()
    shots = Story(run).shots
    assert [shot.header for shot in shots] == [idea["header"] for idea in ideas]


def test_the_bounds_are_those_of_iggys_ideas() -> None:
    from personas.iggy.persona import Idea

    own, theirs = IdeaEdit.model_json_schema()["properties"], Idea.model_json_schema()["properties"]
    for name in ("subject", "header", "title", "concept"):
        text = own[name]["anyOf"][0]
        assert {key: text[key] for key in ("minLength", "maxLength")} == {
            key: theirs[name][key] for key in ("minLength", "maxLength")
        }


def test_as_many_clips_as_before_change_no_number() -> None:
    run = scenes.at_workflow("aismr")
    specs: Specs = run.payload.specs
    assert specs.with_clips(12) == specs
