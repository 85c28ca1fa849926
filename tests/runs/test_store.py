"""The media store: the same promises from a folder and from a bucket."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import timedelta
from functools import partial
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from pydantic import SecretStr, ValidationError

from myloware.demo.client import Client
from myloware.kernel.errors import MediaError, StoreUnavailable
from personas.ports import RenderRequest
from providers.media import ffmpeg
from runs import jobs, services, stock, store, tasks
from runs.checks import check_media_store
from runs.config import MediaSettings
from runs.models import Artifact
from runs.ports import Desk
from runs.states import JobStatus, RunStatus
from runs.store import cache

from .journey import ask_all, go, park, stage, to_clips
from .places import Place, kept, paths, port_of, use
from .test_races import at_once, web  # noqa: F401

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django.fixtures import Settings

    from runs.models import Run

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).parents[2]
LATER = timedelta(days=91)


# --- In


@pytest.mark.django_db(transaction=True)
def test_eight_who_store_the_same_bytes_store_them_once(place: Place) -> None:
    content = os.urandom(300_000)
    stored = at_once([partial(kept, content)] * 8)
    assert len(set(stored)) == 1
    assert paths() == [stored[0].path]
    store.verify(stored[0].path)


def test_the_name_is_the_checksum_and_keeps_the_type(place: Place) -> None:
    stored = kept(b"", ".MP4")
    assert stored.path == f"e3/{stored.checksum}.mp4"
    assert stored.checksum == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


DYING = """
import os, signal, sys
from pathlib import Path
os.environ["DJANGO_SETTINGS_MODULE"] = "myloware.settings"
from runs.store.folder import Folder
seen = []
def dies_at(point):
    seen.append(point)
    if seen == {points}:
        os.kill(os.getpid(), signal.SIGKILL)
def wrapped(call, point):
    def die_or_do(*args):
        dies_at(point)
        return call(*args)
    return die_or_do
os.fsync, Path.replace = wrapped(os.fsync, "sync"), wrapped(Path.replace, "name")
Folder(location={root!r}).put(Path({source!r}), {path!r})
"""


@pytest.mark.parametrize(("points", "there"), [(["sync", "name"], False), (["sync", "name", "sync"], True)])
def test_who_is_killed_while_storing_leaves_the_whole_file_or_none(
    folder: Place, tmp_path: Path, points: list[str], there: bool
) -> None:
    source = tmp_path / "clip.mp4"
    source.write_bytes(os.urandom(100_000))
    checksum = store.checksum_of(source)
    path = f"{checksum[:2]}/{checksum}.mp4"
    script = DYING.format(points=points, root=str(tmp_path / "media"), source=str(source), path=path)
    killed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert paths() == [path] * there
    if there:
        store.verify(path)


class Weir:
    """A way to a server that lets so many bytes pass, and then ends the process that sends them."""

    def __init__(self, port: int, most_bytes: int) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._server = socket.create_connection(("127.0.0.1", port))
        self._left = most_bytes
        self.sender: subprocess.Popen[bytes]
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._flow, daemon=True)
        self._thread.start()

    def _flow(self) -> None:
        with self._listening, self._server, self._listening.accept()[0] as client:
            while self._left > 0 and (block := client.recv(65536)):
                self._server.sendall(block)
                self._left -= len(block)
            self.sender.kill()
            self.sender.wait()

    def wait(self) -> None:
        self._thread.join(60)


UPLOADING = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "myloware.settings"
from pathlib import Path
from django.core.files.storage import default_storage
default_storage.put(Path({source!r}), {path!r})
"""


def test_who_is_killed_in_the_middle_of_an_upload_leaves_nothing(bucket: Place, s3: str, tmp_path: Path) -> None:
    source = tmp_path / "clip.mp4"
    source.write_bytes(os.urandom(4_000_000))
    checksum = store.checksum_of(source)
    path = f"{checksum[:2]}/{checksum}.mp4"
    weir = Weir(port_of(s3), 1_000_000)
    url = f"s3://{bucket.bucket.name}/films?endpoint=http://127.0.0.1:{weir.port}&region=eu-central-1"
    weir.sender = subprocess.Popen(
        [sys.executable, "-c", UPLOADING.format(source=str(source), path=path)],
        cwd=ROOT,
        env=os.environ | {"MEDIA_STORE_URL": url, "AWS_ACCESS_KEY_ID": "an-id", "AWS_SECRET_ACCESS_KEY": "a-secret"},
    )
    weir.wait()
    assert weir.sender.returncode == -signal.SIGKILL
    assert paths() == []
    assert list(bucket.bucket.multipart_uploads.all()) == []


