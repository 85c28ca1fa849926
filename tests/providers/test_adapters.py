"""Each adapter against its service's simulator, over a real socket."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from django.core.cache import cache

from myloware.kernel.errors import MylowareError, OutcomeUnknown, ProviderRefused, ProviderUnavailable
from providers.base import (
    Account,
    ClipOrder,
    PublishOrder,
    RenderOrder,
    Report,
    SignatureStatus,
    State,
    Submission,
)
from providers.callbacks import callback_url
from providers.config import ProviderSettings
from providers.http import Client, Service
from providers.kieai.adapter import KieaiAdapter, Result, status_of
from providers.media.probe import probe
from providers.registry import PROVIDERS
from providers.shared import Shared
from providers.shotstack.adapter import ShotstackAdapter
from providers.shotstack.template import TemplateClip, standard_edit
from providers.uploadpost.adapter import Row, UploadPostAdapter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_django.fixtures import Settings

    from .conftest import Town

VECTORS = {
    vector["provider"]: vector
    for vector in json.loads((Path(__file__).parent / "data/signature_vectors.json").read_text())["vectors"]
}
SIGNED_AT = datetime.fromtimestamp(1767225600, UTC)
ORDER = ClipOrder("a full moon over a quiet sea, slow push-in", "9:16", 8, "720p", "veo-3-fast", 10_001)


def kieai(town: Town, key: str = "k") -> KieaiAdapter:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return KieaiAdapter(town.client("kieai", "https://api.kie.ai", headers), signing_secret="kie-test-key")


def shotstack(town: Town) -> ShotstackAdapter:
    client = town.client("shotstack", "https://api.shotstack.io/edit/v1", {"x-api-key": "k"})
    return ShotstackAdapter(client, webhook_secret="s" * 12)


def upload_post(town: Town) -> UploadPostAdapter:
    client = town.client("upload-post", "https://api.upload-post.com/api", {"Authorization": "Apikey k"})
    return UploadPostAdapter(client, signing_secret="up-test-secret")


def clip(town: Town, target: Path) -> Path:
    adapter = kieai(town)
    report = adapter.status(adapter.submit(ORDER, key="", callback_url=None).external_id)
    return town.client("kieai", "https://api.kie.ai", {}).download(report.urls[0], target)


def test_kieai_makes_the_clip_that_was_ordered(town: Town, tmp_path: Path) -> None:
    seen = probe(clip(town, tmp_path / "clip.mp4"))
    assert (seen.width_px, seen.height_px) == (90, 160)


def test_kieai_makes_the_same_clip_for_the_same_order(town: Town, tmp_path: Path) -> None:
    assert clip(town, tmp_path / "a.mp4").read_bytes() == clip(town, tmp_path / "b.mp4").read_bytes()


def test_kieai_errors_hide_behind_http_200(town: Town) -> None:
    with pytest.raises(ProviderRefused, match=r"422.*Invalid model"):
        kieai(town).submit(ClipOrder("x", "9:16", 8, "720p", "veo-9", 0), key="", callback_url=None)
    with pytest.raises(ProviderRefused, match="401"):
        kieai(town, key="").submit(ORDER, key="", callback_url=None)
    with pytest.raises(ProviderRefused, match="record is null"):
        kieai(town).status("0" * 32)


@pytest.mark.parametrize("urls", [["http://a/1.mp4"], '["http://a/1.mp4"]', "[http://a/1.mp4]"])
def test_kieai_result_urls_are_read_in_every_form(urls: Any) -> None:
    assert Result.model_validate({"resultUrls": urls}).urls == ("http://a/1.mp4",)


def test_shotstack_renders_the_edit(town: Town, tmp_path: Path) -> None:
    source = clip(town, tmp_path / "clip.mp4")
    town.clips = {"http://127.0.0.1/0.mp4": source, "http://127.0.0.1/1.mp4": source}
    clips = [TemplateClip(src=src, duration_s=1, primary="moon", secondary="") for src in town.clips]
    adapter = shotstack(town)
    edit = standard_edit(clips, width_px=1080, height_px=1920, fps=30)
    report = adapter.status(adapter.submit(RenderOrder(edit), key="", callback_url=None).external_id)
    assert report.state == State.SUCCEEDED
    assert report.cost_microusd


def test_shotstack_says_where_an_edit_is_wrong(town: Town) -> None:
    with pytest.raises(ProviderRefused, match=r"\$\.timeline\.tracks: \[\] should be non-empty"):
        shotstack(town).submit(RenderOrder({"timeline": {"tracks": []}, "surprise": 1}), key="", callback_url=None)


def test_a_source_that_cannot_be_fetched_fails_the_render_with_a_reason(town: Town) -> None:
    clips = [TemplateClip(src="http://127.0.0.1/gone.mp4", duration_s=1, primary="moon")]
    edit = standard_edit(clips, width_px=1080, height_px=1920, fps=30)
    adapter = shotstack(town)
    report = adapter.status(adapter.submit(RenderOrder(edit), key="", callback_url=None).external_id)
    assert report.state == State.FAILED
    assert "gone.mp4" in report.error


def publish(town: Town, video: Path, request_id: str = "publish-1") -> str:
    order = PublishOrder(
        video, "Moon", "The moon is hungry.", ("moon", "asmr"), "demo", "tiktok", "SELF_ONLY", request_id
    )
    return upload_post(town).submit(order, key=request_id, callback_url=None).external_id


def test_upload_post_publishes_and_tells_the_page(town: Town, tmp_path: Path) -> None:
    video = clip(town, tmp_path / "clip.mp4")
    report = upload_post(town).status(publish(town, video))
    assert report.state == State.SUCCEEDED
    assert report.page_urls == ("http://127.0.0.1:1/gallery/publish-1",)
    page = httpx.get(f"{town.url}/gallery/publish-1").text
    assert "The moon is hungry. #moon #asmr" in page
    assert "made with AI" in page
    assert httpx.get(f"{town.url}/gallery/publish-1.mp4").content == video.read_bytes()
    assert httpx.get(f"{town.url}/gallery/publish-1.jpg").content.startswith(b"\xff\xd8")


def test_upload_post_posts_once_for_one_request_id(town: Town, tmp_path: Path) -> None:
    video = clip(town, tmp_path / "clip.mp4")
    assert publish(town, video) == publish(town, video)
    assert len(list(town.simulators["upload-post"].jobs())) == 1


def test_upload_post_is_asked_by_our_id(town: Town, tmp_path: Path) -> None:
    assert upload_post(town).find("publish-1") is None
    publish(town, clip(town, tmp_path / "clip.mp4"))
    found = upload_post(town).find("publish-1")
    assert found is not None
    assert found.external_id == "publish-1"


def test_a_film_in_the_drafts_is_not_published() -> None:
    row = Row(platform="tiktok", success=True, fallback_to_inbox=True)
    assert "drafts" in row.fault


def test_the_signature_vectors_verify(town: Town) -> None:
    body = json.dumps({"data": {"taskId": VECTORS["kie.ai"]["signed_string"].split(".")[0]}}).encode()
    assert verify(kieai(town), "kie.ai", body) == SignatureStatus.VERIFIED
    body = VECTORS["upload-post"]["raw_body"].encode()
    assert verify(upload_post(town), "upload-post", body) == SignatureStatus.VERIFIED
    assert verify(upload_post(town), "upload-post", body + b" ") == SignatureStatus.REJECTED
    late = SIGNED_AT + timedelta(seconds=301)
    assert verify(upload_post(town), "upload-post", body, now=late) == SignatureStatus.STALE


def verify(adapter: Any, vector: str, body: bytes, now: datetime = SIGNED_AT) -> SignatureStatus:
    headers = {name.lower(): value for name, value in VECTORS[vector]["headers"].items()}
    status: SignatureStatus = adapter.verify(headers, body, {}, now)
    return status


def test_shotstack_callbacks_are_known_by_the_url_we_gave(town: Town) -> None:
    job = "6f1b0c1e-0000-4000-8000-000000000001.2"
    query = dict(httpx.URL(callback_url("https://x", "shotstack", job, secret="s" * 12)).params)
    adapter = shotstack(town)
    assert adapter.verify({}, b"{}", query, SIGNED_AT) == SignatureStatus.VERIFIED
    assert adapter.event({}, b"{}", query).reference == job
    assert adapter.verify({}, b"{}", {"ref": query["ref"][:-1] + "x"}, SIGNED_AT) == SignatureStatus.REJECTED
    assert adapter.verify({}, b"{}", {}, SIGNED_AT) == SignatureStatus.MISSING


def client(answer: httpx.Response | Exception) -> Client:
    """A client whose service gives this one answer."""

    def respond(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    service = Service("kieai", "https://api.kie.ai", {"Authorization": "Bearer s3cret-key"}, frozenset({"api.kie.ai"}))
    return Client(service, httpx.MockTransport(respond), Shared())


def test_a_lost_answer_to_an_order_is_an_unknown_outcome() -> None:
    with pytest.raises(OutcomeUnknown):
        client(httpx.ReadTimeout("late")).post("/x", json={})


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize("code", [429, 455, 500])
def test_kieai_is_asked_again_after_what_its_envelope_calls_passing(code: int) -> None:
    answers = [{"code": code, "msg": "later"}, {"code": 200, "msg": "success", "data": {"successFlag": 0}}]
    service = Service("kieai", "https://api.kie.ai", {}, frozenset({"api.kie.ai"}), status_of)
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answers.pop(0)))
    report = KieaiAdapter(Client(service, transport, Shared()), signing_secret="s").status("t")
    assert (report.state, answers) == (State.ACCEPTED, [])


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, json={"code": 500, "msg": "server error"}),
        httpx.Response(200, json={"code": 200, "msg": "success", "data": None}),
        httpx.Response(200, text="<html>a proxy</html>"),
    ],
)
def test_an_order_to_kieai_without_a_clear_answer_has_an_unknown_outcome(answer: httpx.Response) -> None:
    service = Service("kieai", "https://api.kie.ai", {}, frozenset({"api.kie.ai"}), status_of)
    adapter = KieaiAdapter(Client(service, httpx.MockTransport(lambda _: answer), Shared()), signing_secret="s")
    with pytest.raises(OutcomeUnknown):
        adapter.submit(ORDER, key="", callback_url=None)


@pytest.mark.usefixtures("no_waiting")
def test_a_service_that_was_not_reached_took_nothing() -> None:
    with pytest.raises(ProviderUnavailable):
        client(httpx.ConnectError("refused")).post("/x", json={})


def test_a_file_on_another_host_is_not_fetched(tmp_path: Path) -> None:
    with pytest.raises(ProviderRefused, match="not at an https address of its own"):
        client(httpx.Response(200)).download("http://169.254.169.254/latest", tmp_path / "x.mp4")


def test_no_error_tells_the_key() -> None:
    with pytest.raises(ProviderRefused) as caught:
        client(httpx.Response(403, json={"message": "no"})).get("/x")
    assert "s3cret-key" not in repr(caught.value) + str(caught.value.detail)


# --- Answers that nobody would give


DONE = "https://tempfile.aiquickdraw.com/a.mp4"
ANSWERS: list[tuple[str, dict[str, Any]]] = [
    (
        "kieai",
        {
            "code": 200,
            "data": {
                "taskId": "t",
                "paramJson": '{"model": "veo3_fast", "resolution": "1080p"}',
                "successFlag": 1,
                "response": {"resultUrls": [DONE], "resolution": "720p"},
                "errorCode": None,
                "errorMessage": "",
                "fallbackFlag": False,
                "resultUrl": DONE,
            },
        },
    ),
    (
        "shotstack",
        {"response": {"id": "r", "owner": "o", "status": "done", "url": DONE, "duration": 24.0, "error": ""}},
    ),
    (
        "upload-post",
        {
            "status": "completed",
            "results": [{"platform": "tiktok", "success": True, "post_url": DONE}],
            "request_id": "r",
            "history": [{"request_id": "r", "post_url": "https://x/1"}],
            "profiles": [{"username": "demo", "social_accounts": {"tiktok": {"handle": "d"}}}],
            "notifications": {"webhook_url": "x"},
            "privacy_level_options": ["SELF_ONLY"],
            "max_video_post_duration_sec": 60,
        },
    ),
]
ODD: list[Any] = [
    None, True, -1, 10**50, 1e308, float("inf"), float("nan"), "", "\0", "\ud800", "javascript:alert(1)",
    "https://api.kie.ai/\0", [], ["\0"], [[1]], {}, {"a": {}},
]  # fmt: skip


def spoilt(content: Any) -> Iterator[Any]:
    """``content`` with each of its parts, in turn, replaced by each odd thing."""
    yield from ODD
    parts = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for place, part in parts:
        for odd in spoilt(part):
            copied = content.copy()
            copied[place] = odd
            yield copied


def asked(name: str, answer: Any) -> Iterator[Callable[[], Any]]:
    """All that an adapter asks of a service that has one answer to everything."""
    entry, body = PROVIDERS[name], json.dumps(answer).encode()
    base_url = {"kieai": "https://api.kie.ai", "shotstack": "https://api.shotstack.io/edit/v1"}.get(
        name, "https://api.upload-post.com/api"
    )
    service = Service(name, base_url, {}, entry.hosts, entry.status_of)
    way = httpx.MockTransport(lambda _: httpx.Response(200, content=body))
    adapter: Any = entry.build(Client(service, way, Shared()), ProviderSettings())
    yield lambda: adapter.status("r")
    yield lambda: adapter.find("r")
    yield lambda: adapter.checkup([Account("demo", "tiktok")], "https://x")
    if name == "kieai":
        yield lambda: adapter.submit(ORDER, key="k", callback_url=None)
    elif name == "shotstack":
        yield lambda: adapter.submit_template("t", {})
        yield lambda: adapter.probe(DONE)
    else:
        order = PublishOrder(DONE, "t", "c", (), "demo", "tiktok", "SELF_ONLY", "r")
        yield lambda: adapter.submit(order, key="k", callback_url=None)


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize(("name", "answer"), ANSWERS)
def test_whatever_a_service_answers_is_an_error_in_words_or_can_be_kept(
    settings: Settings, name: str, answer: dict[str, Any]
) -> None:
    # Of this process alone, and forgotten each time, so that no circuit opens.
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    kept: list[Any] = []
    for odd in spoilt(answer):
        for ask in asked(name, odd):
            cache.clear()
            with suppress(MylowareError):
                kept.append(ask())
    reports = [each for each in kept if isinstance(each, Report)]
    assert any(report.state == State.SUCCEEDED for report in reports)
    for report in reports:
        told = json.dumps([report.raw, report.error])
        assert not [word for word in ("\\u0000", "\\ud800", "Infinity", "NaN") if word in told]
        assert all(url.startswith("https://") for url in report.page_urls)
        assert 0 <= (report.cost_microusd or 0) < 2**62
    for submission in (each for each in kept if isinstance(each, Submission)):
        assert re.fullmatch(r"[A-Za-z0-9_.:-]{1,128}", submission.external_id)


@pytest.fixture
def no_waiting() -> Any:
    import stamina

    stamina.set_testing(True, attempts=2)
    yield
    stamina.set_testing(False)
