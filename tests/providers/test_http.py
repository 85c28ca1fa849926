"""The way out: what is repeated, who is left alone, and which addresses nobody gets to."""

from __future__ import annotations

import gzip
import json
import pickle
import ssl
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import redis
import trustme
from django.conf import settings
from django.core.cache import cache
from limits.storage import RedisStorage

from myloware.kernel.errors import Misconfigured, OutcomeUnknown, ProviderRefused, ProviderUnavailable, RateLimited
from providers.breaker import Breaker, CircuitOpen
from providers.http import Client, Service
from providers.shared import Shared
from providers.transports import PacedTransport, PublicTransport, is_public

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_django.fixtures import Settings

HOST = "files.example.test"


class Site:
    """A service behind TLS on the loopback: it answers what it is told to, and counts."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.body = b"{}"
        self.asked: list[str] = []
        self.port = 0
        self.trust = ssl.create_default_context()

    def resolve(self, host: str, *_: Any, **__: Any) -> list[Any]:
        return [(None, None, None, "", ("127.0.0.1", self.port))]

    def client(self, **options: Any) -> Client:
        transport = PublicTransport(verify=self.trust, **{"resolve": self.resolve, "allowed": lambda _: True} | options)
        return Client(Service("site", f"https://{HOST}", {}, frozenset({HOST})), transport, Shared())


@pytest.fixture
def site() -> Iterator[Site]:
    found = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(f"{self.command} {self.headers['Host']}{self.path}")
            status, headers = found.answers.pop(0) if found.answers else (200, {})
            self.send_response(status)
            usual = {"Content-Type": "video/mp4", "Content-Length": str(len(found.body))}
            for name, value in (usual | headers).items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(found.body)

        do_POST = do_GET

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's word)
            """Tests say what they look at."""

    authority = trustme.CA()
    authority.configure_trust(found.trust)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        found.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        cache.clear()
        yield found
        server.shutdown()
        thread.join()


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Sleeps are written down instead of slept."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    return slept


# --- Addresses


PRIVATE = [
    "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::1", "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1",
    "::ffff:10.0.0.1", "64:ff9b:1::1", "ff02::1", "::", "::127.0.0.1", "::169.254.169.254", "::ffff:0:127.0.0.1",
    "fec0::1", "5f00::1", "4000::1", "100.100.100.200", "fd00:ec2::254", "2001:0:7f00:1::", "255.255.255.255",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_that_leads_inside_is_refused(site: Site, address: str) -> None:
    inside = site.client(resolve=lambda *_, **__: [(0, 0, 0, "", (address, site.port))], allowed=is_public)
    with pytest.raises(ProviderRefused, match="inside a private network"):
        inside.get("/")
    assert site.asked == []


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


def test_one_private_address_among_public_ones_is_enough_to_refuse(site: Site) -> None:
    mixed = [(0, 0, 0, "", ("93.184.216.34", 443)), (0, 0, 0, "", ("10.1.2.3", 443))]
    with pytest.raises(ProviderRefused):
        site.client(resolve=lambda *_, **__: mixed, allowed=is_public).get("/")


def test_the_address_that_was_checked_is_the_one_that_is_connected_to(site: Site) -> None:
    """A name server that answers differently the second time (DNS rebinding) is never asked a second time."""
    answers = iter(["127.0.0.1", "169.254.169.254"])
    asked = site.client(resolve=lambda *_, **__: [(0, 0, 0, "", (next(answers), site.port))])
    assert asked.get("/x").status_code == 200
    assert site.asked == [f"GET {HOST}/x"]
    assert next(answers) == "169.254.169.254"


@pytest.mark.usefixtures("no_waiting")
def test_the_certificate_is_that_of_the_name(site: Site) -> None:
    service = Service("site", "https://other.example.test", {}, frozenset({"other.example.test"}))
    way = PublicTransport(verify=site.trust, resolve=site.resolve, allowed=lambda _: True)
    with pytest.raises(ProviderUnavailable, match="ConnectError"):
        Client(service, way, Shared()).get("/")


FORGED = [
    "http://127.0.0.1/a.mp4", "https://127.0.0.1/a.mp4", "https://[::1]/a.mp4", "https://[::ffff:127.0.0.1]/a.mp4",
    "https://2130706433/a.mp4", "https://0177.0.0.1/a.mp4", "https://0x7f.1/a.mp4", "https://169.254.169.254/latest",
    f"http://{HOST}/a.mp4", f"https://user:password@{HOST}/a.mp4", f"https://{HOST}@evil.test/a.mp4",
    f"https://{HOST}.evil.test/a.mp4", f"https://{HOST}:8443/a.mp4", f"https://evil.test/{HOST}/a.mp4",
    f"https://{HOST}\\@evil.test/", f"//{HOST}/a.mp4", f"ftp://{HOST}/a.mp4", "file:///etc/passwd", "", "a.mp4",
]  # fmt: skip


@pytest.mark.parametrize("url", FORGED)
def test_a_file_elsewhere_is_not_fetched(site: Site, tmp_path: Path, url: str) -> None:
    with pytest.raises(ProviderRefused, match="not at an https address of its own"):
        site.client().download(url, tmp_path / "a.mp4")
    assert site.asked == []
    assert not list(tmp_path.iterdir())


def test_a_redirect_is_not_followed(site: Site, tmp_path: Path) -> None:
    site.answers = [(302, {"Location": "http://169.254.169.254/"})] * 2
    with pytest.raises(ProviderRefused, match="302"):
        site.client().download(f"https://{HOST}/a.mp4", tmp_path / "a.mp4")
    with pytest.raises(ProviderRefused, match="302"):
        site.client().get("/")
    assert len(site.asked) == 2


def test_a_file_of_the_wrong_kind_or_size_is_refused(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.answers = [(200, {"Content-Type": "text/html"})]
    with pytest.raises(ProviderRefused, match="text/html, not a video"):
        site.client().download(f"https://{HOST}/a.mp4", tmp_path / "a.mp4")
    monkeypatch.setattr("providers.http.MAX_DOWNLOAD_BYTES", 1)
    with pytest.raises(ProviderRefused, match="larger than 1 bytes"):
        site.client().download(f"https://{HOST}/a.mp4", tmp_path / "a.mp4")
    assert not (tmp_path / "a.mp4").exists()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"<html>no film</html>",
        b"ffconcat version 1.0\nfile 'a.mp4'\n",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.0,\nhttp://169.254.169.254/latest\n#EXT-X-ENDLIST\n",
    ],
)
def test_a_file_that_is_only_called_a_video_is_refused(site: Site, tmp_path: Path, body: bytes) -> None:
    """FFmpeg reads lists of other files whatever they are called, and one that names itself for ever."""
    site.body = body
    with pytest.raises(ProviderRefused, match="not an MP4"):
        site.client().download(f"https://{HOST}/a.mp4", tmp_path / "a.mp4")
    assert not (tmp_path / "a.mp4").exists()


def test_a_film_arrives_as_it_was_sent(site: Site, tmp_path: Path) -> None:
    site.body = b"\0\0\0\x08ftypisom and so on"
    assert site.client().download(f"https://{HOST}/a.mp4", tmp_path / "a.mp4").read_bytes() == site.body


@pytest.mark.parametrize("url", [f"https://{HOST}/\0.mp4", f"https://{HOST}/{'a' * 70_000}"])
def test_a_file_without_a_proper_address_is_refused(site: Site, tmp_path: Path, url: str) -> None:
    with pytest.raises(ProviderRefused, match="no proper address"):
        site.client().download(url, tmp_path / "a.mp4")


BOMB = gzip.compress(bytes(20_000))


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize(
    ("body", "headers", "what"),
    [
        (b"x" * 1_001, {}, "Endless"),
        (BOMB, {"Content-Encoding": "gzip"}, "Endless"),
        (gzip.compress(BOMB), {"Content-Encoding": "gzip, gzip"}, "DecodingError"),
        (b"x", {"Content-Encoding": "zstd"}, "DecodingError"),
        (b"x", {"Content-Encoding": "br"}, "DecodingError"),
        (b"not packed", {"Content-Encoding": "gzip"}, "DecodingError"),
        (b"x", {"Content-Length": "2"}, "RemoteProtocolError"),
    ],
)
def test_an_answer_without_end_or_sense_is_none(
    site: Site, monkeypatch: pytest.MonkeyPatch, body: bytes, headers: dict[str, str], what: str
) -> None:
    monkeypatch.setattr("providers.http.MAX_ANSWER_BYTES", 1_000)
    site.body, site.answers = body, [(200, headers)] * 6
    with pytest.raises(ProviderUnavailable, match=what):
        site.client().get("/")
    cache.clear()
    with pytest.raises(OutcomeUnknown, match=what):
        site.client().post("/", json={})


@pytest.mark.usefixtures("no_waiting")
def test_an_answer_that_drips_is_not_waited_for(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("providers.http.ANSWER_S", -1)
    monkeypatch.setattr("providers.http.DOWNLOAD_S", -1)
    with pytest.raises(OutcomeUnknown, match="ReadTimeout"):
        site.client().post("/", json={})
    with pytest.raises(ProviderUnavailable, match="ReadTimeout"):
        site.client().download(f"https://{HOST}/a.mp4", tmp_path / "a.mp4")


@pytest.mark.parametrize("charset", ["hex", "zlib", "rot13", "undefined", "utf-16", "none"])
def test_what_an_answer_says_of_its_letters_is_not_believed(site: Site, charset: str) -> None:
    site.body = b'{"message": "no\\u0000\\ud800"}'
    site.answers = [(422, {"Content-Type": f"application/json; charset={charset}"})]
    with pytest.raises(ProviderRefused, match=r"refused \(422\): no\ufffd\?"):
        site.client().get("/")


@pytest.mark.parametrize("base", ["http://files.example.test", "https://127.0.0.1", "https://files.example.test:1"])
def test_a_base_url_elsewhere_is_a_wrong_setting(base: str) -> None:
    with pytest.raises(Misconfigured, match="not one of its hosts"):
        Client(
            Service("site", base, {}, frozenset({HOST})), httpx.MockTransport(lambda _: httpx.Response(200)), Shared()
        )


# --- Repeating


def test_waits_grow_up_to_the_fifth_attempt(site: Site, no_waiting: list[float]) -> None:
    site.answers = [(503, {})] * 9
    with pytest.raises(ProviderUnavailable, match="503"):
        site.client().get("/")
    assert len(site.asked) == 5
    for wait_s, least_s in zip(no_waiting, (1, 2, 4, 8), strict=True):
        assert least_s <= wait_s <= least_s + 1


def test_a_service_that_names_a_time_is_asked_again_then(site: Site, no_waiting: list[float]) -> None:
    site.answers = [(429, {"Retry-After": "7"})]
    assert site.client().post("/", json={}).status_code == 200
    assert no_waiting == [7]


def test_a_service_that_wants_to_be_left_alone_for_long_is_left_to_the_caller(
    site: Site, no_waiting: list[float]
) -> None:
    for named, told in (("90", 90), ("9" * 400, 3600)):
        site.answers = [(429, {"Retry-After": named})]
        with pytest.raises(RateLimited) as caught:
            site.client().get("/")
        assert caught.value.retry_after_s == told
    assert (len(site.asked), no_waiting) == (2, [])


def test_a_refusal_is_neither_repeated_nor_counted(site: Site) -> None:
    for _ in range(6):
        site.answers = [(422, {})]
        with pytest.raises(ProviderRefused):
            site.client().get("/")
    assert len(site.asked) == 6
    assert site.client().get("/").status_code == 200


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"msg": "Invalid model", "code": 422}, "The site refused (422): Invalid model. Choose another."),
        (
            {"message": "Verification failed", "violations": [{"type": "hard_cap", "message": "15 of 15 posts"}]},
            "The site refused (422): Verification failed: 15 of 15 posts. Choose another.",
        ),
        (
            {"message": "Bad Request", "response": {"details": [{"path": "$.output", "message": "is required"}]}},
            "The site refused (422): Bad Request: $.output is required. Choose another.",
        ),
        (["no"], 'The site refused (422): ["no"]. Choose another.'),
        ("<html>nginx</html>", "The site refused (422). Choose another."),
    ],
)
def test_a_refusal_says_who_why_and_what_to_do(body: Any, words: str) -> None:
    content = body if isinstance(body, str) else json.dumps(body)
    way = httpx.MockTransport(lambda _: httpx.Response(422, text=content))
    service = Service(
        "site", f"https://{HOST}", {}, frozenset({HOST}), title="The site", advice={422: "Choose another."}
    )
    with pytest.raises(ProviderRefused) as caught:
        Client(service, way, Shared()).get("/")
    assert caught.value.message == words


def test_what_seldom_changes_is_asked_once(site: Site) -> None:
    for _ in range(3):
        assert site.client().remembered("/balance", fresh_s=60, user="a") == "{}"
    site.client().remembered("/balance", fresh_s=60, user="b")
    assert site.asked == [f"GET {HOST}/balance?user=a", f"GET {HOST}/balance?user=b"]


class Trap:
    """What a pickle does to whoever reads it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path(self.__dict__["file"]),)


