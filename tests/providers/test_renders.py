"""Our own renderer: an order like any to Shotstack, a row, and one try after the other. No worker; work is called."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from celery import current_app
from django.conf import settings as current
from django.core.cache import cache
from django.db import connections
from django.utils import timezone

from myloware.kernel.errors import ProviderRefused
from providers import registry, rendering, renders, sources
from providers.base import State
from providers.config import ProviderSettings
from providers.media import ffmpeg
from providers.media.probe import probe
from providers.models import Render, WebhookEvent
from providers.tasks import tidy

from .renderer import JOB, edit, order, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client
    from pytest_django.fixtures import Settings

pytestmark = pytest.mark.django_db
Status = Render.Status
PAST = timedelta(seconds=-1)
# More than a second's work, and less than anybody waits for.
SLOW: dict[str, Any] = {"length_s": 20, "size": (1080, 1920)}


@pytest.fixture(autouse=True)
def _ours(settings: Settings) -> Iterator[None]:
    cache.clear()
    change(settings, renderer="local", renders_at_once=1)
    yield
    with current_app.connection_for_write() as connection:
        connection.SimpleQueue(renders.QUEUE).clear()


def change(settings: Settings, **values: Any) -> None:
    settings.PROVIDERS = settings.PROVIDERS.model_copy(update=values)


def the_render() -> Render:
    return Render.objects.get()


def leftovers() -> list[str]:
    return sorted(file.name for file in renders.folder().iterdir() if not file.name.endswith(".lock"))


def films() -> list[str]:
    """The ids of the renders whose films are in the media store."""
    return sorted(file.stem for file in (Path(current.MEDIA_ROOT) / "renders").glob("*"))


def ffmpegs(of: str = "anything") -> list[psutil.Process]:
    """Those at work now; a film's sound is encoded beside its first piece."""
    running = [child for child in psutil.Process().children() if "ffmpeg" in child.name()]
    return [each for each in running if of == "anything" or "-/filter_complex" in _words(each)]


