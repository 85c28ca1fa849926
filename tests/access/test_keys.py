"""Keys of the HTTP API: who may do what, and with whose runs."""

from __future__ import annotations

import re
from datetime import timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone

from access.models import ApiKey, Scope
from runs import services
from runs.models import Approval, Run
from tests.hitl import scenes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import KeyOf

# What the architecture exempts: probes, documents, webhooks, Telegram and approval pages.
EXEMPT = re.compile(r"v1/(schema|webhooks/|telegram/webhook|hitl/(approve|repair)/)")
EVERYTHING = ("chat", "runs:read", "runs:write", "hitl")


def command(*words: str) -> str:
    out = StringIO()
    call_command("api_keys", *words, stdout=out)
    return out.getvalue()


def key_in(text: str) -> str:
    return re.search(r"^mw_\S+$", text, re.MULTILINE)[0]  # type: ignore[index]


def with_key(text: str) -> Client:
    return Client(headers={"X-API-Key": text})


def routes() -> Iterator[str]:
    """Every path of the API, made of its pattern."""
    for pattern in _patterns(get_resolver().url_patterns, ""):
        if pattern.startswith("v1/") and not EXEMPT.match(pattern):
            yield pattern


def _patterns(patterns: Any, before: str) -> Iterator[str]:
    for each in patterns:
        route = before + str(each.pattern)
        if hasattr(each, "url_patterns"):
            yield from _patterns(each.url_patterns, route)
        else:
            yield route


def filled(route: str, run: Run, gate: str = "workflow") -> str:
    path = route.replace("<uuid:run_id>", str(run.id)).replace("<slug:gate>", gate).replace("<slug:slug>", "aismr")
    return f"/{path}"


def test_the_first_key_is_made_by_a_command_and_shown_once() -> None:
    said = command("create", "ada", "--scope", "runs:read", "--scope", "chat")
    text = key_in(said)
    row = ApiKey.objects.get()
    assert (row.name, row.owner, row.scopes) == ("ada", "ada", ["chat", "runs:read"])
    secret = text.rpartition("_")[2]
    assert secret not in str(ApiKey.objects.values().get())
    assert secret not in command("list")
    assert "ada" in command("list")
    assert with_key(text).get("/v1/runs").status_code == 200


def test_there_is_one_valid_key_of_a_name() -> None:
    command("create", "ada", "--scope", "chat")
    with pytest.raises(CommandError, match="Rotate it"):
        command("create", "ada", "--scope", "chat")
    command("revoke", "ada")
    command("create", "ada", "--scope", "chat")


def test_after_a_rotation_both_work_for_a_while() -> None:
    old = key_in(command("create", "ada", "--scope", "runs:read"))
    new = key_in(command("rotate", "ada", "--grace-hours", "2"))
    assert old != new
    assert [with_key(each).get("/v1/runs").status_code for each in (old, new)] == [200, 200]
    ApiKey.objects.exclude(ends_at=None).update(ends_at=timezone.now() - timedelta(seconds=1))
    assert [with_key(each).get("/v1/runs").status_code for each in (old, new)] == [401, 200]
    assert ApiKey.objects.of(new) is not None


def test_a_revoked_key_opens_nothing() -> None:
    key = key_in(command("create", "ada", "--scope", "admin"))
    command("revoke", "ada")
    assert with_key(key).get("/v1/runs").status_code == 401
    for verb in ("revoke", "rotate"):
        with pytest.raises(CommandError, match="no valid key"):
            command(verb, "ada")


def test_a_wrong_secret_is_refused() -> None:
    key = key_in(command("create", "ada", "--scope", "admin"))
    for wrong in (key[:-1], f"{key}x", "mw_", "mw_x_y", key.replace("mw_", "mx_"), "Ünïcode".encode().hex()):
        answer = with_key(wrong).get("/v1/runs")
        assert answer.status_code == 401
        assert wrong not in answer.content.decode() or wrong == "mw_"


def test_when_it_was_used_is_noted() -> None:
    key = key_in(command("create", "ada", "--scope", "runs:read"))
    assert ApiKey.objects.get().last_used_at is None
    with_key(key).get("/v1/runs")
    first = ApiKey.objects.get().last_used_at
    assert first is not None
    with_key(key).get("/v1/runs")
    assert ApiKey.objects.get().last_used_at == first