def test_what_killed_processes_left_is_removed_a_day_later(folder: Place, settings: Settings) -> None:
    old, young = (settings.MEDIA_ROOT / name for name in (".work-old", ".work-young"))
    for left in (old, young):
        left.mkdir(parents=True)
        (left / "clip.mp4").write_bytes(b"half")
    os.utime(old, (0, 0))
    with store.workspace():
        pass
    assert (old.exists(), young.exists()) == (False, True)


# --- Full


def test_a_disk_that_is_filled_by_a_download_is_told_in_words(folder: Place) -> None:
    def download() -> None:
        with store.workspace() as work:
            (work / "clip.mp4").symlink_to("/dev/full")
            (work / "clip.mp4").write_bytes(b"a clip")

    with pytest.raises(StoreUnavailable, match="disk is full: 200 MB must be free at"):
        download()
    assert paths() == []


def test_a_disk_that_is_filled_by_ffmpeg_is_told_in_the_same_words(folder: Place) -> None:
    tone = ["-f", "lavfi", "-i", "sine=duration=1", "-f", "wav", "/dev/full"]
    with pytest.raises(StoreUnavailable, match="disk is full"), store.workspace():
        ffmpeg.run(tone, timeout_s=60)


def test_another_error_stays_what_it_is(folder: Place) -> None:
    with pytest.raises(MediaError, match="failed"), store.workspace():
        ffmpeg.run(["-i", "/nonexistent", "-f", "null", "-"], timeout_s=60)


def test_a_clip_that_finds_no_room_is_fetched_when_there_is_some(run: Run, settings: Settings) -> None:
    to_clips(run)
    job = run.jobs.get(kind="clips", index=0)
    settings.MEDIA = settings.MEDIA.model_copy(update={"media_spare_mb": 10**12})
    jobs.refresh(job.id)
    job.refresh_from_db()
    assert (job.status, "disk is full" in job.error) == (JobStatus.SUBMITTED, True)
    assert paths() == []
    settings.MEDIA = settings.MEDIA.model_copy(update={"media_spare_mb": 0})
    jobs.refresh(job.id)
    job.refresh_from_db()
    assert (job.status, job.error) == (JobStatus.SUCCEEDED, "")
    assert len(paths()) == 1


# --- Out


def test_a_file_comes_back_as_it_was(place: Place) -> None:
    content = os.urandom(100_000)
    path = kept(content).path
    for _ in range(2):
        place.forget()
        with store.local(path) as file:
            assert file.read_bytes() == content
            assert file.suffix == ".mp4"


@pytest.mark.parametrize("fault", ["changed", "missing"])
def test_a_damaged_or_missing_file_is_never_handed_out(place: Place, fault: str) -> None:
    path = kept(b"a film").path
    place.forget()
    if fault == "changed":
        place.write(path, b"a film!")
    else:
        place.remove(path)
    with pytest.raises(MediaError, match=f"{fault}.*Put it back from a backup and retry the run"), store.local(path):
        raise AssertionError


def test_what_this_machine_has_used_is_not_fetched_again_unless_it_was_damaged(bucket: Place) -> None:
    path = kept(b"a film").path
    bucket.remove(path)
    with store.local(path) as file:
        assert file.read_bytes() == b"a film"
    bucket.write(path, b"a film")
    copy = store.backend().cache.folder / Path(path).name  # type: ignore[attr-defined]
    copy.write_bytes(b"a film!")
    with store.local(path) as file:
        assert file.read_bytes() == b"a film"
    assert copy.read_bytes() == b"a film"