def _words(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return process.cmdline()
    return []


def test_an_order_becomes_a_film_that_can_be_fetched(tmp_path: Path) -> None:
    adapter = registry.adapter("shotstack")
    wanted = edit(stored(), length_s=1)
    assert adapter.estimate({"edit": wanted}) == 0
    render = order(wanted)
    assert (adapter.status(render).state, adapter.status(render).raw["status"]) == (State.ACCEPTED, "queued")
    assert rendering.work() == "done"
    report = adapter.status(render)
    assert (report.state, report.cost_microusd) == (State.SUCCEEDED, 0)
    for number, url in enumerate(report.urls):
        film = registry.download("shotstack", [url], tmp_path / f"{number}.mp4")
        assert probe(film).duration_s == pytest.approx(1, abs=0.05)
    assert (films(), leftovers()) == ([render], [])
    assert rendering.work() == "nothing to render"


def test_its_end_is_told_like_the_services_and_once() -> None:
    render = order(edit(stored()))
    rendering.work()
    event = WebhookEvent.objects.get()
    told = registry.event("shotstack", event.headers, bytes(event.raw_payload), event.query)
    assert (told.external_ids, told.reference) == ((render,), f"{JOB}.0")
    assert (event.signature_status, event.status) == ("verified", "received")


def test_what_is_no_edit_is_refused_and_no_row_is_made() -> None:
    with pytest.raises(ProviderRefused, match="400"):
        registry._client("shotstack").post("/render", json={"timeline": {"tracks": []}})
    assert not Render.objects.exists()


@pytest.mark.parametrize(
    ("output", "path"), [({"format": "gif"}, "$.output.format"), ({"poster": {"capture": 0}}, "$.output.poster")]
)
def test_what_is_no_film_is_refused_with_its_path(output: dict[str, Any], path: str) -> None:
    wanted = edit("https://clips.test/a.mp4")
    wanted["output"] |= output
    with pytest.raises(ProviderRefused) as caught:
        order(wanted)
    assert f"{path} only MP4 films are rendered here" in caught.value.message


def test_a_film_of_hours_is_refused_and_waits_for_no_disk_that_would_hold_it() -> None:
    with pytest.raises(ProviderRefused, match=r"\$\.timeline no film of more than 3600 s"):
        order(edit("https://clips.test/a.mp4", length_s=100_000))
    assert not Render.objects.exists()
    assert not Render.objects.exists()


@pytest.mark.parametrize(
    ("src", "words"),
    [
        ("http://127.0.0.1:9/a.mp4", "neither a file of ours nor at a public https address"),
        ("file:///etc/passwd", "neither a file of ours nor at a public https address"),
        ("https://localhost/a.mp4", "inside a private network"),
    ],
)
def test_no_source_is_fetched_from_inside_the_network(src: str, words: str) -> None:
    render = order(edit(src))
    assert rendering.work() == "failed"
    report = registry.adapter("shotstack").status(render)
    assert (report.state, words in report.error) == (State.FAILED, True)
    assert (films(), leftovers()) == ([], [])
    assert WebhookEvent.objects.count() == 1


@pytest.mark.parametrize(
    "head", [b"ffconcat version 1.0\nfile '/etc/passwd'", b"#EXTM3U\n", b"<?xml version='1.0'?><MPD>", b"v=0\no=-", b""]
)
def test_a_source_that_only_names_other_files_is_none(head: bytes) -> None:
    assert not sources.KIND.match(head)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.webm", "a.png", "a.jpg", "a.gif", "a.webp"])
def test_films_and_pictures_are_known_by_how_they_begin(tmp_path: Path, name: str) -> None:
    ffmpeg.run(["-f", "lavfi", "-i", "color=s=16x16:d=0.04", str(tmp_path / name)], timeout_s=10)
    assert sources.KIND.match((tmp_path / name).read_bytes()[: sources.HEAD_BYTES])


@pytest.mark.parametrize("name", ["a.mp3", "a.m4a", "a.aac", "a.wav", "a.ogg", "a.flac"])
def test_sounds_are_known_by_how_they_begin(tmp_path: Path, name: str) -> None:
    ffmpeg.run(["-f", "lavfi", "-i", "sine=d=0.1", str(tmp_path / name)], timeout_s=10)
    assert sources.KIND.match((tmp_path / name).read_bytes()[: sources.HEAD_BYTES])


@pytest.mark.parametrize("head", [b"WEBVTT\n\n", b"\xef\xbb\xbf1\r\n00:00:01,000 --> 00:00:02,000\r\nHello"])
def test_captions_are_known_by_how_they_begin(head: bytes) -> None:
    assert sources.KIND.match(head)


def test_shipped_fonts_are_known_by_how_they_begin() -> None:
    fonts = list((current.BASE_DIR / "fixtures/media/fonts").rglob("*.ttf"))
    assert fonts
    assert all(sources.KIND.match(font.read_bytes()[: sources.HEAD_BYTES]) for font in fonts)


def test_a_render_that_takes_too_long_is_stopped_and_leaves_nothing(settings: Settings) -> None:
    change(settings, render_limit_s=1)
    render = order(edit(stored(duration_s=20), **SLOW))
    assert rendering.work() == "failed"
    report = registry.adapter("shotstack").status(render)
    assert report.error == "The render took longer than 1 s and was stopped."
    assert (ffmpegs(), films(), leftovers()) == ([], [], [])


def test_a_full_disk_puts_a_render_off_and_fails_nothing(settings: Settings) -> None:
    settings.MEDIA = settings.MEDIA.model_copy(update={"media_spare_mb": 10**9})
    render = order(edit(stored()))
    assert rendering.work() == "put off"
    waiting = the_render()
    assert (waiting.status, waiting.losses) == (Status.QUEUED, 0)
    assert "1000000000 MB have to stay free" in waiting.reason
    assert registry.adapter("shotstack").status(render).state == State.ACCEPTED
    assert rendering.work() == "nothing to render"
    settings.MEDIA = settings.MEDIA.model_copy(update={"media_spare_mb": 0})
    Render.objects.update(due_at=timezone.now())
    assert rendering.work() == "done"
    assert (films(), leftovers()) == ([render], [])


def test_a_cancelled_render_is_stopped_while_ffmpeg_is_at_it() -> None:
    order(edit(stored(duration_s=20), **SLOW))
    with_ffmpeg: list[int] = []

    def cancel() -> bool:
        if the_render().status == Status.RENDERING and not with_ffmpeg:
            with_ffmpeg.append(len(ffmpegs(of="picture")))
            assert renders.cancel([f"{JOB}.0"]) == 1
        return False

    assert rendering.work(cancel) == "let go"
    assert len(with_ffmpeg) == 1
    assert with_ffmpeg[0] >= 1
    assert (ffmpegs(), films(), leftovers()) == ([], [], [])
    assert the_render().status == Status.CANCELLED
    assert renders.cancel([f"{JOB}.0"]) == 0


def test_a_worker_that_is_to_end_hands_its_render_back() -> None:
    order(edit(stored(duration_s=20), **SLOW))
    assert rendering.work(lambda: True) == "handed back"
    given_back = the_render()
    assert (given_back.status, given_back.losses, given_back.reason) == (Status.QUEUED, 0, "")
    assert given_back.due_at <= timezone.now()
    assert (ffmpegs(), films(), leftovers()) == ([], [], [])


def test_the_render_of_a_dead_worker_is_taken_over_and_finished_once() -> None:
    render = order(edit(stored()))
    dead = renders.take("elsewhere")
    assert dead is not None
    (renders.folder() / renders.name_of(dead)).mkdir()
    assert rendering.work() == "nothing to render"
    Render.objects.update(lease_until=timezone.now() + PAST)
    assert rendering.work() == "done"
    # It was only slow.
    assert not renders.finish(dead, path="x", checksum="x", duration_s=1)
    assert not renders.fail(dead, "late")
    assert not renders.report(dead, Status.RENDERING)
    assert not renders.extend(dead)
    assert (the_render().status, the_render().losses) == (Status.DONE, 1)
    assert (films(), leftovers()) == ([render], [])
    assert WebhookEvent.objects.count() == 1


def test_a_render_that_kills_its_workers_is_given_up() -> None:
    render = order(edit(stored()))
    for _ in range(Render.MAX_LOSSES):
        assert renders.take("elsewhere") is not None
        Render.objects.update(lease_until=timezone.now() + PAST)
    assert rendering.work() == "nothing to render"
    assert "5 workers died on it" in registry.adapter("shotstack").status(render).error


def test_progress_never_goes_back_and_is_written_twice_a_second_at_most() -> None:
    clock = [100.0]
    order(edit("https://example.com/a.mp4", length_s=10))
    render = renders.take("here")
    assert render is not None
    watch = rendering.Watch(render, lambda: False, lambda: clock[0])
    seen = []
    for share in (0.0, 0.1, 0.05, 0.4, 0.3, 0.9, 1.0):
        watch.progress(share)
        seen.append(the_render().progress)
        clock[0] += 0.3
    assert seen == [0.0, 0.0, 0.1, 0.1, 0.4, 0.4, 1.0]
    assert the_render().status == Status.GENERATING


def test_pace_and_rest_are_told_while_it_goes_on() -> None:
    clock = [100.0]
    order(edit("https://example.com/a.mp4", length_s=10))
    assert renders.progress(f"{JOB}.0") == renders.Progress("queued", 0, None, None, "")
    render = renders.take("here")
    assert render is not None
    watch = rendering.Watch(render, lambda: False, lambda: clock[0])
    watch.progress(0)
    clock[0] += 4
    watch.progress(0.2)
    # 60 of 300 frames in 4 s.
    assert renders.progress(f"{JOB}.0") == renders.Progress("rendering", 20, 15, 16, "")
    assert renders.progress(f"{JOB}.1") is None


@pytest.mark.django_db(transaction=True)
def test_no_more_films_are_rendered_at_once_than_a_machine_may(settings: Settings) -> None:
    change(settings, renders_at_once=2, render_cores=1)
    src = stored(duration_s=20)
    for number in range(3):
        order(edit(src, **SLOW), f"{JOB}.{number}")
    seen: list[list[tuple[int, ...]]] = []
    all_at_it = threading.Event()

    def stop() -> bool:
        seen.append([tuple(each.cpu_affinity()) for each in ffmpegs(of="picture")])
        if len(seen[-1]) == 2:
            all_at_it.set()
        return all_at_it.is_set() and len(ended) > 0

    ended: list[str] = []
    with ThreadPoolExecutor(2) as pool:
        working = [pool.submit(_closing, lambda: rendering.work(stop)) for _ in range(2)]
        assert all_at_it.wait(60)
        ended.append(_closing(rendering.work))
        assert [each.result() for each in working] == ["handed back", "handed back"]
    assert ended == ["no place"]
    assert max(map(len, seen)) == 2
    if (psutil.cpu_count() or 1) > 1:
        first, second = next(cores for cores in seen if len(cores) == 2)
        assert (len(first), len(second), first == second) == (1, 1, False)


def _closing(act: Callable[[], str]) -> str:
    try:
        return act()
    finally:
        connections.close_all()


def test_as_many_wake_ups_are_sent_as_the_broker_lacks() -> None:
    for number in range(3):
        order(edit("https://example.com/a.mp4"), f"{JOB}.{number}")
    assert (renders.wake(), renders.wake()) == (3, 0)
    assert renders.take("here") is not None
    assert renders.wake() == 0
    with current_app.connection_for_write() as connection:
        queue = connection.SimpleQueue(renders.QUEUE)
        message = queue.get(block=False)
        # One that is not acknowledged comes back when the connection ends.
        message.ack()
        queue.clear()
    assert message.headers["task"] == "media.render"
    assert renders.wake() == 2


def test_films_are_kept_for_a_day_and_rows_for_two_weeks() -> None:
    render = order(edit(stored()))
    rendering.work()
    (renders.folder() / f"{render}.7").mkdir()
    tidy()
    assert (films(), leftovers()) == ([render], [])
    Render.objects.update(finished_at=timezone.now() - timedelta(hours=25))
    tidy()
    assert (films(), Render.objects.count()) == ([], 1)
    Render.objects.update(finished_at=timezone.now() - timedelta(days=15))
    assert tidy() == 1


def test_staff_see_which_machine_renders_what(admin_client: Client) -> None:
    render = order(edit("https://example.com/a.mp4"))
    renders.take("machine-7")
    text = admin_client.get("/admin/providers/render/").content.decode()
    assert render in text
    assert "machine-7" in text
    assert admin_client.get(f"/admin/providers/render/{render}/change/").status_code == 200


@pytest.mark.parametrize(
    ("chosen", "mode", "asks_simulators"),
    [
        ({"providers_mode": "mock"}, "mock", False),
        ({"providers_mode": "local"}, "local", True),
        ({"providers_mode": "live"}, "live", False),
        ({"providers_mode": "live", "renderer": "local"}, "local", False),
        ({"providers_mode": "local", "renderer": "shotstack"}, "local", True),
        ({"providers_mode": "live", "renderer": "local", "kieai_mode": "local"}, "local", True),
    ],
)
def test_who_renders_is_chosen_apart_from_the_other_providers(
    settings: Settings, chosen: dict[str, Any], mode: str, asks_simulators: bool
) -> None:
    settings.PROVIDERS = ProviderSettings(**{"renderer": None, **chosen})
    assert registry.mode("shotstack") == mode
    assert settings.PROVIDERS.asks_simulators == asks_simulators


def test_a_machine_is_shared_out_among_the_films_that_it_renders_at_once() -> None:
    cores = os.cpu_count() or 1
    assert ProviderSettings(renders_at_once=1).render_cores == cores
    assert ProviderSettings(renders_at_once=cores).render_cores == 1
    assert ProviderSettings().renders_at_once == max(1, cores // 4)
