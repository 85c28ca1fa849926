"""Stored files over HTTP, from a folder and from a bucket, under ASGI and under WSGI."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import psutil
import pytest
from django.test import AsyncClient, Client

from runs import media, store

from .places import Place, kept, use

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from django.http import StreamingHttpResponse
    from pytest_django.fixtures import Settings

    from runs.store import Stored

pytestmark = pytest.mark.django_db

TEXT = b"0123456789"


async def _got(path: str, method: str, headers: dict[str, str]) -> tuple[Any, bytes]:
    response: Any = await getattr(AsyncClient(), method)(path, headers=headers)
    if not response.streaming:
        return response, response.content
    assert response.is_async
    return response, b"".join([block async for block in response.streaming_content])


def ask(
    path: str, headers: dict[str, str] | None = None, *, asgi: bool = True, method: str = "get"
) -> tuple[Any, bytes]:
    """The response and its body."""
    if asgi:
        return asyncio.run(_got(path, method, headers or {}))
    response: Any = getattr(Client(), method)(path, headers=headers)
    if response.streaming:
        assert not response.is_async
    return response, b"".join(response.streaming_content) if response.streaming else response.content


@pytest.fixture
def file(place: Place) -> Stored:
    return kept(TEXT)


@pytest.mark.parametrize("asgi", [True, False])
def test_a_file_is_served_whole_with_all_that_a_cache_must_know(file: Stored, asgi: bool) -> None:
    response, body = ask(f"/media/{file.path}", asgi=asgi)
    assert (response.status_code, body) == (200, TEXT)
    assert {name: response.headers[name] for name in ("Content-Type", "Content-Length", "ETag", "Accept-Ranges")} == {
        "Content-Type": "video/mp4",
        "Content-Length": "10",
        "ETag": f'"{file.checksum}"',
        "Accept-Ranges": "bytes",
    }
    assert "immutable" in response.headers["Cache-Control"]
    assert response.headers["Content-Disposition"] == "inline"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("asgi", [True, False])
@pytest.mark.parametrize(
    ("span", "body", "told"), [("2-4", b"234", "2-4"), ("7-", b"789", "7-9"), ("-3", b"789", "7-9")]
)
def test_a_part_is_served(file: Stored, asgi: bool, span: str, body: bytes, told: str) -> None:
    response, got = ask(f"/media/{file.path}", {"Range": f"bytes={span}"}, asgi=asgi)
    assert (response.status_code, got) == (206, body)
    assert response.headers["Content-Range"] == f"bytes {told}/10"
    assert response.headers["Content-Length"] == str(len(body))


NOTHING = range(0)


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("bytes=0-0", range(1)),
        ("bytes=0-9", range(10)),
        ("bytes=0-99", range(10)),
        ("bytes=9-", range(9, 10)),
        ("bytes=-99", range(10)),
        (" Bytes=1-2 ", range(1, 3)),
        ("bytes=10-", NOTHING),
        ("bytes=10-20", NOTHING),
        (f"bytes={10**19}-", NOTHING),
        ("bytes=-0", NOTHING),
        ("", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=5-4", None),
        ("bytes=a-b", None),
        ("bytes=1-2,4-5", None),
        ("bytes=٣-٤", None),
        ("bytes=+1-2", None),
        (f"bytes={'9' * 5000}-", None),
        ("lines=1-2", None),
    ],
)
def test_a_range_names_bytes_or_none_that_are_there_or_is_ignored(header: str, span: range | None) -> None:
    found = media.span_of(header, 10)
    assert (found is None) == (span is None)
    assert list(found or ()) == list(span or ())


def test_an_empty_file_has_no_part(place: Place) -> None:
    path = f"/media/{kept(b'').path}"
    for method in ("get", "head"):
        response, body = ask(path, method=method)
        assert (response.status_code, body) == (200, b"")
    assert ask(path, {"Range": "bytes=0-"})[0].status_code == 416


def test_a_part_that_is_not_there_is_refused_and_the_refusal_is_not_cached(file: Stored) -> None:
    response, body = ask(f"/media/{file.path}", {"Range": "bytes=10-"})
    assert (response.status_code, body) == (416, b"")
    assert response.headers["Content-Range"] == "bytes */10"
    assert "Cache-Control" not in response.headers


@pytest.mark.parametrize(
    ("headers", "status", "size"),
    [
        ({"If-None-Match": "{etag}"}, 304, 0),
        ({"If-None-Match": 'W/{etag}, "x"'}, 304, 0),
        ({"If-None-Match": "*"}, 304, 0),
        ({"If-None-Match": '"x"'}, 200, 10),
        ({"If-None-Match": "{etag}", "Range": "bytes=0-1"}, 304, 0),
        ({"If-Match": '"x"'}, 412, 0),
        ({"If-Match": "{etag}"}, 200, 10),
        ({"If-Range": "{etag}", "Range": "bytes=0-1"}, 206, 2),
        ({"If-Range": '"x"', "Range": "bytes=0-1"}, 200, 10),
        ({"If-Range": "W/{etag}", "Range": "bytes=0-1"}, 200, 10),
        ({"If-Range": "Tue, 24 Nov 2026 10:00:00 GMT", "Range": "bytes=0-1"}, 200, 10),
    ],
)
def test_who_has_the_file_gets_no_second_copy(folder: Place, headers: dict[str, str], status: int, size: int) -> None:
    file = kept(TEXT)
    etag = f'"{file.checksum}"'
    response, body = ask(f"/media/{file.path}", {name: value.format(etag=etag) for name, value in headers.items()})
    assert (response.status_code, len(body)) == (status, size)
    if status == 304:
        assert response.headers["ETag"] == etag
        assert "immutable" in response.headers["Cache-Control"]


def test_head_tells_the_whole_file_and_knows_no_range(file: Stored) -> None:
    response, body = ask(f"/media/{file.path}", {"Range": "bytes=0-1"}, method="head")
    assert (response.status_code, response.headers["Content-Length"], body) == (200, "10", b"")
    assert "Content-Range" not in response.headers


def test_nobody_writes_over_http(folder: Place) -> None:
    response, _ = ask(f"/media/{kept(TEXT).path}", method="put")
    assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")


def test_what_a_browser_would_run_is_offered_to_save(folder: Place) -> None:
    for suffix in (".html", ".svg", ".bin"):
        response, _ = ask(f"/media/{kept(b'<script>', suffix).path}")
        assert response.headers["Content-Disposition"] == "attachment"


NAME = "a" * 64


@pytest.mark.parametrize(
    "path",
    [
        "",
        "aa",
        "aa/",
        f"aa/{NAME}.mp4",
        f"bb/{NAME}.mp4",
        "../secrets.env",
        "..%2F..%2Fsecrets.env",
        "%2e%2e/secrets.env",
        "aa/../../secrets.env",
        f"aa/{NAME}.mp4%00.txt",
        f"aa/{NAME}.mp4%0a",
        f"aa/{NAME}/../../../secrets.env",
        "/etc/passwd",
        "%2Fetc%2Fpasswd",
        "..\\secrets.env",
        ".work-abc/clip.mp4",
        f".cache/{NAME}.mp4",
        f"aa/{NAME.upper()}.mp4",
        f"aa/{NAME}.mp4.exe",
    ],
)
def test_nothing_but_stored_files_is_served(folder: Place, settings: Settings, path: str) -> None:
    root = settings.MEDIA_ROOT
    secrets = (root.parent / "secrets.env", root / ".work-abc" / "clip.mp4", root / ".cache" / f"{NAME}.mp4")
    for secret in secrets:
        secret.parent.mkdir(parents=True, exist_ok=True)
        secret.write_text("API_KEY=1")
    for asgi in (True, False):
        response, body = ask(f"/media/{path}", asgi=asgi)
        assert response.status_code == 404
        assert b"API_KEY" not in body


def test_a_large_file_goes_out_block_by_block_and_who_leaves_early_leaves_nothing_open(folder: Place) -> None:
    file = kept(bytes(3 * store.BLOCK_BYTES + 1))

    async def first_block() -> int:
        response = cast("StreamingHttpResponse", await AsyncClient().get(f"/media/{file.path}"))
        blocks = cast("AsyncIterator[bytes]", response.streaming_content)
        return len(await anext(blocks))

    assert asyncio.run(first_block()) == store.BLOCK_BYTES
    assert [each.path for each in psutil.Process().open_files() if file.checksum in each.path] == []
    assert [len(block) for block in store.backend().blocks(file.path, range(file.size_bytes))] == [
        *[store.BLOCK_BYTES] * 3,
        1,
    ]


def test_what_a_bucket_has_not_is_not_found(bucket: Place) -> None:
    assert ask(f"/media/aa/{NAME}.mp4")[0].status_code == 404


def test_a_bucket_that_is_away_is_a_503_in_words(settings: Settings) -> None:
    use(settings, "s3://films?endpoint=http://127.0.0.1:9")
    response, body = ask(f"/media/aa/{NAME}.mp4")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "15")
    assert b"media bucket cannot be reached" in body