def test_a_cache_gives_up_what_was_used_longest_ago(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "CACHE_BYTES", 20)
    shelf = cache.Cache(tmp_path / "cache")

    def add(name: str, size: int) -> None:
        file = tmp_path / name
        file.write_bytes(bytes(size))
        shelf.add(file, f"aa/{name}")

    for second, name in enumerate("ab"):
        add(name, 10)
        os.utime(shelf.folder / name, (second, second))
    assert shelf.lend("aa/a", tmp_path / "lent")
    add("c", 10)
    assert sorted(file.name for file in shelf.folder.iterdir()) == ["a", "c"]
    add("d", 100)
    assert [file.name for file in shelf.folder.iterdir()] == ["d"]
    assert not shelf.lend("aa/a", tmp_path / "again")


@pytest.mark.parametrize(
    ("url", "words"),
    [("http://127.0.0.1:9", r"cannot be reached \(EndpointConnectionError\)"), ("{s3}", "answered NoSuchBucket")],
)
def test_a_bucket_that_does_not_answer_well_is_told_in_words(settings: Settings, s3: str, url: str, words: str) -> None:
    use(settings, f"s3://no-such-bucket?endpoint={url.format(s3=s3)}")
    with pytest.raises(StoreUnavailable, match=words):
        kept(b"a film")


def test_the_service_is_told_what_it_has_to_receive(bucket: Place) -> None:
    sent: list[Any] = []
    events = bucket.bucket.meta.client.meta.events
    events.register("before-send.s3.PutObject", lambda request, **_: sent.append(request.headers))
    stored = kept(b"a film")
    assert sent[0]["X-Amz-Content-SHA256"].decode() == stored.checksum
    assert sent[0]["Content-Type"] == b"video/mp4"
    assert [name for name in sent[0] if "checksum" in name.lower()] == []


# --- What runs make of it


def test_a_whole_film_is_made_in_a_bucket(bucket: Place, run: Run, settings: Settings) -> None:
    go(run)
    assert run.status == RunStatus.SUCCEEDED
    named = set(run.artifacts.exclude(path="").values_list("path", flat=True))
    assert set(paths()) == named
    assert len(named) == 4
    bucket.forget()
    assert [fault for _, fault in stock.check()] == [""] * 4
    assert list(settings.MEDIA_ROOT.iterdir()) == []


@pytest.mark.django_db(transaction=True)
def test_the_demo_gets_its_film_out_of_a_bucket(bucket: Place, web: str, tmp_path: Path) -> None:  # noqa: F811
    content = os.urandom(3 * store.BLOCK_BYTES)
    stored = kept(content)
    demo = Client(web, "no key is asked for")
    film = demo.fetch({"path": stored.path, "checksum": stored.checksum}, tmp_path)
    demo.close()
    assert film.read_bytes() == content


def test_no_film_is_cut_from_a_damaged_clip(place: Place, run: Run) -> None:
    desk = to_clips(run)
    services.complete(desk.step, {})
    park(run)
    ask_all(run)
    clip = run.artifacts.filter(type="kieai.clip").last()
    assert clip is not None
    with store.local(clip.path) as file:
        content = file.read_bytes()
    place.write(clip.path, content[:-1])
    alex = stage(run, "alex")
    told = Desk(alex).render("call-2", RenderRequest())
    assert told["status"] == JobStatus.FAILED
    assert f"{clip.path}: the file has changed" in told["error"]
    services.complete(alex, {})
    park(run)
    services.settle(run.id)
    run.refresh_from_db()
    assert (run.status, "Put it back from a backup and retry" in run.reason) == (RunStatus.FAILED, True)
    place.write(clip.path, content)
    services.retry(run.id, actor="bob")
    park(run)
    jobs.submit_ready(run.id, "render")
    assert run.jobs.get(kind="render").status == JobStatus.SUBMITTED


@pytest.mark.parametrize("checksum", ["", "0" * 64, "not a checksum"])
def test_an_artifact_with_a_file_has_its_checksum(run: Run, checksum: str) -> None:
    path = f"{'a' * 2}/{'a' * 64}.mp4"
    services.record_artifact(run=run, type="kieai.clip", path=path, checksum="a" * 64)
    with pytest.raises(IntegrityError, match="artifact_file_named_by_checksum"), transaction.atomic():
        services.record_artifact(run=run, type="kieai.clip", path=path, checksum=checksum)


