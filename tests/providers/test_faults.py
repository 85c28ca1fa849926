"""What the services get wrong (kie.ai, Shotstack, upload-post): what the adapters make of it, and that nothing is lost.

The dial makes the simulators misbehave; the adapters reach them over a real socket.
"""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import stamina
from django.core.cache import cache

from myloware.kernel.errors import OutcomeUnknown, ProviderRefused, ProviderUnavailable, RateLimited
from providers.base import ClipOrder, PublishOrder, RenderOrder, Report, SignatureStatus, State
from providers.http import Client
from providers.shotstack.template import TemplateClip, standard_edit
from tests.providers.media.media_files import make_clip
from tests.providers.test_adapters import ORDER, kieai, shotstack, upload_post

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import Town

LARGE = ClipOrder("a full moon over a quiet sea", "9:16", 8, "1080p", "veo-3-fast", 10_001)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    cache.clear()
    stamina.set_testing(True, attempts=2)
    yield
    stamina.set_testing(False)


class Listener:
    """Our side of the webhooks: keeps what comes, and answers as it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.refuses = 0
        self.url = ""
        self.at: list[float] = []

    def wait(self, count: int, timeout_s: float = 10) -> list[tuple[dict[str, str], dict[str, Any]]]:
        deadline = time.monotonic() + timeout_s
        while len(self.heard) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.heard


@pytest.fixture
def listener() -> Iterator[Listener]:
    found = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.heard.append(({name.lower(): value for name, value in self.headers.items()}, json.loads(body)))
            found.at.append(time.monotonic())
            found.refuses -= 1
            self.send_response(500 if found.refuses >= 0 else 200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's word)
            """Tests say what they look at."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield found
        server.shutdown()
        thread.join()


# --- kie.ai


def ordered(town: Town, order: ClipOrder = ORDER, url: str | None = None) -> str:
    return kieai(town).submit(order, key="", callback_url=url).external_id


def jobs(town: Town, name: str = "kieai") -> int:
    return len(list(town.simulators[name].jobs()))


@pytest.mark.parametrize("code", [400, 401, 402, 422])
def test_kieai_refuses_behind_http_200_and_nothing_is_ordered(town: Town, code: int) -> None:
    town.turn("kieai", f"code_{code}")
    with pytest.raises(ProviderRefused, match=str(code)) as caught:
        ordered(town)
    assert caught.value.detail["status"] == code
    assert jobs(town) == 0


@pytest.mark.parametrize(("code", "words"), [(429, "call frequency is too high"), (455, "maintenance")])
def test_kieai_that_takes_no_more_is_asked_later(town: Town, code: int, words: str) -> None:
    town.turn("kieai", f"code_{code}", 2)
    with pytest.raises(RateLimited, match=words):
        ordered(town)
    assert jobs(town) == 0
    assert ordered(town)


def test_an_order_that_kieai_fails_to_answer_is_unknown_and_a_question_is_repeated(town: Town) -> None:
    town.turn("kieai", "code_500")
    with pytest.raises(OutcomeUnknown):
        ordered(town)
    task = ordered(town)
    town.turn("kieai", "code_500")
    assert kieai(town).status(task).state == State.SUCCEEDED


def test_kieai_with_true_http_statuses_is_understood_as_well(town: Town) -> None:
    town.turn("kieai", "http_status")
    town.turn("kieai", "code_402")
    with pytest.raises(ProviderRefused, match="402"):
        ordered(town)


@pytest.mark.parametrize("fault", ["urls_as_json_text", "urls_in_brackets", "times_iso", "times_epoch_ms"])
def test_kieai_answers_are_read_in_every_form(town: Town, fault: str, tmp_path: Path) -> None:
    task = ordered(town)
    town.turn("kieai", fault)
    report = kieai(town).status(task)
    assert report.state == State.SUCCEEDED
    assert town.client("kieai", "https://api.kie.ai", {}).download(report.urls[0], tmp_path / "a.mp4").stat().st_size


@pytest.mark.parametrize("flag", [2, 3])
def test_a_generation_that_failed_costs_nothing_and_says_why(town: Town, flag: int) -> None:
    town.turn("kieai", f"fails_flag_{flag}")
    report = kieai(town).status(ordered(town))
    assert (report.state, report.cost_microusd) == (State.FAILED, None)
    assert report.raw["successFlag"] == flag
    assert "returned nothing" in report.error


def test_a_clip_in_1080p_is_waited_for_while_the_smaller_one_can_be_had(town: Town, tmp_path: Path) -> None:
    task = ordered(town, LARGE)
    town.turn("kieai", "1080p_late", 2)
    waits = [kieai(town).status(task) for _ in range(2)]
    assert [(report.state, len(report.urls)) for report in waits] == [(State.ACCEPTED, 1)] * 2
    report = kieai(town).status(task)
    assert report.state == State.SUCCEEDED
    assert "1080p" in report.urls[0]
    assert town.client("kieai", "https://api.kie.ai", {}).download(report.urls[0], tmp_path / "a.mp4").stat().st_size


