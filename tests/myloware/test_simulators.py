"""The official clients, unchanged, against the simulators on a real socket; and the fault dial over HTTP."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest
import telegram
import upload_post

from providers import registry
from providers.dial import Dial
from tests.providers.media.media_files import make_clip

from .conftest import TOKEN
from .test_up import ROOT, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import Served

# --- upload-post's own client


@pytest.fixture
def uploads(served: Served, monkeypatch: pytest.MonkeyPatch) -> upload_post.UploadPostClient:
    monkeypatch.setattr(upload_post.UploadPostClient, "BASE_URL", f"{served.url}/api")
    return upload_post.UploadPostClient("a-key")


def listens(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


def film(folder: Path) -> Path:
    return make_clip(folder / "film.mp4", picture="color=c=red", duration_s=4)


def test_upload_posts_own_client_publishes(uploads: upload_post.UploadPostClient, tmp_path: Path) -> None:
    asked = {"title": "A moon", "user": "demo", "platforms": ["tiktok"], "privacy_level": "SELF_ONLY", "is_aigc": True}
    taken = uploads.upload_video(str(film(tmp_path)), async_upload=True, **asked)
    told = uploads.get_status(taken["request_id"])
    assert (told["status"], told["results"][0]["success"]) == ("completed", True)
    (row,) = uploads.get_history()["history"]
    assert (row["request_id"], row["post_url"]) == (taken["request_id"], told["results"][0]["post_url"])
    assert [profile["username"] for profile in uploads.list_users()["profiles"]] == ["demo"]


def test_upload_posts_own_client_waits_for_a_synchronous_upload(
    uploads: upload_post.UploadPostClient, served: Served, tmp_path: Path
) -> None:
    asked = {"title": "A moon", "user": "demo", "platforms": ["tiktok"], "async_upload": False}
    told = uploads.upload_video(str(film(tmp_path)), **asked)
    assert told["results"]["tiktok"]["success"]
    served.turn("upload-post", "background")
    assert uploads.upload_video(str(film(tmp_path)), **asked)["request_id"]
    served.turn("upload-post", "hard_cap")
    with pytest.raises(upload_post.UploadPostError, match="Post verification failed"):
        uploads.upload_video(str(film(tmp_path)), **asked)


def test_what_is_published_is_found_on_the_port_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    command = [sys.executable, "manage.py", "simulators", "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, "MYLOWARE_DATA_DIR": str(tmp_path)}) as running:
        url = f"http://127.0.0.1:{port}"
        while not listens(port):
            assert running.poll() is None
        monkeypatch.setattr(upload_post.UploadPostClient, "BASE_URL", f"{url}/api")
        ours = upload_post.UploadPostClient("a-key")
        ours.upload_video(str(film(tmp_path)), title="A moon", user="demo", platforms=["tiktok"], async_upload=False)
        link = ours.get_history()["history"][0]["post_url"]
        assert link.startswith(f"{url}/gallery/")
        assert httpx.get(link).status_code == 200
        running.terminate()


# --- python-telegram-bot


def bot(served: Served) -> telegram.Bot:
    return telegram.Bot(TOKEN, base_url=f"{served.url}/bot")


def test_python_telegram_bot_sends_edits_and_answers(served: Served) -> None:
    async def talk() -> None:
        async with bot(served) as ours:
            assert ours.username == "myloware_local_bot"
            button = telegram.InlineKeyboardMarkup([[telegram.InlineKeyboardButton("Approve", callback_data="a:1")]])
            sent = await ours.send_message(1001, "Ideas for <b>run 7</b>", parse_mode="HTML", reply_markup=button)
            press = {"chat_id": 1001, "message_id": sent.message_id, "data": "a:1"}
            httpx.post(f"{served.url}/telegram/press", json=press).raise_for_status()
            (update,) = await ours.get_updates()
            assert update.callback_query is not None
            assert update.callback_query.data == "a:1"
            assert await update.callback_query.answer("Thanks")
            with pytest.raises(telegram.error.BadRequest, match=r"(?i)query is too old"):
                await update.callback_query.answer("Again")
            await ours.edit_message_text("Approved", 1001, sent.message_id)
            with pytest.raises(telegram.error.BadRequest, match=r"(?i)not modified"):
                await ours.edit_message_text("Approved", 1001, sent.message_id)

    asyncio.run(talk())


def test_python_telegram_bot_hears_what_goes_wrong(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "1")

    async def talk() -> None:
        async with bot(served) as ours:
            with pytest.raises(telegram.error.BadRequest, match=r"(?i)can't parse entities"):
                await ours.send_message(1001, "<b>open", parse_mode="HTML")
            with pytest.raises(telegram.error.BadRequest, match=r"(?i)too long"):
                await ours.send_message(1001, "x" * 4097)
            with pytest.raises(telegram.error.BadRequest, match=r"(?i)chat not found"):
                await ours.send_message("nobody", "x")
            served.turn("telegram", "blocked")
            with pytest.raises(telegram.error.Forbidden, match="blocked"):
                await ours.send_message(1001, "x")
            served.turn("telegram", "rate_limited")
            with pytest.raises(telegram.error.RetryAfter) as caught:
                await ours.send_message(1001, "x")
            assert caught.value.retry_after == timedelta(seconds=5)
            await ours.set_webhook("http://127.0.0.1:9/hook", secret_token="s3cret")
            with pytest.raises(telegram.error.Conflict):
                await ours.get_updates()

    asyncio.run(talk())


# What third parties saw the service say, word for word.
WORDS: list[tuple[str, dict[str, Any], int, str]] = [
    ("sendMessage", {"chat_id": "nobody", "text": "x"}, 400, "Bad Request: chat not found"),
    ("sendMessage", {"chat_id": 1, "text": " "}, 400, "Bad Request: message text is empty"),
    ("sendMessage", {"chat_id": 1, "text": "x" * 4097}, 400, "Bad Request: message is too long"),
    ("sendVideo", {"chat_id": 1, "video": "v", "caption": "x" * 1025}, 400, "Bad Request: message caption is too long"),
    (
        "sendMessage",
        {"chat_id": 1, "text": "<b>x", "parse_mode": "HTML"},
        400,
        "Bad Request: can't parse entities: Can't find end tag corresponding to start tag \"b\"",
    ),
    (
        "sendMessage",
        {"chat_id": 1, "text": "x", "reply_markup": {"inline_keyboard": [[{"text": "x", "callback_data": "x" * 65}]]}},
        400,
        "Bad Request: BUTTON_DATA_INVALID",
    ),
    ("editMessageText", {"chat_id": 1, "message_id": 9, "text": "x"}, 400, "Bad Request: message to edit not found"),
    (
        "editMessageText",
        {"chat_id": 1, "message_id": 1, "text": "Hello"},
        400,
        "Bad Request: message is not modified: specified new message content and reply markup are exactly the same "
        "as a current content and reply markup of the message",
    ),
    (
        "answerCallbackQuery",
        {"callback_query_id": "1"},
        400,
        "Bad Request: query is too old and response timeout expired or query ID is invalid",
    ),
    (
        "getUpdates",
        {},
        409,
        "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
    ),
    ("sendNothing", {}, 404, "Not Found"),
]


def test_telegram_refuses_in_the_services_words(served: Served) -> None:
    def call(method: str, fields: dict[str, Any]) -> httpx.Response:
        return httpx.post(f"{served.url}/bot{TOKEN}/{method}", json=fields)

    assert call("sendMessage", {"chat_id": 1, "text": "Hello"}).json()["result"]["message_id"] == 1
    webhook = call("setWebhook", {"url": "http://127.0.0.1:9/hook"}).json()
    assert webhook == {"ok": True, "result": True, "description": "Webhook was set"}
    for method, fields, code, description in WORDS:
        answer = call(method, fields)
        assert (answer.status_code, answer.json()) == (
            code,
            {"ok": False, "error_code": code, "description": description},
        )


def test_an_edit_takes_away_the_buttons_that_it_does_not_repeat(served: Served) -> None:
    async def talk() -> telegram.Message | bool:
        async with bot(served) as ours:
            button = telegram.InlineKeyboardMarkup([[telegram.InlineKeyboardButton("Approve", callback_data="a:1")]])
            sent = await ours.send_message(1001, "Ideas", reply_markup=button)
            return await ours.edit_message_text("Ideas", 1001, sent.message_id)

    changed = asyncio.run(talk())
    assert isinstance(changed, telegram.Message)
    assert (changed.text, changed.reply_markup) == ("Ideas", None)


# --- openai


@pytest.fixture
def gpt(served: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="k", base_url=f"{served.url}/v1", max_retries=0) as client:
        yield client


def test_openai_embeds_in_both_forms(gpt: openai.OpenAI) -> None:
    coded = gpt.embeddings.create(model="text-embedding-3-small", input=["a moon", "a boat"], dimensions=256)
    plain = gpt.embeddings.create(
        model="text-embedding-3-small", input="a moon", dimensions=256, encoding_format="float"
    )
    assert [len(each.embedding) for each in coded.data] == [256, 256]
    assert coded.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-6)
    assert sum(number**2 for number in plain.data[0].embedding) == pytest.approx(1, abs=1e-3)
    assert len(gpt.embeddings.create(model="text-embedding-3-small", input="x").data[0].embedding) == 1536


def test_openai_chats_at_once_and_in_pieces(gpt: openai.OpenAI) -> None:
    asked: Any = [{"role": "user", "content": "Hello, who are you?"}]
    whole = gpt.chat.completions.create(model="gpt-5-mini", messages=asked)
    assert whole.choices[0].message.content
    assert whole.usage is not None
    assert whole.usage.total_tokens > 0
    pieces = gpt.chat.completions.create(model="gpt-5-mini", messages=asked, stream=True)
    heard = [(time.monotonic(), piece.choices[0].delta.content or "") for piece in pieces]
    assert "".join(text for _, text in heard) == whole.choices[0].message.content
    assert heard[-1][0] - heard[0][0] > 0.05
    assert "gpt-5" in [model.id for model in gpt.models.list()]


def test_openai_hears_what_goes_wrong(gpt: openai.OpenAI, served: Served) -> None:
    served.turn("openai", "rate_limited")
    with pytest.raises(openai.RateLimitError):
        gpt.models.list()
    served.turn("openai", "too_long")
    with pytest.raises(openai.BadRequestError, match="context length"):
        gpt.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "x"}])
    with pytest.raises(openai.NotFoundError):
        gpt.embeddings.create(model="ada", input="x")


# --- The dial


def test_the_dial_shows_and_takes_what_it_knows(served: Served) -> None:
    shown = httpx.get(f"{served.url}/dial").json()
    assert set(shown["known"]) == {"kieai", "shotstack", "upload-post", "telegram", "openai"}
    wrong = httpx.put(f"{served.url}/dial", json={"faults": {"kieai": {"on_fire": 1}}})
    assert wrong.status_code == 400
    assert "no fault 'on_fire'" in wrong.json()["message"]
    assert httpx.put(f"{served.url}/dial", json={"faults": {"kieai": 1}}).status_code == 400
    turned = httpx.put(f"{served.url}/dial", json={"faults": {"kieai": {"no_callback": 2}}, "time_scale": 0.5}).json()
    assert (turned["time_scale"], turned["faults"]) == (0.5, {"kieai": {"no_callback": 2}})
    assert httpx.delete(f"{served.url}/dial").json()["faults"] == {}


def test_a_fault_counts_down_once_however_many_read_the_dial(tmp_path: Path) -> None:
    known = {"kieai": {"no_callback": ""}}
    dials = [Dial(tmp_path / "dial.json", known) for _ in range(4)]
    dials[0].turn({"kieai": {"no_callback": 40}})
    with ThreadPoolExecutor(len(dials)) as pool:
        taken = pool.map(lambda number: dials[number % 4].takes("kieai", "no_callback"), range(100))
    assert sum(taken) == 40


def test_faults_can_be_configured(tmp_path: Path, settings: Any) -> None:
    settings.DATA_DIR = tmp_path
    changed = {"simulators_faults": "kieai.code_429=2, shotstack.fails", "simulators_time_scale": 0.1}
    settings.PROVIDERS = settings.PROVIDERS.model_copy(update=changed)
    dial = registry.simulators()["kieai"].world.dial
    assert [dial.takes("kieai", "code_429") for _ in range(3)] == [True, True, False]
    assert all(dial.takes("shotstack", "fails") for _ in range(3))
    assert dial.time_scale == 0.1


# --- Whom the simulators do not serve


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.test"},
        {"Host": "127.0.0.1.evil.test:80"},
        {"Host": "api.kie.ai.evil.test"},
        {"Origin": "http://evil.test"},
        {"Origin": "null"},
    ],
)
def test_a_page_of_somebody_else_in_the_users_browser_is_refused(served: Served, headers: dict[str, str]) -> None:
    told = {"content": '{"chat_id": 1001, "text": "approve it"}', "headers": {"Content-Type": "text/plain", **headers}}
    for method, path in (("POST", "/telegram/say"), ("DELETE", "/dial"), ("GET", "/gallery")):
        assert httpx.request(method, f"{served.url}{path}", **told).status_code == 403  # type: ignore[arg-type]
    assert httpx.get(f"{served.url}/telegram/chats/1001").json() == {"messages": []}


def test_the_users_own_page_is_served(served: Served) -> None:
    assert httpx.get(f"{served.url}/gallery", headers={"Origin": served.url}).status_code == 200


@pytest.mark.parametrize("name", ["../escaped", "{outside}", "..", "a/b", "a\\b", "a b", "", "x" * 129, "\udcff"])
def test_an_upload_writes_no_file_but_its_own(served: Served, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    sent = {"user": "demo", "platform[]": "tiktok", "request_id": name.replace("{outside}", str(outside))}
    answer = httpx.post(
        f"{served.url}/api/upload",
        headers={"Authorization": "Apikey k", "Content-Type": "multipart/form-data; boundary=b"},
        content=multipart({**sent, "video": "no film"}),
    )
    assert answer.status_code == (200 if name == ".." else 400)
    inside = tmp_path / "simulators" / "upload-post"
    assert all(file.is_relative_to(inside) for file in tmp_path.rglob("*.mp4"))


def multipart(fields: dict[str, str]) -> bytes:
    parts = [
        b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
        % (name.encode(), value.encode(errors="surrogateescape"))
        for name, value in fields.items()
    ]
    return b"".join([*parts, b"--b--\r\n"])


def test_a_host_that_is_none_is_a_bad_request(served: Served) -> None:
    address = httpx.URL(served.url)
    with socket.create_connection((address.host, address.port or 0), timeout=5) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: localhost:none\r\nConnection: close\r\n\r\n")
        assert line.makefile("rb").readline().startswith(b"HTTP/1.1 400")
