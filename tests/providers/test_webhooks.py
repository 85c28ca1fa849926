"""POST /v1/webhooks/<provider>: what is taken, what is refused, and what is kept of it."""

from __future__ import annotations

import json
import random
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pydantic import SecretStr

from myloware.kernel.errors import Conflict
from providers import registry
from providers.callbacks import generic_sign
from providers.kieai.adapter import sign
from providers.models import WebhookEvent
from providers.signals import provider_reported
from providers.tasks import apply_webhook, replay, sweep, tidy
from providers.uploadpost import adapter as upload_post

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django.fixtures import Settings

pytestmark = pytest.mark.django_db
BODY = json.dumps({"code": 200, "data": {"taskId": "t1"}})


@pytest.fixture
def heard() -> Iterator[list[dict[str, Any]]]:
    """What was announced."""
    calls: list[dict[str, Any]] = []

    def listen(sender: object, signal: object, **said: Any) -> None:
        calls.append(said)

    provider_reported.connect(listen)
    yield calls
    provider_reported.disconnect(listen)


def deliver(
    client: Client, settings: Settings, *, age_s: int = 0, secret: str = "", body: str = BODY, query: str = ""
) -> Any:
    stamp = str(int(time.time()) - age_s)
    key = secret or settings.PROVIDERS.kieai_signing_secret.get_secret_value()
    return client.post(
        f"/v1/webhooks/kieai?{query}",
        body,
        content_type="application/json",
        headers={"X-Webhook-Timestamp": stamp, "X-Webhook-Signature": sign("t1", stamp, secret=key)},
    )


def test_a_genuine_callback_is_kept_and_announced(
    client: Client, settings: Settings, heard: list[dict[str, Any]]
) -> None:
    answer = deliver(client, settings)
    assert (answer.status_code, answer.json()) == (200, {"status": "accepted"})
    event = WebhookEvent.objects.get()
    assert (event.signature_status, event.status) == ("verified", "received")
    assert bytes(event.raw_payload) == BODY.encode()
    apply_webhook(str(event.id))
    event.refresh_from_db()
    assert event.status == "processed"
    assert heard == [{"provider": "kieai", "external_ids": ("t1",), "reference": None, "account": None}]


def test_a_second_delivery_is_a_duplicate(client: Client, settings: Settings) -> None:
    deliver(client, settings)
    assert deliver(client, settings).json() == {"status": "duplicate"}
    assert WebhookEvent.objects.count() == 1


def test_twenty_at_once_are_one(transactional_db: None, settings: Settings) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: deliver_and_close(settings), range(20)))
    assert Counter(answers) == {"accepted": 1, "duplicate": 19}
    assert WebhookEvent.objects.count() == 1


def deliver_and_close(settings: Settings) -> str:
    try:
        return str(deliver(Client(), settings).json()["status"])
    finally:
        connection.close()


@pytest.mark.parametrize("changed", ["", "ref=x.1.y"])
def test_a_captured_callback_sent_to_another_url_does_not_shut_out_the_genuine_one(
    client: Client, settings: Settings, heard: list[dict[str, Any]], changed: str
) -> None:
    job = f"{uuid.uuid4()}.0"
    ours = urlsplit(registry.callback_url("kieai", job)).query
    assert deliver(client, settings, query=changed).json() == {"status": "accepted"}
    assert deliver(client, settings, query=ours).json() == {"status": "accepted"}
    assert deliver(client, settings, query=ours).json() == {"status": "duplicate"}
    for event in WebhookEvent.objects.order_by("received_at"):
        apply_webhook(str(event.id))
    assert [call["reference"] for call in heard] == [None, job]


def test_a_captured_callback_cannot_be_made_into_many(client: Client, settings: Settings) -> None:
    for code in (200, 500, 501, "x", None, {"a": 1}, [1], 1e9):
        deliver(client, settings, body=json.dumps({"code": code, "data": {"taskId": "t1"}}))
    assert sorted(WebhookEvent.objects.values_list("idempotency_key", flat=True)) == [
        "kieai:t1:failed",
        "kieai:t1:made",
    ]


def test_one_render_reported_under_another_jobs_url_does_not_shut_out_its_own(client: Client) -> None:
    body = json.dumps({"type": "edit", "action": "render", "id": "r1", "status": "done"})
    for job in (f"{uuid.uuid4()}.0", f"{uuid.uuid4()}.0"):
        answer = client.post(registry.callback_url("shotstack", job), body, content_type="application/json")
        assert answer.json() == {"status": "accepted"}