def test_what_somebody_wrote_into_the_shared_memory_is_never_run(site: Site, tmp_path: Path) -> None:
    trap = Trap()
    trap.__dict__["file"] = str(tmp_path / "sprung")
    with redis.Redis.from_url(settings.REDIS_URL) as broker:
        for name in ("answer:site:/balance", "breaker:site:open", "breaker:site:failures", "breaker:site:trial"):
            broker.set(cache.make_key(name), pickle.dumps(trap))
    assert site.client().remembered("/balance", fresh_s=60) == "{}"
    assert not (tmp_path / "sprung").exists()


# --- The breaker


def fails(site: Site) -> None:
    site.answers = [(500, {})]
    with pytest.raises(Exception, match="answered 500"):
        site.client().post("/", json={})


def test_five_failures_in_five_clients_open_the_circuit_and_one_trial_closes_it(
    site: Site,
) -> None:
    for _ in range(5):
        fails(site)
    with pytest.raises(CircuitOpen, match="failed 5 times in a row"):
        site.client().get("/")
    assert len(site.asked) == 5
    cache.delete("breaker:site:open")  # as it does by itself after half a minute
    fails(site)
    with pytest.raises(CircuitOpen):
        site.client().get("/")
    cache.delete("breaker:site:open")  # as it does by itself after half a minute
    assert site.client().get("/").status_code == 200
    for _ in range(4):
        fails(site)
    assert site.client().get("/").status_code == 200


