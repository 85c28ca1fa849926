"""POST /v1/webhooks/<provider>: what is taken, what is refused, and what is kept of it."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from django.utils import timezone

from myloware.kernel.errors import Conflict
from providers import registry
from providers.kieai.adapter import sign
from providers.models import WebhookEvent
from providers.signals import provider_reported
from providers.tasks import apply_webhook, replay, sweep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client
    from pytest_django.fixtures import Settings

pytestmark = pytest.mark.django_db
BODY = json.dumps({"code": 200, "data": {"taskId": "t1"}})


@pytest.fixture
def heard() -> Iterator[list[dict[str, Any]]]:
    """What was announced."""
    calls: list[dict[str, Any]] = []

    def listen(sender: object, provider: str, external_id: str | None, reference: str | None, **_: Any) -> None:
        calls.append({"provider": provider, "external_id": external_id, "reference": reference})

    provider_reported.connect(listen)
    yield calls
    provider_reported.disconnect(listen)


def deliver(client: Client, settings: Settings, *, age_s: int = 0, secret: str = "", body: str = BODY) -> Any:
    stamp = str(int(time.time()) - age_s)
    key = secret or settings.PROVIDERS.kieai_signing_secret.get_secret_value()
    return client.post(
        "/v1/webhooks/kieai",
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
    assert heard == [{"provider": "kieai", "external_id": "t1", "reference": None}]


def test_a_second_delivery_is_a_duplicate(client: Client, settings: Settings) -> None:
    deliver(client, settings)
    assert deliver(client, settings).json() == {"status": "duplicate"}
    assert WebhookEvent.objects.count() == 1


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
    assert heard == [{"provider": "shotstack", "external_id": "r1", "reference": job}]


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
    ("path", "content_type", "body", "status"),
    [
        ("/v1/webhooks/nobody", "application/json", "{}", 404),
        ("/v1/webhooks/kieai", "text/plain", "{}", 415),
        ("/v1/webhooks/kieai", "application/json", "x" * 1_000_001, 413),
        ("/v1/webhooks/kieai", "application/json", "[1, 2", 401),
        ("/v1/webhooks/kieai", "application/json", '"text"', 401),
    ],
)
def test_what_is_no_callback_is_refused(client: Client, path: str, content_type: str, body: str, status: int) -> None:
    answer = client.post(path, body, content_type=content_type)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]
    assert not WebhookEvent.objects.filter(signature_status="verified").exists()