def test_a_forged_callback_is_refused_and_does_not_shut_out_the_genuine_one(client: Client, settings: Settings) -> None:
    forged = deliver(client, settings, secret="somebody else's")
    assert forged.status_code == 401
    assert forged.json()["error"]["code"] == "unauthenticated"
    assert WebhookEvent.objects.get().signature_status == "rejected"
    assert deliver(client, settings).json() == {"status": "accepted"}


def test_a_stale_callback_is_refused(client: Client, settings: Settings) -> None:
    assert deliver(client, settings, age_s=301).status_code == 401
    assert WebhookEvent.objects.get().signature_status == "stale"


def test_a_callback_without_signature_is_refused(client: Client) -> None:
    assert client.post("/v1/webhooks/kieai", BODY, content_type="application/json").status_code == 401
    assert WebhookEvent.objects.get().signature_status == "missing"


def test_without_a_secret_nobody_is_believed(client: Client, settings: Settings) -> None:
    """Everybody knows the empty one."""
    names = ("kieai_signing_secret", "shotstack_webhook_secret", "upload_post_signing_secret")
    settings.PROVIDERS = settings.PROVIDERS.model_copy(update=dict.fromkeys(names, SecretStr("")))
    body, stamp = json.dumps({"id": "r1", "taskId": "t1", "job_id": "j1"}), str(int(time.time()))
    headers = {
        "X-Webhook-Timestamp": stamp,
        "X-Webhook-Signature": sign("t1", stamp, secret=""),
        "X-Upload-Post-Timestamp": stamp,
        "X-Upload-Post-Signature": upload_post.sign(body.encode(), stamp, secret=""),
    }
    for name in registry.PROVIDERS:
        url = urlsplit(registry.callback_url(name, f"{uuid.uuid4()}.0"))
        answer = client.post(f"{url.path}?{url.query}", body, content_type="application/json", headers=headers)
        assert answer.status_code == 401


def test_a_refused_event_is_never_applied(client: Client, heard: list[dict[str, Any]]) -> None:
    client.post("/v1/webhooks/kieai", BODY, content_type="application/json")
    apply_webhook(str(WebhookEvent.objects.get().id))
    assert heard == []


def test_a_shotstack_callback_needs_the_url_we_gave(client: Client, heard: list[dict[str, Any]]) -> None:
    job = f"{uuid.uuid4()}.1"
    url = urlsplit(registry.callback_url("shotstack", job))
    body = json.dumps({"type": "edit", "action": "render", "id": "r1", "status": "done"})
    assert client.post(url.path, body, content_type="application/json").status_code == 401
    assert client.post(f"{url.path}?{url.query}", body, content_type="application/json").status_code == 200
    apply_webhook(str(WebhookEvent.objects.get(signature_status="verified").id))
    assert heard == [{"provider": "shotstack", "external_ids": ("r1",), "reference": job, "account": None}]


@pytest.fixture
def deaf() -> Iterator[None]:
    """A receiver that fails."""

    def fail(sender: object, **_: Any) -> None:
        raise RuntimeError("not now")

    provider_reported.connect(fail)
    yield
    provider_reported.disconnect(fail)


def test_a_failing_receiver_leaves_its_reason_and_is_tried_later_and_later(
    client: Client, settings: Settings, deaf: None
) -> None:
    deliver(client, settings)
    event = WebhookEvent.objects.get()
    for attempt in range(1, WebhookEvent.MAX_ATTEMPTS):
        assert apply_webhook(str(event.id)) == "failed"
        event.refresh_from_db()
        wait_s = (event.due_at - timezone.now()).total_seconds()
        assert (event.attempts, event.error) == (attempt, "RuntimeError: not now")
        assert wait_s == pytest.approx(min(60 * 2 ** (attempt - 1), 3600), abs=2)
    assert apply_webhook(str(event.id)) == "dead"
    assert apply_webhook(str(event.id)) == "nothing to do"


NO_NAMES: list[Any] = [
    "",
    "\0",
    "\ud800",
    "x" * 129,
    "../../serve",
    "r1?data=true",
    "a\nb",
    ["r1"],
    {"a": 1},
    None,
    1.5,
]


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_cannot_be_a_jobs_name_is_none(client: Client, heard: list[dict[str, Any]], name: Any) -> None:
    job = f"{uuid.uuid4()}.0"
    body = json.dumps({"type": "edit", "action": "render", "id": name, "status": "\0\ud800"})
    answer = client.post(registry.callback_url("shotstack", job), body, content_type="application/json")
    assert answer.json() == {"status": "accepted"}
    assert apply_webhook(str(WebhookEvent.objects.get().id)) == "processed"
    assert heard == [{"provider": "shotstack", "external_ids": (), "reference": job, "account": None}]