def test_a_half_open_circuit_lets_one_through() -> None:
    breaker = Breaker("trial", Shared())
    breaker.worked()
    cache.set("breaker:trial:failures", 5, 60)
    breaker.check()
    with pytest.raises(CircuitOpen):
        breaker.check()


def test_five_tasks_in_processes_of_their_own_open_one_circuit(site: Site) -> None:
    script = (
        "from providers.breaker import Breaker\nfrom providers.shared import Shared\nBreaker('site', Shared()).failed()"
    )
    command = [sys.executable, "-c", script]
    tasks = [subprocess.Popen(command, env=environment(), cwd=settings.BASE_DIR) for _ in range(5)]
    assert [task.wait(60) for task in tasks] == [0] * 5
    with pytest.raises(CircuitOpen):
        site.client().get("/")
    assert site.asked == []


def environment() -> dict[str, str]:
    import os

    return {**os.environ, "DJANGO_SETTINGS_MODULE": "myloware.settings"}


def test_without_a_broker_the_circuit_is_closed_and_nothing_is_remembered(site: Site, settings: Settings) -> None:
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1"}}
    for _ in range(6):
        fails(site)
    for _ in range(2):
        site.client().remembered("/balance", fresh_s=60)
    assert len(site.asked) == 8


# --- The pace