def test_a_clip_that_never_comes_in_1080p_is_taken_as_it_is(town: Town) -> None:
    task = ordered(town, LARGE)
    town.turn("kieai", "no_1080p")
    report = kieai(town).status(task)
    assert (report.state, len(report.urls)) == (State.SUCCEEDED, 1)


def verdict(heard: tuple[dict[str, str], dict[str, Any]]) -> SignatureStatus:
    from providers.kieai.adapter import KieaiAdapter

    from .conftest import SECRETS

    adapter = KieaiAdapter(None, signing_secret=SECRETS["kieai"])  # type: ignore[arg-type]
    return adapter.verify(heard[0], json.dumps(heard[1]).encode(), {}, datetime.now(UTC))


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("task_id_snake_case", SignatureStatus.VERIFIED),
        ("wrong_key", SignatureStatus.REJECTED),
        ("old_timestamp", SignatureStatus.STALE),
        ("changed_body", SignatureStatus.VERIFIED),
    ],
)
def test_callbacks_of_kieai_are_judged_by_their_signature(
    town: Town, listener: Listener, fault: str, expected: SignatureStatus
) -> None:
    town.turn("kieai", fault)
    task = ordered(town, url=listener.url)
    (heard,) = listener.wait(1)
    assert verdict(heard) == expected
    # Whatever a callback says, the files are those that the service names when it is asked.
    assert "evil" not in str(kieai(town).status(task).urls)


def test_kieai_may_call_before_it_answers_often_or_never(town: Town, listener: Listener) -> None:
    town.turn("kieai", "early_callback")
    ordered(town, url=listener.url)
    assert len(listener.heard) == 1
    town.turn("kieai", "duplicate_callback")
    ordered(town, url=listener.url)
    assert len(listener.wait(4)) == 4
    town.turn("kieai", "no_callback")
    task = ordered(town, url=listener.url)
    assert kieai(town).status(task).state == State.SUCCEEDED
    assert len(listener.heard) == 4


def test_a_lost_answer_is_an_unknown_outcome_and_the_callback_tells_the_id(town: Town, listener: Listener) -> None:
    town.turn("kieai", "lost_answer")
    with pytest.raises(OutcomeUnknown):
        ordered(town, url=listener.url)
    ((_, told),) = listener.wait(1)
    assert kieai(town).status(told["data"]["taskId"]).state == State.SUCCEEDED


# --- Shotstack


def edit(town: Town, tmp_path: Path, **more: Any) -> RenderOrder:
    source = make_clip(tmp_path / "source.mp4", picture="color=c=red", duration_s=2)
    town.clips = {"http://127.0.0.1/0.mp4": source}
    clips = [TemplateClip(src=src, duration_s=1, primary="moon", secondary="") for src in town.clips]
    return RenderOrder({**standard_edit(clips, width_px=90, height_px=160, fps=30), **more})


def rendered(town: Town, order: RenderOrder, url: str | None = None) -> str:
    return shotstack(town).submit(order, key="", callback_url=url).external_id


def fetched(town: Town, report: Report, target: Path) -> list[str]:
    """Which of the places of a film have it."""
    client = town.client("shotstack", "https://api.shotstack.io/edit/v1", {"x-api-key": "k"})
    return [url for url in report.urls if _had(client, url, target)]


def _had(client: Client, url: str, target: Path) -> bool:
    try:
        return client.download(url, target).stat().st_size > 0
    except ProviderRefused:
        return False


def test_a_render_shows_each_of_its_stages(town: Town, tmp_path: Path) -> None:
    town.turn("shotstack", "slow")
    render = rendered(town, edit(town, tmp_path))
    seen = [shotstack(town).status(render) for _ in range(7)]
    stages = ["queued", "fetching", "preprocessing", "rendering", "generating", "saving", "done"]
    assert [report.raw["status"] for report in seen] == stages
    assert [report.state for report in seen] == [State.ACCEPTED] * 6 + [State.SUCCEEDED]


def test_a_failed_render_says_why(town: Town, tmp_path: Path) -> None:
    town.turn("shotstack", "fails")
    report = shotstack(town).status(rendered(town, edit(town, tmp_path)))
    assert (report.state, report.cost_microusd) == (State.FAILED, None)
    assert "could not be downloaded" in report.error


