"""Many callers at once, over HTTP as in production: each callback counts once, and so does each decision."""

from __future__ import annotations

import random
import shutil
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import uvicorn
from django.core.handlers.asgi import ASGIHandler
from django.db import connections

from hitl.links import approval_url
from providers import registry
from providers.kieai import fake
from providers.media.synth import synthesise
from providers.models import WebhookEvent
from providers.tasks import apply_webhook
from runs import dispatch, services, store, tasks
from runs.models import Approval, Outbox
from runs.states import JobStatus, RunStatus, StepStatus
from tests.hitl import scenes

from .journey import go, park

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_django.fixtures import Settings

    from runs.models import Artifact, Run

    from .conftest import MakeRun

pytestmark = pytest.mark.django_db(transaction=True)
T = TypeVar("T")
CLIPS = 12
REVIEWERS = 16
CLIP_MICROUSD = 300_000
# What comes of a callback; the stage that follows the clips stays in the outbox.
TASKS: dict[str, Callable[..., None]] = {
    "media.refresh": tasks.refresh,
    "jobs.submit": tasks.submit,
    "jobs.settled": tasks.settled,
}


@pytest.fixture
def web(transactional_db: None) -> Iterator[str]:
    """The web process, and where it listens."""
    config = uvicorn.Config(ASGIHandler(), port=0, lifespan="off", log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture(autouse=True)
def kept_outbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wake-ups stay rows, as while the broker is away, so that they can be counted."""
    monkeypatch.setattr(dispatch, "relay", lambda rows: 0)


def at_once(acts: Sequence[Callable[[], T]]) -> list[T]:
    """Does each in a thread of its own, all from the same moment on."""
    start = threading.Barrier(len(acts))

    def wait_and_act(act: Callable[[], T]) -> T:
        start.wait(10)
        try:
            return act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(wait_and_act, acts))


# --- Callbacks


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the stand-in paints, small."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    synthesise("a glowing candle", path, width_px=64, height_px=64, duration_s=1, fps=8, seed=1)
    return path


@pytest.fixture
def filmed(make_run: MakeRun, settings: Settings, monkeypatch: pytest.MonkeyPatch, clip: Path) -> Run:
    """A run whose twelve clips are all made; nobody has told us yet."""
    # Painting twelve takes longer than all that is tested here.
    monkeypatch.setattr(fake, "synthesise", lambda prompt, target, **_: shutil.copy(clip, target))
    settings.RUNS = settings.RUNS.model_copy(update={"clips_in_flight": CLIPS})
    run = make_run("aismr")
    go(run, until="clips")
    park(run)
    return run


Delivery = tuple[str, bytes, Mapping[str, str]]


def callbacks(run: Run) -> list[Delivery]:
    """Path, body and headers of each clip's callback, as the simulator signs it."""
    simulator: Any = registry.simulators(tiny=True)["kieai"]
    jobs = [simulator.load(job.external_id) for job in run.jobs.filter(kind="clips")]
    made = [call for job in jobs for call in simulator.callbacks(job)]
    return [(call.url.removeprefix(_origin(call.url)), call.body, call.headers) for call in made]


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def deliver(web: str, calls: Sequence[Delivery]) -> list[httpx.Response]:
    """Delivers the calls over one connection, one after the other."""
    with httpx.Client(base_url=web, trust_env=False, timeout=30) as client:
        return [client.post(path, content=body, headers=headers) for path, body, headers in calls]


def shares(calls: Sequence[T], times: int) -> list[list[T]]:
    """Each call ``times`` times, in random order, dealt out to as many senders as there are calls."""
    deck = list(calls) * times
    random.Random(times).shuffle(deck)
    return [deck[sender :: len(calls)] for sender in range(len(calls))]


def work() -> None:
    """Does what the outbox asks for, and what that asks for in turn, at once and each wake-up twice."""
    while rows := Outbox.objects.filter(links__0__0__in=list(TASKS)):
        wakeups = [partial(TASKS[name], *args) for row in rows for name, args in row.links]
        Outbox.objects.filter(id__in=[row.id for row in rows]).delete()
        at_once(wakeups * 2)


@pytest.mark.parametrize("times", [1, 5])
def test_every_callback_counts_once(web: str, filmed: Run, times: int) -> None:
    Outbox.objects.all().delete()
    dealt = shares(callbacks(filmed), times)
    answers = [answer for sender in at_once([partial(deliver, web, share) for share in dealt]) for answer in sender]
    assert [answer.status_code for answer in answers] == [200] * CLIPS * times
    assert sum(answer.json() == {"status": "accepted"} for answer in answers) == CLIPS
    events = WebhookEvent.objects.values_list("id", flat=True)
    assert len(events) == CLIPS
    at_once([partial(apply_webhook, str(event)) for event in events])
    work()
    assert set(WebhookEvent.objects.values_list("signature_status", "status")) == {("verified", "processed")}
    assert final_rows(filmed) == {
        "jobs": [(index, JobStatus.SUCCEEDED, 0, CLIP_MICROUSD) for index in range(CLIPS)],
        "clips": [(index, True) for index in range(CLIPS)],
        "spends": [("settled", CLIP_MICROUSD)] * CLIPS,
        "settled": [f"clips {index}" for index in range(CLIPS)],
        "wait": (StepStatus.SUCCEEDED, {"jobs": CLIPS}),
        "ended": 1,
        "next": ["personas.alex", "waits.render"],
    }


def final_rows(run: Run) -> dict[str, Any]:
    tasks_of = {job.index: job.external_id for job in run.jobs.filter(kind="clips")}
    clips = run.artifacts.filter(type="kieai.clip").order_by("metadata__index")
    settled = run.events.filter(subject__startswith="clips ", new=JobStatus.SUCCEEDED)
    wait = run.steps.get(kind="wait", name="clips")
    return {
        "jobs": list(
            run.jobs.filter(kind="clips").order_by("index").values_list("index", "status", "retries", "cost_microusd")
        ),
        "clips": [(index := each.metadata["index"], tasks_of[index] in each.url and _is_kept(each)) for each in clips],
        "spends": list(run.spends.filter(provider="kieai").values_list("status", "settled_microusd")),
        "settled": sorted(settled.values_list("subject", flat=True), key=lambda subject: int(subject.split()[1])),
        "wait": (wait.status, wait.output),
        "ended": run.events.filter(step=wait, subject=wait.name, new=StepStatus.SUCCEEDED).count(),
        "next": [name for row in Outbox.objects.all() for name, _ in row.links],
    }


def _is_kept(artifact: Artifact) -> bool:
    with store.local(artifact.path) as file:
        return store.checksum_of(file) == artifact.checksum


# --- Decisions


def by_api(web: str, run: Run, settings: Settings) -> list[Callable[[], httpx.Response]]:
    url = f"{web}/v1/hitl/decide/{run.id}/prepublish"
    key = {"X-API-Key": settings.API_KEY}
    digest = services.digest_of(scenes.gate(run))

    def decide(caption: str) -> httpx.Response:
        wanted = {"verdict": "approve", "digest": digest, "comment": caption, "edits": {"caption": caption}}
        return httpx.post(url, json=wanted, headers=key, trust_env=False, timeout=30)

    return [partial(decide, f"Caption {n}.") for n in range(REVIEWERS)]


def by_page(web: str, run: Run, settings: Settings) -> list[Callable[[], httpx.Response]]:
    gate = scenes.gate(run)
    links = [urlsplit(approval_url(gate, recipient=f"reviewer-{n}")) for n in range(REVIEWERS)]

    def decide(path: str, token: str, caption: str) -> httpx.Response:
        typed = {"token": token, "verdict": "approve", "comment": caption, "caption": caption}
        return httpx.post(f"{web}{path}", data=typed, trust_env=False, timeout=30)

    tokens = [parse_qs(link.query)["token"][0] for link in links]
    assert len(set(tokens)) == REVIEWERS
    return [partial(decide, links[n].path, tokens[n], f"Caption {n}.") for n in range(REVIEWERS)]


def by_both(web: str, run: Run, settings: Settings) -> list[Callable[[], httpx.Response]]:
    return by_api(web, run, settings)[::2] + by_page(web, run, settings)[1::2]


@pytest.mark.usefixtures("projects")
@pytest.mark.parametrize("ways", [by_api, by_page, by_both])
def test_of_many_approvals_one_counts(web: str, settings: Settings, ways: Any) -> None:
    run = scenes.at_prepublish()
    Outbox.objects.all().delete()
    answers = at_once(ways(web, run, settings))
    first, *others = sorted(answers, key=lambda answer: answer.status_code)
    assert first.status_code in {200, 303}
    assert [answer.status_code for answer in others] == [409] * (REVIEWERS - 1)
    approval = Approval.objects.get(run=run, gate="prepublish")
    draft = run.jobs.get(kind="publish").request
    assert approval.comment == draft["caption"] == approval.edits["caption"]
    gate = run.steps.get(name="prepublish")
    approved = {"verdict": "approve", "draft": services.digest(draft)}
    assert (gate.status, gate.output) == (StepStatus.SUCCEEDED, approved)
    assert run.events.filter(step=gate, new=StepStatus.SUCCEEDED).count() == 1
    assert run.artifacts.filter(type="hitl.approval", step=gate).count() == 1
    publish = run.steps.get(kind="wait", name="publish")
    assert [row.links for row in Outbox.objects.all()] == [[["waits.publish", [str(run.id), str(publish.id)]]]]
    run.refresh_from_db()
    assert run.status == RunStatus.RUNNING
