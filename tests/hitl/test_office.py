"""What Brendan may do for a person."""

from __future__ import annotations

import pytest

from hitl.office import UserOffice
from myloware.kernel.errors import NotFound, UnprocessableInput
from runs.models import Run
from runs.states import RunStatus

from . import scenes

WISH = {
    "project": "test_video_gen",
    "input": {"prompt": scenes.BRIEF},
    "options": {},
    "classified": {"confidence": 0.9, "complexity": "usual"},
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


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"project": "opera"}, "no project 'opera'"),
        ({"input": {}}, "at least one of"),
        ({"options": {"skip_steps": ["nobody"]}}, "no step named nobody"),
    ],
)
def test_a_wrong_proposal_is_answered_in_words(change: dict[str, object], words: str) -> None:
    with pytest.raises(UnprocessableInput, match=words):
        UserOffice("alice").propose_run("call-1", **{**WISH, **change})  # type: ignore[arg-type]
    assert not Run.objects.exists()


def test_people_see_their_own_runs_only() -> None:
    run = scenes.at_workflow(user_id="alice")
    (mine,) = UserOffice("alice").my_runs()
    assert (mine["run_id"], mine["status"], mine["step"]) == (str(run.id), "waiting", "workflow")
    assert UserOffice("alice").run_status(str(run.id))["approve_url"]
    assert UserOffice("mallory").my_runs() == []
    for run_id in (str(run.id), "not an id"):
        with pytest.raises(NotFound):
            UserOffice("mallory").run_status(run_id)