def test_an_expired_file_is_fetched_from_its_copy(town: Town, tmp_path: Path) -> None:
    report = shotstack(town).status(rendered(town, edit(town, tmp_path)))
    assert fetched(town, report, tmp_path / "a.mp4") == list(report.urls)
    town.turn("shotstack", "expired")
    assert fetched(town, report, tmp_path / "b.mp4") == [report.urls[1]]


def test_shotstack_that_takes_no_more_is_asked_later(town: Town, tmp_path: Path) -> None:
    town.turn("shotstack", "rate_limited", 2)
    with pytest.raises(RateLimited):
        rendered(town, edit(town, tmp_path))
    assert jobs(town, "shotstack") == 0
    assert rendered(town, edit(town, tmp_path))


def test_shotstack_calls_for_the_render_and_for_its_copy_in_either_order(
    town: Town, tmp_path: Path, listener: Listener
) -> None:
    render = rendered(town, edit(town, tmp_path), listener.url)
    assert [told["type"] for _, told in listener.wait(2)] == ["edit", "serve"]
    town.turn("shotstack", "serve_first")
    rendered(town, edit(town, tmp_path), listener.url)
    assert [told["type"] for _, told in listener.wait(4)[2:]] == ["serve", "edit"]
    events = [shotstack(town).event(headers, json.dumps(told).encode(), {}) for headers, told in listener.heard]
    assert [event.external_ids for event in events][:2] == [(render,), (render,)]
    assert len({event.key for event in events}) == 4


def test_shotstack_calls_ten_times_later_and_later(town: Town, tmp_path: Path, listener: Listener) -> None:
    listener.refuses = 9
    rendered(town, edit(town, tmp_path), listener.url)
    heard = listener.wait(11)
    attempts = [headers["x-shotstack-attempt"] for headers, told in heard if told["type"] == "edit"]
    assert attempts == [str(number) for number in range(1, 11)]
    waits_s = [after - before for before, after in zip(listener.at[:9], listener.at[1:10], strict=True)]
    for wait_s, real_s in zip(waits_s, (8, 27, 64, 125, 216, 343, 512, 729, 900), strict=True):
        assert wait_s == pytest.approx(real_s * town.dial.time_scale, abs=0.15)


def test_fields_are_merged_before_the_edit_is_checked(town: Town, tmp_path: Path) -> None:
    order = edit(town, tmp_path).edit
    clip = order["timeline"]["tracks"][-1]["clips"][0]
    clip["length"] = "{{ LENGTH }}"
    order["merge"] = [{"find": "LENGTH", "replace": 1}]
    assert rendered(town, RenderOrder(order))
    order["merge"] = [{"find": "LENGTH", "replace": "1.5"}]
    assert rendered(town, RenderOrder(order))
    order["merge"] = [{"find": "LENGTH", "replace": "long"}]
    with pytest.raises(ProviderRefused, match="not an Edit"):
        rendered(town, RenderOrder(order))


def test_a_template_is_kept_and_rendered_and_a_source_probed(town: Town, tmp_path: Path) -> None:
    order = edit(town, tmp_path).edit
    client = town.client("shotstack", "https://api.shotstack.io/edit/v1", {"x-api-key": "k"})
    kept = client.post("/templates", json={"name": "film", "template": order}).json()["response"]["id"]
    made = shotstack(town).submit_template(kept, {"TITLE": "moon"})
    assert shotstack(town).status(made.external_id).state == State.SUCCEEDED
    assert shotstack(town).probe("http://127.0.0.1/0.mp4")["streams"][0]["codec_name"] == "h264"


# --- upload-post


def published(town: Town, tmp_path: Path, key: str = "p-1", privacy: str = "SELF_ONLY", **more: Any) -> Report:
    video = more.pop("video", None) or make_clip(tmp_path / "film.mp4", picture="color=c=red", duration_s=4)
    order = PublishOrder(video, "Moon", "The moon.", ("moon",), "demo", more.pop("platform", "tiktok"), privacy, key)
    adapter = upload_post(town)
    return adapter.status(adapter.submit(order, key=key, callback_url=None).external_id)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("mixed_success", "tiktok: quota exceeded"),
        ("inbox", "it was put into the account's drafts"),
        ("not_connected", "no account of it is connected to the profile"),
    ],
)
def test_what_is_not_public_is_not_published(town: Town, tmp_path: Path, fault: str, words: str) -> None:
    town.turn("upload-post", fault)
    report = published(town, tmp_path)
    assert report.state == State.FAILED
    assert words in report.error


@pytest.mark.parametrize(("fault", "status"), [("no_profile", 404), ("plan", 403), ("bad_key", 401)])
def test_a_refused_upload_posts_nothing(town: Town, tmp_path: Path, fault: str, status: int) -> None:
    town.turn("upload-post", fault)
    with pytest.raises(ProviderRefused, match=str(status)):
        published(town, tmp_path)
    assert jobs(town, "upload-post") == 0


