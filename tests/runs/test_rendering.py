"""Films through our own renderer: workers that are processes, on the tests' database and broker."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from celery import current_app
from django.conf import settings as current
from django.core.cache import cache

from providers import renders
from providers.media.probe import probe
from providers.models import Render, WebhookEvent
from providers.tasks import apply_webhook
from runs import crew, jobs, services, store
from runs.states import JobStatus
from tests.providers.renderer import edit, order, stored

from .journey import to_render
from .test_pages import page, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client
    from pytest_django.fixtures import Settings

    from runs.models import Run

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).parents[2]
Status = Render.Status
PATIENCE_S = 120
# What is killed has to be gone so soon.
SOON_S = 2
SLOW: dict[str, Any] = {"length_s": 10, "size": (720, 1280)}


class Studio:
    """Workers that render, one film at a time."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.log = (data_dir / "log").open("w")
        self.workers: list[subprocess.Popen[bytes]] = []

    def has(self, count: int) -> None:
        """Sees to it that so many workers take films."""
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        self.workers += [self._started() for _ in range(count - len(self.workers))]

    def _started(self) -> subprocess.Popen[bytes]:
        environment = {
            "DB_URL": crew.conninfo(),
            "REDIS_URL": current.REDIS_URL,
            "MYLOWARE_DATA_DIR": str(self.data_dir),
            "RENDERER": "local",
            "RENDERS_AT_ONCE": "1",
            # Or else a fast machine would have finished before anybody can look.
            "RENDER_CORES": "1",
        }
        return subprocess.Popen(
            [sys.executable, "-m", "celery", "-q", "-A", "myloware.renderer", "worker", "-Q", renders.QUEUE],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )

    def at_work(self) -> subprocess.Popen[bytes]:
        """The worker that renders, once it does."""
        _wait(lambda: Render.objects.filter(status=Status.RENDERING).exists() and self.ffmpegs())
        working = {each.ppid() for each in self.ffmpegs()}
        return next(worker for worker in self.workers if worker.pid in working)

    def ffmpegs(self) -> list[psutil.Process]:
        return [each for each in psutil.process_iter(["cmdline"]) if self._is_ours(each)]

    def _is_ours(self, process: psutil.Process) -> bool:
        command = process.info["cmdline"] or [""]
        return "ffmpeg" in command[0] and any(str(self.data_dir) in part for part in command)

    def leftovers(self) -> list[str]:
        return sorted(file.name for file in renders.folder().iterdir() if not file.name.endswith(".lock"))

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait()
        self.log.close()


def _wait(until: Callable[[], Any], timeout_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not until():
        assert time.monotonic() < deadline, Render.objects.values("status", "error", "reason", "attempt")
        # As the sweep does.
        renders.wake()
        time.sleep(0.05)


def _gone(processes: list[psutil.Process]) -> bool:
    """Whether they end soon; one that its parent has yet to bury has ended."""
    deadline = time.monotonic() + SOON_S
    while any(map(_lives, processes)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


@pytest.fixture(scope="module")
def studios(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    made = Studio(tmp_path_factory.mktemp("studio"))
    yield made
    made.close()


@pytest.fixture
def studio(studios: Studio, settings: Settings, transactional_db: None) -> Iterator[Studio]:
    cache.clear()
    settings.MEDIA_ROOT = studios.data_dir / "media"
    settings.PROVIDERS = settings.PROVIDERS.model_copy(update={"renderer": "local"})
    # What is kept of another test's film would have to be made no more.
    shutil.rmtree(renders.pieces())
    yield studios
    with current_app.connection_for_write() as connection:
        connection.SimpleQueue(renders.QUEUE).clear()


def test_a_film_is_rendered_by_a_worker_while_people_watch(studio: Studio, run: Run, admin_client: Client) -> None:
    studio.has(1)
    job = to_render(run)
    studio.at_work()
    shown = words(page(admin_client, run))
    seen: list[dict[str, Any]] = []

    def done() -> bool:
        answer = admin_client.get(f"/v1/runs/{run.id}", headers={"X-API-Key": current.API_KEY}).json()
        seen.extend(each["progress"] for each in answer["jobs"] if each["progress"])
        return Render.objects.filter(status=Status.DONE).exists()

    _wait(done)
    assert "Rendering" in shown
    percents = [each["percent"] for each in seen]
    assert percents == sorted(percents)
    assert set(seen[0]) == {"status", "percent", "fps", "left_s", "reason"}
    event = WebhookEvent.objects.get(provider="shotstack")
    assert apply_webhook(str(event.id)) == "processed"
    jobs.refresh(job.id)
    services.settle(run.id)
    job.refresh_from_db()
    assert (job.status, job.cost_microusd) == (JobStatus.SUCCEEDED, 0)
    with store.local(run.artifacts.get(type="ffmpeg.normalized").path) as file:
        film = probe(file)
    assert (film.width_px, film.height_px, film.fps) == (1080, 1920, 30)
    _wait(lambda: studio.leftovers() == [])


def test_a_killed_worker_takes_its_ffmpeg_along_and_another_finishes_the_film_once(studio: Studio) -> None:
    studio.has(2)
    order(edit(stored(duration_s=10), **SLOW))
    victim, at_work = studio.at_work(), studio.ffmpegs()
    victim.kill()
    assert _gone(at_work)
    victim.wait()
    _wait(lambda: Render.objects.filter(status=Status.DONE).exists())
    row = Render.objects.get()
    assert (row.attempt, row.losses) == (2, 1)
    assert WebhookEvent.objects.count() == 1
    _wait(lambda: studio.leftovers() == [])
    assert studio.ffmpegs() == []


def test_a_cancelled_run_ends_its_render_and_ffmpeg_with_it(studio: Studio, run: Run) -> None:
    studio.has(1)
    to_render(run)
    studio.at_work()
    at_work = studio.ffmpegs()
    services.cancel(run.id, actor="alice")
    assert _gone(at_work)
    row = Render.objects.get()
    assert (row.status, row.attempt) == (Status.CANCELLED, 1)
    _wait(lambda: studio.leftovers() == [])
    assert studio.workers[0].poll() is None


def test_a_worker_that_is_stopped_hands_its_film_back(studio: Studio) -> None:
    studio.has(1)
    # Longer than the soft shutdown, whatever the machine; a still background would be rendered once for all pieces.
    order(edit(stored(duration_s=120), length_s=120, size=(1080, 1920)))
    worker, at_work = studio.at_work(), studio.ffmpegs()
    worker.send_signal(signal.SIGQUIT)
    # Celery's soft shutdown waits for 5 s; `manage.py up` for 8.
    assert worker.wait(30) is not None
    assert _gone(at_work)
    row = Render.objects.get()
    assert (row.status, row.losses) == (Status.QUEUED, 0)
    assert studio.leftovers() == []
    assert "Traceback" not in (studio.data_dir / "log").read_text()