@pytest.mark.django_db(transaction=True)
def test_rows_from_before_that_rule_stay_and_get_the_checksum_that_their_file_is_named_by(run: Run) -> None:
    latest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    MigrationExecutor(connection).migrate([("runs", "0006_frozen_specs")])
    try:
        old = {f"aa/{'a' * 64}.mp4": "", "poster.jpg": "", "": ""}
        for path, checksum in old.items():
            services.record_artifact(run=run, type="poster", path=path, checksum=checksum)
    finally:
        MigrationExecutor(connection).migrate(latest)
    rows = run.artifacts.filter(type="poster").values_list("path", "checksum")
    assert dict(rows) == old | {f"aa/{'a' * 64}.mp4": "a" * 64}


# --- Taking stock


def said(*words: str) -> str:
    out = StringIO()
    call_command("media", *words, stdout=out)
    return out.getvalue()


def test_only_what_no_artifact_has_named_for_long_is_deleted(place: Place, run: Run, settings: Settings) -> None:
    named, unneeded = kept(b"named"), kept(b"unneeded")
    services.record_artifact(run=run, type="poster", path=named.path, checksum=named.checksum)
    foreign = settings.MEDIA_ROOT / "ab" / "README.txt"
    foreign.parent.mkdir(parents=True, exist_ok=True)
    foreign.write_text("somebody else's")
    now = timezone.now()
    assert stock.sweep(now) == []
    assert stock.unneeded(now + LATER) == [unneeded.path]
    assert paths() == sorted([named.path, unneeded.path])
    assert stock.sweep(now + LATER) == [unneeded.path]
    assert (paths(), foreign.exists()) == ([named.path], True)
    Artifact.objects.all().delete()
    assert stock.sweep(now + LATER) == [named.path]


@pytest.fixture
def aged(folder: Place) -> Callable[[bytes], str]:
    """Stores bytes a hundred days ago."""

    def make(content: bytes) -> str:
        path = kept(content).path
        old = (timezone.now() - timedelta(days=100)).timestamp()
        os.utime(Path(store.backend().path(path)), (old, old))  # type: ignore[attr-defined]
        return path

    return make


def test_the_command_tells_before_it_deletes(aged: Callable[[bytes], str]) -> None:
    path = aged(b"unneeded")
    assert said("sweep", "--dry-run") == f"{path}\n1 files would be deleted.\n"
    assert said("sweep") == f"{path}\n1 files were deleted.\n"
    assert said("sweep") == "0 files were deleted.\n"


def test_nobody_sweeps_a_store_that_mostly_belongs_to_somebody_else(aged: Callable[[bytes], str], run: Run) -> None:
    path = aged(b"mine")
    services.record_artifact(run=run, type="poster", path=path, checksum=Path(path).stem)
    theirs = [aged(b"yours"), aged(b"theirs")]
    assert tasks.sweep_media() == 0
    assert paths() == sorted([path, *theirs])
    aged(b"more of mine")
    for each in paths():
        if each != theirs[0]:
            services.record_artifact(run=run, type="poster", path=each, checksum=Path(each).stem)
    assert tasks.sweep_media() == 1
    assert theirs[0] not in paths()


@pytest.mark.django_db(transaction=True)
def test_a_file_that_is_being_stored_again_is_not_deleted(aged: Callable[[bytes], str]) -> None:
    path = aged(b"a film")
    storing, swept = threading.Event(), threading.Event()

    def hold() -> None:
        with store._being_kept(path):
            storing.set()
            swept.wait(20)

    def sweep() -> list[str]:
        storing.wait(20)
        try:
            return stock.sweep(timezone.now())
        finally:
            swept.set()

    acts: list[Callable[[], Any]] = [hold, sweep]
    assert at_once(acts) == [None, []]
    assert stock.sweep(timezone.now()) == [path]


@pytest.mark.django_db(transaction=True)
def test_who_stores_a_file_waits_until_its_deletion_is_over(aged: Callable[[bytes], str]) -> None:
    path = aged(b"a film")
    deleting = threading.Event()

    def delete() -> None:
        with store.nobody_keeps(path) as free:
            deleting.set()
            time.sleep(0.3)
            assert free
            store.backend().delete(path)

    def keep() -> None:
        deleting.wait(20)
        kept(b"a film")

    at_once([delete, keep])
    store.verify(path)