def paced(rate: str, url: str = "") -> Callable[[str], httpx.Response]:
    storage = RedisStorage(url or settings.REDIS_URL)
    way = PacedTransport(httpx.MockTransport(lambda _: httpx.Response(200)), name="site", rate=rate, storage=storage)
    return lambda method: way.handle_request(httpx.Request(method, f"https://{HOST}/"))


def test_no_more_is_ordered_than_the_service_takes() -> None:
    RedisStorage(settings.REDIS_URL).reset()
    order = paced("20 per 10 seconds")
    assert [order("POST").status_code for _ in range(20)] == [200] * 20
    with pytest.raises(RateLimited, match="nothing was sent") as caught:
        paced("20 per 10 seconds")("POST")
    assert caught.value.retry_after_s == 0.5
    assert order("GET").status_code == 200


def test_without_a_broker_the_service_counts_for_itself() -> None:
    order = paced("1 per minute", "redis://127.0.0.1:1")
    assert [order("POST").status_code for _ in range(3)] == [200] * 3


def test_a_service_that_repeats_a_key_is_not_quoted() -> None:
    told = {"error": {"message": "Incorrect API key provided: sk-live-0123456789abcdef."}}
    way = httpx.MockTransport(lambda _: httpx.Response(401, json=told))
    with pytest.raises(ProviderRefused) as caught:
        Client(Service("site", f"https://{HOST}", {}, frozenset({HOST})), way, Shared()).get("/")
    assert caught.value.message == "site refused (401): Incorrect API key provided: [redacted]."
    assert "0123456789abcdef" not in json.dumps(caught.value.detail)


