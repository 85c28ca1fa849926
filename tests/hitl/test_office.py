"""What Brendan may do for a person."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from hitl.links import read
from hitl.office import NEWS, UserOffice
from myloware.kernel.errors import Conflict, NotFound, UnprocessableInput
from runs import services
from runs.crew import brief_of
from runs.models import Approval, Artifact, Run
from runs.states import RunStatus, Verdict

from . import scenes

if TYPE_CHECKING:
    from django.test import Client

CLASSIFIED = {"confidence": 0.9, "complexity": "usual"}
WISH = {
    "project": "test_video_gen",
    "input": {"prompt": scenes.BRIEF},
    "options": {},
    "classified": CLASSIFIED,
}


def test_a_proposal_waits_for_approval() -> None:
    proposal = UserOffice("alice").propose_run("call-1", **WISH)  # type: ignore[arg-type]
    run = Run.objects.get(id=proposal["run_id"])
    assert (run.status, run.user_id) == (RunStatus.WAITING, "alice")
    assert proposal["plan"][:2] == ["workflow", "iggy"]
    assert "/workflow?token=" in proposal["approve_url"]


def test_the_same_call_again_is_the_same_run() -> None:
    office = UserOffice("alice")
    first, again = (office.propose_run("call-1", **WISH) for _ in range(2))  # type: ignore[arg-type]
    assert first["run_id"] == again["run_id"]
    assert Run.objects.count() == 1
    UserOffice("bob").propose_run("call-1", **WISH)  # type: ignore[arg-type]
    assert Run.objects.count() == 2


def test_requirements_are_part_of_the_plan_that_is_approved_and_of_every_brief() -> None:
    said = {"language": "German", "must_have": ["a red umbrella"], "avoid": ["people"], "length": "about 15 seconds"}
    wish = {**WISH, "classified": {**CLASSIFIED, "requirements": said}}
    proposal = UserOffice("alice").propose_run("call-1", **wish)  # type: ignore[arg-type]
    assert proposal["requirements"] == said
    run = Run.objects.get(id=proposal["run_id"])
    assert run.payload.graph_spec.requirements.said == said
    assert services.shown_at(scenes.gate(run))["plan"]["requirements"] == said
    assert Artifact.objects.get(type="run.proposal").metadata["requirements"] == said
    scenes.decide(run)
    for name in run.payload.graph_spec.pipeline:
        assert brief_of(run.steps.get(kind="stage", name=name)).requirements == said


def test_a_plan_without_requirements_shows_none() -> None:
    run = scenes.at_workflow()
    assert "requirements" not in services.shown_at(scenes.gate(run))["plan"]
    assert brief_of(run.steps.get(name="iggy")).requirements == {}


def test_the_gate_shows_the_requirements_as_text(visitor: Client) -> None:
    requirements = {"avoid": ["<script>people</script>"], "language": "German"}
    wish = {**WISH, "classified": {**CLASSIFIED, "requirements": requirements}}
    proposal = UserOffice("alice").propose_run("call-1", **wish)  # type: ignore[arg-type]
    html = visitor.get(f"/v1/{proposal['approve_url'].partition('/v1/')[2]}").content.decode()
    assert "Also asked for" in html
    assert "<dt>Language</dt><dd>German</dd>" in html
    assert "<dt>Must not have</dt><dd>&lt;script&gt;people&lt;/script&gt;</dd>" in html


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"classified": {"requirements": {"avoid": ["x" * 161]}}}, "avoid.0: String should have at most 160"),
        ({"classified": {"requirements": {"must_have": ["x"] * 9}}}, "must_have: Tuple should have at most 8"),
        ({"classified": {"requirements": {"tools": ["all"]}}}, "tools: Extra inputs"),
        ({"project": "opera"}, "no project 'opera'"),
        ({"input": {}}, "at least one of"),
        ({"options": {"skip_steps": ["nobody"]}}, "no step named nobody"),
    ],
)
def test_a_wrong_proposal_is_answered_in_words(change: dict[str, object], words: str) -> None:
    with pytest.raises(UnprocessableInput, match=words):
        UserOffice("alice").propose_run("call-1", **{**WISH, **change})  # type: ignore[arg-type]
    assert not Run.objects.exists()


def test_the_news_tell_of_gates_decisions_and_endings_in_order() -> None:
    run = scenes.at_workflow(user_id="alice")
    scenes.decide(run, comment="go on")
    scenes.work(run, {})
    services.cancel(run.id, actor="alice", reason="not today")
    news = UserOffice("alice").news()
    assert [(each["event"], each["gate"], each["by"], each["said"]) for each in news] == [
        ("gate_opened", "workflow", "", ""),
        ("approved", "workflow", "bob", "go on"),
        ("cancelled", "", "", "not today"),
    ]
    assert {each["title"] for each in news} == {scenes.BRIEF}
    assert {each["run_id"] for each in news} == {str(run.id)}
    assert UserOffice("mallory").news() == []


def test_what_was_sent_back_is_news_and_what_failed() -> None:
    run = scenes.at_ideate()
    Run.objects.update(user_id="alice")
    scenes.decide(run, Verdict.REVISE, "brighter")
    step = services.claim(run.cursor().id)  # type: ignore[union-attr]
    assert step is not None
    services.fail(step, "the model is away")
    *_, back, failed = UserOffice("alice").news()
    assert (back["event"], back["gate"], back["said"]) == ("sent_back", "ideate", "brighter")
    assert (failed["event"], failed["said"]) == ("failed", "iggy: the model is away")


def test_news_have_an_end() -> None:
    runs = [scenes.at_workflow(user_id="alice") for _ in range(NEWS + 3)]
    assert [each["run_id"] for each in UserOffice("alice").news()] == [str(run.id) for run in runs[-NEWS:]]


def test_a_link_leads_to_the_gate_that_is_open_and_bears_the_users_name(visitor: Client) -> None:
    run = scenes.at_workflow(user_id="alice")
    link = UserOffice("alice").gate_link(str(run.id))
    assert (link["run_id"], link["gate"]) == (str(run.id), "workflow")
    assert timedelta(hours=23) < datetime.fromisoformat(link["expires_at"]) - timezone.now() <= timedelta(hours=24)
    path = link["approve_url"].partition("/v1/")[2]
    found = read(scenes.token_of(link["approve_url"]), run.id, "workflow")
    assert found.recipient == "alice"
    assert visitor.get(f"/v1/{path}").status_code == 200
    assert not Approval.objects.exists()


def test_a_link_decides_once(visitor: Client) -> None:
    run = scenes.at_workflow(user_id="alice")
    url = UserOffice("alice").gate_link(str(run.id))["approve_url"]
    path = f"/v1/{url.partition('/v1/')[2]}".partition("?")[0]
    said = {"token": scenes.token_of(url), "verdict": "approve"}
    assert [visitor.post(path, said).status_code for _ in range(2)] == [303, 409]
    assert Approval.objects.get().actor == "alice"
    with pytest.raises(Conflict, match="waits for nobody"):
        UserOffice("alice").gate_link(str(run.id))


def test_people_see_their_own_runs_only() -> None:
    run = scenes.at_workflow(user_id="alice")
    (mine,) = UserOffice("alice").my_runs()
    assert (mine["run_id"], mine["status"], mine["step"]) == (str(run.id), "waiting", "workflow")
    assert UserOffice("alice").run_status(str(run.id))["approve_url"]
    assert UserOffice("mallory").my_runs() == []
    for run_id in (str(run.id), "not an id"):
        with pytest.raises(NotFound):
            UserOffice("mallory").run_status(run_id)
        with pytest.raises(NotFound):
            UserOffice("mallory").gate_link(run_id)