def test_a_full_account_is_tried_later(town: Town, tmp_path: Path) -> None:
    town.turn("upload-post", "hard_cap", 2)
    with pytest.raises(RateLimited):
        published(town, tmp_path)
    assert published(town, tmp_path).state == State.SUCCEEDED


def test_an_upload_is_not_known_at_once(town: Town, tmp_path: Path) -> None:
    town.turn("upload-post", "not_found")
    assert published(town, tmp_path).state == State.ACCEPTED
    assert upload_post(town).status("p-1").state == State.SUCCEEDED


def test_the_url_comes_from_the_history_when_the_status_has_none(town: Town, tmp_path: Path) -> None:
    town.turn("upload-post", "no_url")
    assert published(town, tmp_path).page_urls == ("http://127.0.0.1:1/gallery/p-1",)


def test_a_key_posts_once_however_the_answer_was_lost(town: Town, tmp_path: Path) -> None:
    town.turn("upload-post", "lost_answer")
    with pytest.raises(OutcomeUnknown):
        published(town, tmp_path)
    assert upload_post(town).find("p-1") is not None
    assert published(town, tmp_path).state == State.SUCCEEDED
    assert jobs(town, "upload-post") == 1


def test_a_film_can_be_sent_as_a_url(town: Town, tmp_path: Path) -> None:
    town.clips = {"https://ours.test/film.mp4": make_clip(tmp_path / "film.mp4", picture="color=c=red", duration_s=4)}
    town.turn("upload-post", "server_error", 2)
    with pytest.raises(ProviderUnavailable):
        upload_post(town).status("p-1")
    report = published(town, tmp_path, video="https://ours.test/film.mp4", platform="youtube")
    assert report.state == State.SUCCEEDED


def test_tiktok_is_asked_what_the_account_may_do(town: Town, tmp_path: Path) -> None:
    with pytest.raises(ProviderRefused, match="does not allow 'demo' the privacy FOLLOWER_OF_CREATOR"):
        published(town, tmp_path, privacy="FOLLOWER_OF_CREATOR")
    assert jobs(town, "upload-post") == 0


@pytest.mark.parametrize(
    ("fault", "expected"),
    [("", SignatureStatus.VERIFIED), ("unsigned", SignatureStatus.MISSING), ("own_job_id", SignatureStatus.VERIFIED)],
)
def test_upload_posts_events_are_judged_by_their_signature(
    town: Town, tmp_path: Path, listener: Listener, fault: str, expected: SignatureStatus
) -> None:
    from providers.uploadpost.adapter import UploadPostAdapter

    from .conftest import SECRETS

    town.listen("upload-post", listener.url)
    if fault:
        town.turn("upload-post", fault)
    published(town, tmp_path)
    ((headers, told),) = listener.wait(1)
    adapter = UploadPostAdapter(None, signing_secret=SECRETS["upload-post"])  # type: ignore[arg-type]
    assert adapter.verify(headers, json.dumps(told).encode(), {}, datetime.now(UTC)) == expected
    assert (told["job_id"] == "p-1") == (fault != "own_job_id")


def test_after_five_lost_events_the_webhook_sleeps_and_what_it_missed_is_never_sent(
    town: Town, tmp_path: Path, listener: Listener
) -> None:
    town.listen("upload-post", listener.url)
    listener.refuses = 5
    for number in range(5):
        published(town, tmp_path, f"p-{number}")
        listener.wait(number + 1)
    assert published(town, tmp_path, "missed").state == State.SUCCEEDED
    time.sleep(30 * 60 * town.dial.time_scale + 0.1)
    published(town, tmp_path, "after")
    assert [told["job_id"] for _, told in listener.wait(6)][5:] == ["after"]


# --- Every account


def test_accounts_are_looked_at_without_changing_anything(town: Town) -> None:
    from providers.base import Account

    hook = "http://127.0.0.1:9/hook"
    assert kieai(town).checkup([], hook).facts == ("100,000 credits, about 1666 clips of veo3_fast.",)
    assert shotstack(town).checkup([], hook).faults == ()
    accounts = [Account("demo", "tiktok"), Account("demo", "reddit"), Account("nobody", "tiktok")]
    found = upload_post(town).checkup(accounts, hook)
    assert found.facts == ("Plan basic; profiles: demo.",)
    assert [fault.split(":")[0] for fault in found.faults] == [
        "Profile 'demo' has no reddit account",
        "There is no profile 'nobody'",
    ]
    assert "webhook is not set" in upload_post(town).checkup([], "https://elsewhere").faults[0]
    assert jobs(town) == jobs(town, "shotstack") == jobs(town, "upload-post") == 0