def test_an_event_that_cannot_be_read_any_more_waits_for_a_person(client: Client, settings: Settings) -> None:
    deliver(client, settings)
    WebhookEvent.objects.update(provider="gone", attempts=WebhookEvent.MAX_ATTEMPTS - 1)
    event = WebhookEvent.objects.get()
    assert apply_webhook(str(event.id)) == "dead"
    event.refresh_from_db()
    assert "There is no provider 'gone'" in event.error


def test_the_sweep_takes_those_that_wait_longest(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("providers.tasks.BATCH", 1)
    now = timezone.now()
    for _ in range(2):
        deliver(client, settings, query=urlsplit(registry.callback_url("kieai", f"{uuid.uuid4()}.0")).query)
    first = WebhookEvent.objects.order_by("received_at").first()
    WebhookEvent.objects.update(due_at=now)
    WebhookEvent.objects.filter(id=first.id).update(due_at=now - timedelta(seconds=5))  # type: ignore[union-attr]
    assert sweep() == 1
    assert list(WebhookEvent.objects.filter(due_at__gt=now)) == [first]


def test_the_sweep_leaves_an_event_its_delay(client: Client, settings: Settings, deaf: None) -> None:
    deliver(client, settings)
    event = WebhookEvent.objects.get()
    assert sweep() == 0
    WebhookEvent.objects.update(due_at=timezone.now())
    assert sweep() == 1
    apply_webhook(str(event.id))
    assert sweep() == 0


def test_a_replay_really_processes_the_event_and_a_failing_one_keeps_it(
    client: Client, settings: Settings, heard: list[dict[str, Any]], deaf: None
) -> None:
    deliver(client, settings)
    event = WebhookEvent.objects.get()
    WebhookEvent.objects.update(status="dead", attempts=8)
    event.refresh_from_db()
    assert replay(event) == "dead"
    assert WebhookEvent.objects.get().attempts == 9


def test_a_replayed_event_is_processed_once(client: Client, settings: Settings, heard: list[dict[str, Any]]) -> None:
    deliver(client, settings)
    WebhookEvent.objects.update(status="dead", attempts=8)
    assert replay(WebhookEvent.objects.get()) == "processed"
    assert len(heard) == 1
    assert apply_webhook(str(WebhookEvent.objects.get().id)) == "nothing to do"


def test_a_refused_event_cannot_be_replayed(client: Client, settings: Settings) -> None:
    deliver(client, settings, secret="somebody else's")
    with pytest.raises(Conflict, match="refused when it came"):
        replay(WebhookEvent.objects.get())


def test_the_admin_replays_and_resolves(admin_client: Client, settings: Settings, deaf: None) -> None:
    deliver(admin_client, settings)
    event = WebhookEvent.objects.get()
    WebhookEvent.objects.update(status="dead", attempts=8)
    chosen = {"_selected_action": [str(event.id)]}
    page = admin_client.post("/admin/providers/webhookevent/", {"action": "replay_events", **chosen}, follow=True)
    assert "not now" in page.content.decode()
    admin_client.post("/admin/providers/webhookevent/", {"action": "resolve_events", **chosen})
    assert WebhookEvent.objects.get().status == "resolved"


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"[" * 4000, "[[[["),
        (b'{"a": "\\ud800<script>"}', "?&lt;script&gt;"),
        (b'{"a": "\\u0000"}', "\\u0000"),
        (b"\xff\x00{", "\ufffd\ufffd{"),
    ],
)
def test_whatever_was_sent_can_be_looked_at(admin_client: Client, body: bytes, shown: str) -> None:
    admin_client.generic("POST", "/v1/webhooks/kieai", body, content_type="application/json")
    event = WebhookEvent.objects.get()
    for page in ("", f"{event.id}/change/"):
        answer = admin_client.get(f"/admin/providers/webhookevent/{page}")
        assert answer.status_code == 200
    assert shown in answer.content.decode()