def test_no_answer_of_a_service_shows_its_key(site: Site, no_waiting: list[float]) -> None:
    site.answers = [(503, {})] * 5
    service = Service("site", f"https://{HOST}", {"Authorization": "Bearer s3cret-key"}, frozenset({HOST}))
    way = PublicTransport(verify=site.trust, resolve=site.resolve, allowed=lambda _: True)
    with pytest.raises(ProviderUnavailable) as caught:
        Client(service, way, Shared()).get("/")
    assert "s3cret-key" not in json.dumps([repr(caught.value), caught.value.detail])


@pytest.mark.parametrize("header", [{"Authorization": "Bearer s3cret-key"}, {"x-api-key": "s3cret-key"}])
def test_a_service_that_repeats_our_key_does_not_get_it_kept(site: Site, header: dict[str, str]) -> None:
    site.body, site.answers = b'{"message": "Incorrect API key provided: s3cret-key."}', [(401, {})]
    way = PublicTransport(verify=site.trust, resolve=site.resolve, allowed=lambda _: True)
    with pytest.raises(ProviderRefused, match=r"provided: \[redacted\]") as caught:
        Client(Service("site", f"https://{HOST}", header, frozenset({HOST})), way, Shared()).get("/")
    assert "s3cret-key" not in json.dumps([repr(caught.value), caught.value.detail])


@pytest.mark.parametrize("key", ["s3cret-key\n", "s3cret-k\u00e4y", "s3cret\0key"])
def test_a_key_that_cannot_be_sent_is_a_wrong_setting_and_stays_secret(key: str) -> None:
    with pytest.raises(Misconfigured, match="a line break perhaps") as caught:
        Client(Service("site", f"https://{HOST}", {"x-api-key": key}, frozenset({HOST})), PublicTransport(), Shared())
    assert "s3cret" not in str(caught.value)