@pytest.mark.parametrize("route", list(routes()))
def test_without_a_key_every_door_is_closed(visitor: Client, route: str) -> None:
    run = scenes.at_workflow()
    path = filled(route, run)
    assert visitor.get(path).status_code == 401
    assert visitor.post(path).status_code == (405 if path.endswith("/stream") else 401)


@pytest.mark.parametrize("route", [route for route in routes() if "run_id" in route])
def test_for_a_stranger_the_run_does_not_exist(key_of: KeyOf, route: str) -> None:
    run = scenes.at_workflow(user_id="alice")
    mallory = key_of("mallory", *EVERYTHING)
    path = filled(route, run)
    wanted = {"verdict": "approve", "comment": "mine now", "stage": "iggy", "step": "iggy", "type": "evidence"}
    answers = [mallory.get(path), mallory.get(path, {"step": "iggy"}), mallory.post(path, wanted, "application/json")]
    assert {answer.status_code for answer in answers} <= {404, 405, 400}
    assert 404 in {answer.status_code for answer in answers}
    run.refresh_from_db()
    assert run.active
    assert not Approval.objects.exists()


def test_owners_see_their_runs_and_admins_all(key_of: KeyOf) -> None:
    mine, other = scenes.at_workflow(user_id="alice"), scenes.at_workflow(user_id="bob")
    alice, admin = key_of("laptop", *EVERYTHING, owner="alice"), key_of("ops", "admin")
    assert [run["runId"] for run in alice.get("/v1/runs").json()] == [str(mine.id)]
    assert alice.get("/v1/runs", {"user_id": "bob"}).json() == []
    assert alice.get(f"/v1/runs/{mine.id}").status_code == 200
    assert len(admin.get("/v1/runs").json()) == 2
    assert admin.get(f"/v1/runs/{other.id}").status_code == 200


def test_what_a_key_starts_is_its_owners(key_of: KeyOf) -> None:
    alice = key_of("laptop", *EVERYTHING, owner="alice")
    wanted = {"project": "test_video_gen", "input": {"prompt": scenes.BRIEF}}
    assert alice.post("/v1/runs/start", wanted, "application/json").status_code == 201
    run = Run.objects.get()
    assert (run.user_id, run.approvals.get().actor) == ("alice", "laptop")
    refused = alice.post("/v1/runs/start", {**wanted, "user_id": "bob"}, "application/json")
    assert refused.status_code == 403
    assert "speaks for 'alice' alone" in refused.json()["error"]["message"]
    assert alice.post("/v1/chat/brendan", {"message": "hi", "user_id": "bob"}, "application/json").status_code == 403


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        ("chat", "post", "/v1/chat/brendan"),
        ("runs:read", "get", "/v1/runs/{run}"),
        ("runs:read", "get", "/v1/runs/{run}/events"),
        ("runs:write", "post", "/v1/runs/start"),
        ("runs:write", "post", "/v1/runs/{run}/cancel"),
        ("hitl", "get", "/v1/hitl/{run}/link"),
        ("hitl", "post", "/v1/hitl/decide/{run}/workflow"),
        ("hitl", "post", "/v1/runs/{run}/revise"),
    ],
)
def test_each_scope_opens_its_own_doors(key_of: KeyOf, scope: str, method: str, path: str) -> None:
    run = scenes.at_workflow(user_id="ada")
    url = path.format(run=run.id)
    others = [each for each in Scope.values if each not in {scope, "admin"}]
    refused = getattr(key_of("without", *others, owner="ada"), method)(url)
    assert refused.status_code == 403
    assert refused.json()["error"]["detail"] == {"scope": scope}
    assert getattr(key_of("with", scope, owner="ada"), method)(url).status_code != 403


def test_the_decision_is_recorded_under_the_keys_name(key_of: KeyOf) -> None:
    run = scenes.at_workflow(user_id="alice")
    wanted = {"verdict": "approve", "digest": services.digest_of(scenes.gate(run))}
    alice = key_of("laptop", "hitl", owner="alice")
    assert alice.post(f"/v1/hitl/decide/{run.id}/workflow", wanted, "application/json").status_code == 200
    assert Approval.objects.get().actor == "laptop"


def test_the_admin_shows_no_digest(admin_client: Client) -> None:
    row, _ = ApiKey.make("ada", ["chat"], owner="ada")
    assert row.digest not in admin_client.get(f"/admin/access/apikey/{row.pk}/change/").content.decode()
    assert admin_client.get("/admin/access/apikey/").status_code == 200