@pytest.mark.parametrize(
    ("path", "content_type", "body", "status"),
    [
        ("/v1/webhooks/nobody", "application/json", "{}", 404),
        ("/v1/webhooks/kieai", "text/plain", "{}", 415),
        ("/v1/webhooks/kieai", "application/json", "x" * 1_000_001, 413),
        ("/v1/webhooks/kieai", "application/json", "[1, 2", 401),
        ("/v1/webhooks/kieai", "application/json", '"text"', 401),
        ("/v1/webhooks/kieai", "application/json,application/json", "{}", 415),
        ("/v1/webhooks/kieai%00", "application/json", "{}", 404),
        ("/v1/webhooks/kieai%0a", "application/json", "{}", 404),
        ("/v1/webhooks/" + "a" * 50_000, "application/json", "{}", 404),
    ],
)
def test_what_is_no_callback_is_refused(client: Client, path: str, content_type: str, body: str, status: int) -> None:
    answer = client.post(path, body, content_type=content_type)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]
    assert not WebhookEvent.objects.filter(signature_status="verified").exists()


# --- A relay's scheme


@pytest.fixture
def generic(settings: Settings) -> str:
    """The provider whose webhooks come through a relay of ours."""
    settings.PROVIDERS = settings.PROVIDERS.model_copy(update={"upload_post_webhook_scheme": "generic"})
    return "/v1/webhooks/upload-post"


def relayed(client: Client, settings: Settings, path: str, **changed: str) -> Any:
    body = changed.pop("body", '{"job_id": "j1"}')
    key = settings.PROVIDERS.upload_post_signing_secret.get_secret_value()
    headers = {
        "X-Signature": generic_sign(b'{"job_id": "j1"}', secret=key),
        "X-Request-Id": "r1",
        "X-Timestamp": str(int(time.time())),
    }
    return client.post(path, body, content_type="application/json", headers={**headers, **changed})


def test_a_relayed_callback_is_taken_once_whatever_its_unsigned_id_and_time_say(
    client: Client, settings: Settings, generic: str, heard: list[dict[str, Any]]
) -> None:
    assert relayed(client, settings, generic).json() == {"status": "accepted"}
    again = {"X-Request-Id": "another", "X-Timestamp": str(int(time.time()) + 100)}
    assert relayed(client, settings, generic, **again).json() == {"status": "duplicate"}
    apply_webhook(str(WebhookEvent.objects.get().id))
    assert [call["external_ids"] for call in heard] == [("j1",)]


@pytest.mark.parametrize(
    "changed",
    [
        {"body": '{"job_id": "j2"}'},
        {"X-Signature": "0" * 64},
        {"X-Signature": ""},
        {"X-Request-Id": ""},
        {"X-Timestamp": ""},
        {"X-Timestamp": "1"},
        {"X-Timestamp": "yesterday"},
        {"X-Timestamp": "9" * 400},
        {"X-Timestamp": "9" * 5000},
        {"X-Timestamp": "\u00b2"},
    ],
)
def test_a_tampered_relayed_callback_is_refused_and_the_genuine_one_works(
    client: Client, settings: Settings, generic: str, changed: dict[str, str]
) -> None:
    assert relayed(client, settings, generic, **changed).status_code == 401
    assert relayed(client, settings, generic).json() == {"status": "accepted"}


def test_an_upload_reported_twice_is_one_whatever_the_unsigned_id_of_the_delivery_says(
    client: Client, settings: Settings
) -> None:
    body, stamp = b'{"job_id": "j1"}', str(int(time.time()))
    key = settings.PROVIDERS.upload_post_signing_secret.get_secret_value()
    signed = {"X-Upload-Post-Timestamp": stamp, "X-Upload-Post-Signature": upload_post.sign(body, stamp, secret=key)}
    answers = [
        client.post(
            "/v1/webhooks/upload-post",
            body,
            content_type="application/json",
            headers={**signed, "X-Upload-Post-Delivery": delivery},
        ).json()["status"]
        for delivery in ("d1", "d2")
    ]
    assert answers == ["accepted", "duplicate"]


# --- What is kept, and how long


def test_of_a_refused_callback_only_the_beginning_is_kept(client: Client) -> None:
    client.post(
        f"/v1/webhooks/kieai?ref={'r' * 50_000}&more={'m' * 9_000}",
        json.dumps({"x": "y" * 900_000}),
        content_type="application/json",
        headers={"X-Webhook-Signature": "s" * 50_000, "X-Webhook-More": "m", "Authorization": "Bearer of-a-proxy"},
    )
    event = WebhookEvent.objects.get()
    assert (event.status, len(event.raw_payload)) == ("refused", 4_000)
    assert {name: len(value) for name, value in event.headers.items()} == {
        "content-type": 16,
        "x-webhook-signature": 500,
    }
    assert event.query == {"ref": "r" * 500}


