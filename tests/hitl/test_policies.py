"""Who may decide at a gate, how many of them, and what becomes of it when nobody does."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pydantic import ValidationError

from runs import services, sweeps
from runs.models import Approval, Project, Run, RunEvent, Step
from runs.schemas import Policy
from runs.states import RunStatus, StepStatus
from tests.providers.media.media_files import FINE

from . import scenes
from .test_approval_page import press

if TYPE_CHECKING:
    from collections.abc import Callable

ADA, GRACE, EVE = "ada@example.com", "grace@example.com", "eve@example.com"
FOUR_EYES: dict[str, Any] = {"approvers": (ADA, GRACE), "quorum": 2}


def policy(gate: str, slug: str = "test_video_gen", **values: Any) -> None:
    """Gives a project's gate a policy, as its file would."""
    project = Project.objects.get(slug=slug)
    gates = [
        each.model_copy(update={"policy": Policy(**values)} if each.id == gate else {}) for each in project.spec.gates
    ]
    project.spec = project.spec.model_copy(update={"gates": tuple(gates)})
    project.save()


def late(run: Run, hours: float) -> None:
    """Lets so much time pass at the open gate."""
    gate = scenes.gate(run)
    moved = {"started_at": gate.started_at - timedelta(hours=hours)} if gate.started_at else {}
    if gate.deadline:
        moved["deadline"] = gate.deadline - timedelta(hours=hours)
    Step.objects.filter(id=gate.id).update(**moved)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"quorum": 2}, "needs as many names"),
        ({"quorum": 2, "approvers": [ADA, ADA.upper()]}, "needs as many names"),
        ({"approvers": [ADA], "escalate_h": 1}, "belong together"),
        ({"escalate_h": 1, "escalate_to": [ADA]}, "nobody to escalate to"),
        ({"approvers": [""]}, "a name is empty"),
    ],
)
def test_a_policy_that_cannot_be_is_refused_in_words(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Policy(**values)


def test_only_those_who_are_named_decide(visitor: Client) -> None:
    policy("workflow", approvers=(ADA,))
    run = scenes.at_workflow()
    for stranger in (EVE, ""):
        answer = press(visitor, scenes.page(run, recipient=stranger), "approve")
        assert answer.status_code == 403
        assert b"Somebody else decides here" in answer.content
        assert b"Here decide ada@example.com" in answer.content
    assert press(visitor, scenes.page(run, recipient=ADA.title()), "approve").status_code == 303
    assert Approval.objects.get().actor == ADA.title()


def test_over_http_it_is_the_same(api: Client) -> None:
    policy("workflow", approvers=(ADA,))
    run = scenes.at_workflow()
    wanted = {"verdict": "reject", "comment": "no"}
    assert api.post(reverse("hitl-decide", args=[run.id, "workflow"]), wanted, "application/json").status_code == 403
    assert not Approval.objects.exists()


def test_a_start_is_no_decision_where_others_decide(api: Client) -> None:
    policy("workflow", approvers=(ADA,))
    wanted = {"project": "test_video_gen", "input": {"prompt": scenes.BRIEF}}
    assert api.post("/v1/runs/start", wanted, "application/json").status_code == 201
    assert scenes.gate(Run.objects.get()).name == "workflow"


def test_who_asked_for_the_film_does_not_approve_it(visitor: Client) -> None:
    policy("prepublish", requester_may_approve=False)
    run = scenes.at_prepublish()
    answer = press(visitor, scenes.page(run, recipient="alice"), "approve")
    assert answer.status_code == 403
    assert b"You have asked for this film" in answer.content
    assert press(visitor, scenes.page(run, recipient=ADA), "approve").status_code == 303


def test_one_pair_of_eyes_that_presses_twice_opens_nothing(visitor: Client) -> None:
    policy("workflow", **FOUR_EYES)
    run = scenes.at_workflow()
    first = press(visitor, scenes.page(run, recipient=ADA), "approve")
    assert first.status_code == 303
    text = visitor.get(first.headers["Location"]).content.decode()
    assert "You have approved this. 1 more person has to." in text
    assert 'value="approve" disabled' in text
    for name in (ADA, ADA.upper()):
        assert press(visitor, scenes.page(run, recipient=name), "approve").status_code == 409
    assert not Approval.objects.exists()
    assert scenes.gate(run).name == "workflow"
    url = scenes.page(run, recipient=GRACE)
    assert "2 people have to approve; 1 has: ada@example.com." in visitor.get(url).content.decode()
    assert press(visitor, url, "approve").status_code == 303
    assert Approval.objects.get().actor == GRACE
    assert RunEvent.objects.filter(subject="vote").count() == 2


def test_one_is_enough_to_refuse(visitor: Client) -> None:
    policy("workflow", **FOUR_EYES)
    run = scenes.at_workflow()
    press(visitor, scenes.page(run, recipient=ADA), "approve")
    press(visitor, scenes.page(run, recipient=GRACE), "reject", comment="no")
    run.refresh_from_db()
    assert run.status == RunStatus.REJECTED


def test_over_http_a_first_approval_is_counted(visitor: Client, api: Client) -> None:
    policy("workflow", approvers=("api", ADA), quorum=2)
    run = scenes.at_workflow()
    wanted = {"verdict": "approve", "digest": services.digest_of(scenes.gate(run))}
    answer = api.post(reverse("hitl-decide", args=[run.id, "workflow"]), wanted, "application/json")
    assert answer.status_code == 202
    assert answer.json() == {"gate": "workflow", "approved_by": ["api"], "needed": 2}
    assert press(visitor, scenes.page(run, recipient=ADA), "approve").status_code == 303


def test_the_second_approves_what_the_first_has_made_of_it(visitor: Client) -> None:
    policy("prepublish", **FOUR_EYES)
    run = scenes.at_prepublish()
    old = scenes.page(run, recipient=GRACE)
    sent = {"title": "Moon", "caption": "By hand.", "tags": "#moon"}
    followed = press(visitor, scenes.page(run, recipient=ADA), "approve", **sent).headers["Location"]
    assert b"You have approved this" in visitor.get(followed, follow=True).content
    assert press(visitor, old, "approve").status_code == 409
    url = scenes.page(run, recipient=GRACE)
    assert b"By hand." in visitor.get(url).content
    assert press(visitor, url, "approve", **sent).status_code == 303
    assert run.jobs.get(kind="publish").request["caption"] == "By hand."
    assert run.artifacts.filter(type="hitl.request", metadata__gate="prepublish").count() == 2


def test_ideas_that_the_first_has_left_out_the_second_does_not_see(visitor: Client) -> None:
    policy("ideate", "aismr", **FOUR_EYES)
    run = scenes.at_ideate()
    press(visitor, scenes.page(run, recipient=ADA), "approve", **{"idea-5-drop": "on"})
    url = scenes.page(run, recipient=GRACE)
    assert visitor.get(url).content.decode().count('class="card idea"') == 11
    assert press(visitor, url, "approve").status_code == 303
    run.refresh_from_db()
    assert run.payload.specs.video_count == 11
    output = run.steps.get(name="ideate").output
    assert output is not None
    assert len(output["ideas"]) == 11


def test_a_gate_for_members_wants_a_login(visitor: Client) -> None:
    policy("workflow", group="approvers")
    run = scenes.at_workflow()
    url = scenes.page(run, recipient=ADA)
    assert visitor.get(url).headers["Location"].startswith("/admin/login/?next=/v1/hitl/approve/")
    assert press(visitor, url, "approve").headers["Location"].startswith("/admin/login/")
    user = User.objects.create_user("ada", password="a-long-password")
    visitor.force_login(user)
    assert b"ada is not one of them" in press(visitor, url, "approve").content
    user.groups.add(Group.objects.create(name="approvers"))
    assert visitor.get(url).status_code == 200
    assert press(visitor, url, "approve").status_code == 303
    assert Approval.objects.get().actor == "ada"


def test_a_gate_for_members_cannot_be_decided_over_http(api: Client) -> None:
    policy("workflow", group="approvers")
    run = scenes.at_workflow()
    wanted = {"verdict": "approve", "digest": services.digest_of(scenes.gate(run))}
    assert api.post(reverse("hitl-decide", args=[run.id, "workflow"]), wanted, "application/json").status_code == 403


def test_nothing_expires_before_its_time(visitor: Client) -> None:
    policy("workflow", expires_h=2)
    run = scenes.at_workflow()
    late(run, 1.9)
    assert sweeps.expired_gates(timezone.now()) == 0
    assert b"Without a decision it is rejected on" in visitor.get(scenes.page(run)).content
    late(run, 0.2)
    assert sweeps.expired_gates(timezone.now()) == 1
    run.refresh_from_db()
    assert (run.status, run.reason) == (RunStatus.REJECTED, "nobody decided within 2 hours")
    approval = Approval.objects.get()
    assert (approval.actor, approval.channel, approval.verdict) == ("policy", "expiry", "reject")


def test_an_expired_gate_may_be_approved_by_default(visitor: Client) -> None:
    policy("workflow", expires_h=2, on_expiry="approve", **FOUR_EYES)
    run = scenes.at_workflow()
    late(run, 3)
    assert sweeps.expired_gates(timezone.now()) == 1
    run.refresh_from_db()
    assert run.status == RunStatus.RUNNING
    assert b"Approved" in visitor.get(f"/v1/hitl/approve/{run.id}/workflow").content or Approval.objects.exists()


def test_what_may_not_be_published_is_rejected_instead() -> None:
    policy("prepublish", expires_h=2, on_expiry="approve")
    run = scenes.at_prepublish(facts=FINE.model_copy(update={"rotation_deg": 90}))
    late(run, 3)
    assert sweeps.expired_gates(timezone.now()) == 1
    run.refresh_from_db()
    assert run.status == RunStatus.REJECTED
    assert "pre-flight forbids" in run.reason


@pytest.mark.django_db(transaction=True)
def test_whichever_of_sixteen_workers_sees_it_first_decides_once() -> None:
    policy("workflow", expires_h=1, on_expiry="approve")
    run = scenes.at_workflow()
    late(run, 2)
    gate, start = scenes.gate(run), threading.Barrier(16)

    def one(_: int) -> bool:
        start.wait()
        try:
            return services.expire_gate(gate.id, now=timezone.now())
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as workers:
        assert sorted(workers.map(one, range(16))) == [False] * 15 + [True]
    assert Approval.objects.count() == 1
    assert RunEvent.objects.filter(step=gate, new=StepStatus.SUCCEEDED).count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_approvers_at_once_open_a_gate_for_two() -> None:
    policy("workflow", **FOUR_EYES)
    run = scenes.at_workflow()
    urls = [scenes.page(run, recipient=name) for name in (ADA, GRACE)] * 4
    answers = _at_once([partial(_approve, url) for url in urls])
    assert answers.count(303) == 2
    assert set(answers) == {303, 409}
    assert Approval.objects.count() == 1


def _approve(url: str) -> int:
    return press(Client(), url, "approve").status_code


def _at_once(calls: list[Callable[[], int]]) -> list[int]:
    start = threading.Barrier(len(calls))

    def one(call: Callable[[], int]) -> int:
        start.wait()
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as people:
        return list(people.map(one, calls))


def test_after_a_while_others_may_decide_too(visitor: Client) -> None:
    policy("workflow", approvers=(ADA,), escalate_h=4, escalate_to=(GRACE,))
    run = scenes.at_workflow()
    assert press(visitor, scenes.page(run, recipient=GRACE), "approve").status_code == 403
    late(run, 5)
    assert press(visitor, scenes.page(run, recipient=GRACE), "approve").status_code == 303


def test_a_run_keeps_the_policy_it_was_planned_with(visitor: Client) -> None:
    policy("workflow", approvers=(ADA,))
    run = scenes.at_workflow()
    policy("workflow")
    assert press(visitor, scenes.page(run, recipient=EVE), "approve").status_code == 403