@pytest.mark.django_db(transaction=True)
def test_whoever_stores_a_file_while_it_is_deleted_has_it_afterwards(aged: Callable[[bytes], str]) -> None:
    for number in range(10):
        content = f"film {number}".encode()
        path = aged(content)
        keep, sweep = partial(kept, content), partial(stock.sweep, timezone.now())
        acts: list[Callable[[], Any]] = [keep, sweep, keep]
        at_once(acts)
        store.verify(path)


def test_check_names_every_file_that_is_not_as_it_was(place: Place, run: Run) -> None:
    well, damaged, lost = (kept(name) for name in (b"well", b"damaged", b"lost"))
    for each in (well, damaged, lost):
        services.record_artifact(run=run, type="poster", path=each.path, checksum=each.checksum)
    place.write(damaged.path, b"other")
    place.remove(lost.path)
    out = StringIO()
    with pytest.raises(SystemExit, match="1"):
        call_command("media", "check", stdout=out)
    assert well.path not in out.getvalue()
    assert f"{damaged.path}: the file has changed" in out.getvalue()
    assert f"{lost.path} is missing" in out.getvalue()
    assert "3 files, 2 of them missing or damaged." in out.getvalue()


def test_a_folder_moves_into_a_bucket_and_its_damaged_files_do_not(
    s3: str, folder: Place, settings: Settings, request: pytest.FixtureRequest
) -> None:
    first, second, damaged = (kept(name) for name in (b"first", b"second", b"damaged"))
    folder.write(damaged.path, b"other")
    request.getfixturevalue("bucket")
    kept(b"second")
    told = said("copy", str(settings.MEDIA_ROOT))
    assert sorted(told.splitlines()) == sorted(
        [
            f"{first.path}  copied",
            f"{second.path}  there already",
            f"{damaged.path}  left out: it is damaged",
        ]
    )
    assert paths() == sorted([first.path, second.path])
    with pytest.raises(CommandError, match="not a folder"):
        said("copy", str(settings.MEDIA_ROOT / "nothing"))


# --- Settings


def test_a_url_says_where_the_bucket_is() -> None:
    made = MediaSettings(
        media_store_url="s3://films/a/b?endpoint=https://r2.test&region=auto&style=virtual",
        aws_access_key_id=SecretStr("id"),
    )
    assert made.storage["OPTIONS"] == {
        "bucket_name": "films",
        "location": "a/b",
        "endpoint_url": "https://r2.test",
        "region_name": "auto",
        "addressing_style": "virtual",
        "access_key": "id",
        "secret_key": None,
    }
    assert MediaSettings(media_store_url="file:///srv/our%20media").folder == Path("/srv/our media")


@pytest.mark.parametrize(
    "url",
    [
        "/srv/media",
        "s3:films",
        "s3://?endpoint=https://r2.test",
        "s3://AKIA123:hush-hush@films",
        "s3://films?endpiont=https://r2.test",
        "file://srv/media",
        "file:///",
        "https://films.s3.amazonaws.com",
    ],
)
def test_a_url_that_is_none_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        MediaSettings(media_store_url=url)
    assert "MEDIA_STORE_URL" in str(refused.value).upper()
    assert "hush" not in str(refused.value)


def test_a_live_system_on_servers_of_its_own_is_asked_where_its_media_are(settings: Settings) -> None:
    assert check_media_store() == []
    settings.PROVIDERS = settings.PROVIDERS.model_copy(update={"providers_mode": "live"})
    settings.CORE = settings.CORE.model_copy(update={"db_url": "postgresql://db.test/myloware"})
    (warning,) = check_media_store()
    assert (warning.id, "MEDIA_STORE_URL" in str(warning.hint)) == ("runs.W001", True)
    settings.MEDIA = MediaSettings(media_store_url="file:///srv/media")
    assert check_media_store() == []


def test_who_keeps_media_in_a_folder_does_not_load_boto3() -> None:
    script = """
import sys, django
django.setup()
import myloware.urls, runs.tasks, runs.management.commands.media
from django.core.files.storage import default_storage
default_storage.exists("nothing")
print(sorted({name.partition(".")[0] for name in sys.modules} & {"boto3", "botocore", "storages"}))
"""
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "myloware.settings"}
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"
