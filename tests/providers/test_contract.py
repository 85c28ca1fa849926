"""The adapters in live mode: TLS, the services' names, and every request valid by the services' contracts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from providers import registry
from providers.base import Account, ClipOrder, PublishOrder, RenderOrder, State
from providers.shotstack.schema import SCHEMA
from providers.shotstack.template import TemplateClip, standard_edit
from providers.simulator import form
from tests.providers.media.media_files import make_clip

if TYPE_CHECKING:
    import httpx

    from .live import Recorder

DATA = Path(__file__).parent / "data"
ACCOUNT = Account("demo", "tiktok")


def document(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DATA / f"{name}.openapi.json").read_text())
    return found


def check(document: dict[str, Any], path: str, request: httpx.Request) -> str:
    """Validates a request by the operation of an OpenAPI document; ``METHOD /path``."""
    operation = document["paths"][path][request.method.lower()]
    for parameter in operation.get("parameters", []):
        if parameter.get("required") and parameter["in"] == "query":
            assert parameter["name"] in request.url.params
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        if request.headers["Content-Type"].startswith(kind):
            body = json.loads(request.content) if kind == "application/json" else fields(request, content["schema"])
            schema = json.loads(json.dumps({**content["schema"], "components": document["components"]}))
            # A file or a URL: formats, which JSON Schema does not tell apart.
            schema.get("properties", {}).pop("video", None)
            jsonschema.Draft202012Validator(schema).validate(body)
            assert set(body) <= set(resolved(content["schema"], document)["properties"])
    return f"{request.method} {path}"


def resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = document["components"]["schemas"][name] if name else schema
    return found


def fields(request: httpx.Request, schema: dict[str, Any]) -> dict[str, Any]:
    """A form as its schema sees it: lists, and true and false instead of their names."""
    found: dict[str, Any] = {}
    for name, values in form(request).items():
        texts = ["film" if name == "video" and not value.startswith(b"http") else value.decode() for value in values]
        kind = schema["properties"].get(name, {}).get("type")
        found[name] = texts if kind == "array" else texts[0] == "true" if kind == "boolean" else texts[0]
    return found


def of(live: Recorder, host: str, prefix: str = "") -> list[httpx.Request]:
    return [each for each in live.requests if each.url.host == host and each.url.path.startswith(prefix)]


def test_kieai_gets_what_its_contract_asks_for(live: Recorder, tmp_path: Path) -> None:
    adapter = registry.adapter("kieai")
    for model, resolution, length_s in (("veo-3-fast", "720p", 8), ("veo-3", "1080p", 5), ("veo3_lite", "720p", 4)):
        order = ClipOrder("a moon", "9:16", length_s, resolution, model, 10_001)
        made = adapter.submit(order, key="k", callback_url="https://ours.test/v1/webhooks/kieai?ref=1")
        report = adapter.status(made.external_id)
        assert report.state == State.SUCCEEDED
    square = ClipOrder("a moon", "1:1", 8, "720p", "veo-3-fast", 10_001)
    adapter.submit(square, key="k", callback_url=None)
    adapter.checkup([ACCOUNT], "https://ours.test")
    assert registry.download("kieai", report.urls, tmp_path / "clip.mp4").stat().st_size
    contract = document("kieai")
    sent = {check(contract, each.url.path, each) for each in of(live, "api.kie.ai")}
    assert sent == {
        "POST /api/v1/veo/generate",
        "GET /api/v1/veo/record-info",
        "GET /api/v1/veo/get-1080p-video",
        "GET /api/v1/chat/credit",
    }
    assert {each.headers["Authorization"] for each in of(live, "api.kie.ai")} == {"Bearer key-of-kieai"}
    # Files come from elsewhere, which is nobody's business to know the key of.
    assert "Authorization" not in of(live, "tempfile.aiquickdraw.com")[0].headers


def test_shotstack_gets_what_its_schema_asks_for(live: Recorder, tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    make_clip(tmp_path / "0.mp4", picture="color=c=red", duration_s=2)
    clips = [TemplateClip(src="http://ours.test/media/0.mp4", duration_s=1, primary="moon", secondary="boat")]
    edit = standard_edit(clips, width_px=90, height_px=160, fps=30)
    adapter = registry.adapter("shotstack")
    made = adapter.submit(RenderOrder(edit), key="k", callback_url="https://ours.test/v1/webhooks/shotstack?ref=1")
    report = adapter.status(made.external_id)
    assert report.state == State.SUCCEEDED
    adapter.checkup([ACCOUNT], "https://ours.test")
    assert registry.download("shotstack", report.urls, tmp_path / "film.mp4").stat().st_size
    sent = of(live, "api.shotstack.io")
    assert [f"{each.method} {each.url.path}".replace(made.external_id, "ID") for each in sent] == [
        "POST /edit/v1/render",
        "GET /edit/v1/render/ID",
        "GET /edit/v1/templates",
    ]
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(json.loads(sent[0].content))
    assert {each.headers["x-api-key"] for each in sent} == {"key-of-shotstack"}


@pytest.mark.parametrize("platform", ["tiktok", "instagram", "youtube"])
def test_upload_post_gets_what_its_contract_asks_for(live: Recorder, tmp_path: Path, platform: str) -> None:
    film = make_clip(tmp_path / "film.mp4", picture="color=c=red", duration_s=4)
    adapter = registry.adapter("upload-post")
    places: tuple[Path | str, ...] = (film, "https://ours.test/media/film.mp4")
    for number, video in enumerate(places):
        order = PublishOrder(video, "Moon", "The moon.", ("moon",), "demo", platform, "SELF_ONLY", f"r-{number}")
        made = adapter.submit(order, key=f"k-{number}", callback_url=None)
        assert made.external_id == f"r-{number}"
    assert adapter.status("r-0").state == State.SUCCEEDED
    adapter.checkup([ACCOUNT], "https://ours.test")
    contract = document("uploadpost")
    sent = of(live, "api.upload-post.com")
    assert {check(contract, each.url.path.removeprefix("/api"), each) for each in sent} >= {
        "POST /upload",
        "GET /uploadposts/status",
        "GET /uploadposts/me",
        "GET /uploadposts/users",
        "GET /uploadposts/users/notifications",
    }
    uploads = [each for each in sent if each.url.path == "/api/upload"]
    assert [each.headers["Content-Type"].partition(";")[0] for each in uploads] == [
        "multipart/form-data",
        "application/x-www-form-urlencoded",
    ]
    assert [each.headers["Idempotency-Key"] for each in uploads] == ["k-0", "k-1"]
    assert {each.headers["Authorization"] for each in sent} == {"Apikey key-of-upload-post"}
    told = {name: values[0] for name, values in form(uploads[0]).items()}
    labels = {"tiktok": "is_aigc", "instagram": "is_ai_generated", "youtube": "containsSyntheticMedia"}
    assert told[labels[platform]] == b"true"