def test_a_key_is_held_for_a_day_and_a_payload_for_two_weeks(client: Client, settings: Settings) -> None:
    def age(days: float) -> None:
        WebhookEvent.objects.update(received_at=timezone.now() - timedelta(days=days), status="processed")

    deliver(client, settings)
    age(0.9)
    tidy()
    assert deliver(client, settings).json() == {"status": "duplicate"}
    age(1.1)
    tidy()
    assert deliver(client, settings).json() == {"status": "accepted"}
    age(13.9)
    assert (tidy(), WebhookEvent.objects.count()) == (0, 2)
    age(14.1)
    assert (tidy(), WebhookEvent.objects.count()) == (2, 0)


def test_what_waits_for_a_person_is_kept(client: Client, settings: Settings) -> None:
    deliver(client, settings)
    WebhookEvent.objects.update(received_at=timezone.now() - timedelta(days=100), status="dead")
    assert tidy() == 0


def test_a_flood_of_forged_callbacks_is_cut_short(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("providers.tasks.MOST_REFUSED", 3)
    for number in range(5):
        client.post("/v1/webhooks/kieai", f'{{"taskId": "{number}"}}', content_type="application/json")
    assert tidy() == 2
    assert {event.idempotency_key for event in WebhookEvent.objects.all()} == {
        f"kieai:{number}:failed" for number in (2, 3, 4)
    }


# --- Noise


def noise(dice: random.Random) -> tuple[str, bytes, dict[str, str]]:
    """A path, a body and headers that nobody would send."""
    path = f"/v1/webhooks/{dice.choice(['kieai', 'shotstack', 'upload-post'])}{dice.choice(QUERIES)}"
    body = dice.choice(BODIES) if dice.random() < 0.7 else dice.randbytes(dice.randrange(200))
    cut = body[: dice.randrange(len(body) + 1)] if dice.random() < 0.3 else body
    names = dice.sample(HEADERS, dice.randrange(len(HEADERS)))
    values = {name: dice.choice(VALUES) for name in names}
    values["Content-Type"] = dice.choice(["application/json", "application/json; charset=x", "text/html", ""])
    return path, cut, values


QUERIES = ("", "?ref=", "?ref=x.1.y", "?ref=%00", "?ref=%ff%fe", "?ref=" + "9" * 500, "?%00=%00", "?ref=a&ref=b")
HEADERS = (
    "X-Webhook-Signature", "X-Webhook-Timestamp", "X-Upload-Post-Signature", "X-Upload-Post-Timestamp",
    "X-Upload-Post-Delivery", "X-Signature", "X-Timestamp", "X-Request-Id", "X-Shotstack-Attempt", "User-Agent",
)  # fmt: skip
VALUES = (
    "",
    "0",
    "-1",
    "9" * 400,
    "sha256=",
    "sha256=00",
    "=",
    "\x7f",
    "\xe4",
    "1e9",
    "NaN",
    "\u00b2",
    "null",
    " " * 50,
)
BODIES = (
    b"", b"{}", b"[]", b"null", b"1", b'"x"', b"{" * 5000, b"[" * 50_000, b'{"a":' * 20_000, b"\xff\xfe", b"\x00" * 100,
    b'{"data": {"taskId": "\\ud800"}}', b'{"data": {"taskId": "\\u0000"}, "code": 200}',
    b'{"data": {"taskId": {"a": 1}}}', b'{"data": [], "taskId": 1}',
    b'{"code": 1e999, "data": {"task_id": true}}', b'{"type": "serve", "render": ["x"], "id": null}', b"9" * 10_000,
    b'{"job_id": "\\ud800", "request_id": 3, "external_id": {}}', b'{"id": NaN, "type": "edit"}', b"x" * 1_000_001,
)  # fmt: skip


def test_ten_thousand_random_callbacks_change_nothing(client: Client, heard: list[dict[str, Any]]) -> None:
    dice = random.Random(4)
    seen: Counter[int] = Counter()
    for _ in range(10_000):
        path, body, headers = noise(dice)
        kind = headers.pop("Content-Type")
        seen[client.generic("POST", path, body, content_type=kind, headers=headers).status_code] += 1
    assert set(seen) == {401, 413, 415}
    assert set(WebhookEvent.objects.values_list("status", flat=True)) == {"refused"}
    assert WebhookEvent.objects.count() == seen[401]
    assert sweep() == 0
    assert heard == []
    # And none of them can be made to count.
    with pytest.raises(Conflict):
        replay(WebhookEvent.objects.first())  # type: ignore[arg-type]
