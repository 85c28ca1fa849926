"""Whole films while the services do what they now and then do: what people read, and that nothing is made twice.

Each case is one line, or a part of one, of what the services are known to get wrong; the dial makes the simulators do
it. ``tests/providers/test_faults.py`` shows the same faults at the adapters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import stamina
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client, override_settings

from personas.ports import RenderRequest
from providers.dial import FOR_EVER
from providers.kieai.adapter import MICROUSD_PER_CREDIT
from providers.kieai.fake import BALANCE, KieaiSimulator
from providers.models import WebhookEvent
from providers.shotstack.adapter import MICROUSD_PER_MINUTE
from providers.simulator import Call
from runs import dispatch, fork, jobs, money, services
from runs.models import Outbox, Project, Run, Spend
from runs.schemas import RunInput, RunOptions
from runs.states import IN_FLIGHT_JOB, JobStatus, RunStatus
from tests.runs import journey
from tests.runs.test_pages import words

from .hand import Hand, Postbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pytest_django import DjangoDbBlocker
    from pytest_django.fixtures import Settings

    from runs.ports import Desk

CLIP_MICROUSD, RENDER_MICROUSD = 300_000, 10_000
# The client tries a request so often here; an order of a stage is tried once more when the run comes to its wait.
TWICE = 2


@dataclass(frozen=True)
class Case:
    """What goes wrong, how often, by the dial's names; and what comes of it.

    ``meanwhile``: what the run's page says while the run still waits by itself.  ``stops``: what it says when a person
    is needed; empty when none is.  ``looks``: whether the beat has to look for something, because no callback told it.
    ``orders``: clips, renders and posts that the services have taken in the end.  ``doubt_microusd``: what counts as
    spent although nobody charges it.  ``deaf``: so many calls are answered with 500.  ``hurry``: a call is worked off
    before it is answered.  ``asleep``: upload-post has had five failed deliveries.
    """

    dial: Mapping[str, int] = field(default_factory=dict)
    meanwhile: str = ""
    stops: tuple[str, ...] = ()
    looks: bool = False
    orders: tuple[int, int, int] | None = None
    doubt_microusd: int = 0
    quality: str | None = None
    deaf: int = 0
    hurry: bool = False
    asleep: bool = False


def once(*faults: str) -> dict[str, int]:
    return dict.fromkeys(faults, 1)


def ever(*faults: str) -> dict[str, int]:
    return dict.fromkeys(faults, FOR_EVER)


QUIET = ("shotstack.no_callback", "upload-post.no_callback")
NOT_BILLED = "Nothing was billed. Another order is about $0.30."
IN_DOUBT = "$0.30 counts as spent, because it may have been billed. Another order is about $0.30."
LOST = "The answer to the order was lost and no callback came; it may have been billed."
LATER = "Please try again later."
MAYBE = "It may have been taken all the same, so it is not sent again before that is known."
PUT_OFF = "Nothing is ordered or billed meanwhile; it is tried again by itself. Nothing needs to be done until"
NOT_TAKEN = "The service took no order in time, so nothing more was made or billed; retry when it does. Last heard:"
NOT_PUBLISHED = "The service did not take the film in time, so it was not published; retry when it does. Last heard:"
NOBODY_KNOWS = "Nobody knows whether the film was published; look at the account"

KIEAI = {
    "code 400 behind HTTP 200": Case(
        ever("kieai.code_400"),
        stops=(
            "Clip 1. Kie.ai refused (400): Your prompt was flagged",
            NOT_BILLED,
            "For another prompt, fork from riley.",
        ),
    ),
    "code 401 behind HTTP 200": Case(
        ever("kieai.code_401"), stops=("Kie.ai refused (401): Unauthorized", "Check KIEAI_API_KEY.", NOT_BILLED)
    ),
    "code 402 behind HTTP 200": Case(
        ever("kieai.code_402"),
        stops=("Kie.ai refused (402): The current credits are insufficient.", "Buy credits at kie.ai.", NOT_BILLED),
    ),
    "code 422 behind HTTP 200": Case(
        ever("kieai.code_422"), stops=("Kie.ai refused (422): Your request was rejected by Flow", NOT_BILLED)
    ),
    "code 402 as the HTTP status": Case(
        ever("kieai.http_status", "kieai.code_402"), stops=("Kie.ai refused (402)", NOT_BILLED)
    ),
    "code 429 for a while": Case(
        {"kieai.code_429": 2 * TWICE},
        meanwhile=f"Kie.ai takes no more requests now: The call frequency is too high. {LATER} {PUT_OFF}",
        looks=True,
    ),
    "code 429 for ever": Case(
        ever("kieai.code_429"), stops=(f"{NOT_TAKEN} kie.ai takes no more requests now: The call",), looks=True
    ),
    "code 455, maintenance": Case(
        {"kieai.code_455": 2 * TWICE}, meanwhile=f"Service unavailable: maintenance. {PUT_OFF}", looks=True
    ),
    "code 500 to an order": Case(
        once("kieai.code_500"),
        meanwhile=f"Kie.ai answered 500: Server exception, please try again later or contact customer service. {MAYBE}",
        stops=(LOST, IN_DOUBT),
        looks=True,
        doubt_microusd=CLIP_MICROUSD,
    ),
    "resultUrls as an array, the id as taskId, times without a zone": Case(),
    "resultUrls as JSON text": Case(ever("kieai.urls_as_json_text")),
    "resultUrls as bracket text": Case(ever("kieai.urls_in_brackets")),
    "the id as task_id": Case(ever("kieai.task_id_snake_case")),
    "times as ISO 8601": Case(ever("kieai.times_iso")),
    "times in milliseconds": Case(ever("kieai.times_epoch_ms")),
    "duplicate callback": Case(ever("kieai.duplicate_callback")),
    "callback before the POST answer is processed": Case(
        {**once("kieai.early_callback"), **ever(*QUIET)}, hurry=True, looks=True
    ),
    "failed flag 2, once": Case(once("kieai.fails_flag_2"), orders=(2, 1, 1)),
    "failed flag 3, every time": Case(
        ever("kieai.fails_flag_3"),
        stops=("Clip 1. The generation failed: the model returned nothing.", NOT_BILLED),
        orders=(3, 1, 1),
    ),
    "1080p code 400 twice, then ready": Case({"kieai.1080p_late": 2}, quality="1080p", looks=True),
    "1080p code 400 past the deadline": Case(ever("kieai.1080p_late"), quality="1080p", looks=True),
    "1080p never made": Case(ever("kieai.no_1080p"), quality="1080p"),
    "no callback at all": Case(ever("kieai.no_callback"), meanwhile="0 of 1 clips are ready.", looks=True),
    "callback signed with a wrong key": Case(ever("kieai.wrong_key"), looks=True),
    "callback with an old timestamp": Case(ever("kieai.old_timestamp"), looks=True),
    "valid signature with a changed body": Case(ever("kieai.changed_body")),
    "answer lost, the callback tells": Case(once("kieai.lost_answer")),
    "answer lost and no callback": Case(
        {**once("kieai.lost_answer"), **ever("kieai.no_callback")}, stops=(LOST, IN_DOUBT), looks=True, orders=(2, 1, 1)
    ),
}

SHOTSTACK = {
    "each status in order": Case(once("shotstack.slow"), looks=True),
    "failed with an error text": Case(
        once("shotstack.fails"),
        stops=(
            "Render. Error: the asset could not be downloaded. Nothing was billed. Another order is about $0.01.",
            "For another cut, fork from alex.",
        ),
        orders=(0, 2, 1),
    ),
    "serve event before the edit event": Case(ever("shotstack.serve_first")),
    "calls again by the cubic schedule": Case(deaf=9),
    "429 with Retry-After for a while": Case(
        {"shotstack.rate_limited": 2 * TWICE},
        meanwhile=f"Shotstack takes no more requests now: Too Many Requests. {PUT_OFF}",
        looks=True,
    ),
    "429 with Retry-After for ever": Case(
        ever("shotstack.rate_limited"), stops=(f"{NOT_TAKEN} Shotstack takes no more requests now",), looks=True
    ),
    "500 to an order": Case(
        once("shotstack.server_error"),
        meanwhile=f"Shotstack answered 500: Internal Server Error. {MAYBE}",
        stops=(LOST, "$0.01 counts as spent"),
        looks=True,
        doubt_microusd=RENDER_MICROUSD,
    ),
    "S3 URL turned 403 after 24 h": Case(ever("shotstack.expired")),
    "unknown property refused by the service": Case(
        ever("shotstack.unknown_property"),
        stops=(
            'Shotstack refused (400): Bad Request: $.output.quality "quality" is not allowed.',
            "Nothing was billed.",
        ),
    ),
    "no callback at all": Case(ever("shotstack.no_callback"), meanwhile="The film is being rendered.", looks=True),
    "duplicate callback": Case(ever("shotstack.duplicate_callback")),
    "callback before the POST answer is processed": Case(
        {**once("shotstack.early_callback"), **ever("upload-post.no_callback")}, hurry=True, looks=True
    ),
    "answer lost, the callback tells": Case(once("shotstack.lost_answer")),
    "answer lost and no callback": Case(
        {**once("shotstack.lost_answer"), **ever("shotstack.no_callback")},
        stops=(LOST, "$0.01 counts as spent"),
        looks=True,
        orders=(0, 2, 1),
    ),
}

UPLOAD_POST = {
    "asynchronous": Case(),
    "synchronous": Case(once("upload-post.synchronous")),
    "background switch at 59 s": Case(once("upload-post.synchronous", "upload-post.background")),
    "mixed success": Case(
        once("upload-post.mixed_success"),
        stops=("Publish. It is not public on tiktok: quota exceeded.", "Retry sends the film with the text"),
        orders=(0, 0, 2),
    ),
    "fallback_to_inbox": Case(
        once("upload-post.inbox"),
        stops=("It is not public on tiktok: it was put into the account's drafts; delete the draft before a retry",),
        orders=(0, 0, 2),
    ),
    "account not connected": Case(
        once("upload-post.not_connected"),
        stops=("It is not public on tiktok: no account of it is connected to the profile; connect one",),
        orders=(0, 0, 2),
    ),
    "hard cap 429 for a while": Case(
        {"upload-post.hard_cap": TWICE},
        meanwhile="Waiting for the platform. ",
        looks=True,
    ),
    "hard cap 429 for ever": Case(
        ever("upload-post.hard_cap"),
        stops=(
            f"{NOT_PUBLISHED} upload-post takes no more requests now: Post verification failed: tiktok has had its 15",
        ),
        looks=True,
    ),
    "401, the key is refused": Case(
        ever("upload-post.bad_key"),
        stops=("Upload-post refused (401): Invalid or expired token. Check UPLOAD_POST_API_KEY.",),
    ),
    "403, not in the plan": Case(
        ever("upload-post.plan"),
        stops=("Upload-post refused (403): TikTok is not part of your plan. Choose another plan there.",),
    ),
    "404, no such profile": Case(
        ever("upload-post.no_profile"), stops=("Upload-post refused (404): User not found. Make the profile",)
    ),
    "500 for a while": Case(
        {"upload-post.server_error": TWICE},
        meanwhile=f"Upload-post answered 500: Internal server error. {PUT_OFF}",
        looks=True,
    ),
    "500 for ever": Case(ever("upload-post.server_error"), stops=(NOT_PUBLISHED,), looks=True),
    "404 not_found just after acceptance": Case(
        once("upload-post.not_found"), meanwhile="The film is on its way.", looks=True
    ),
    "404 not_found past the deadline": Case(
        ever("upload-post.not_found"), stops=(NOBODY_KNOWS, "Retry sends nothing a second time"), looks=True
    ),
    "no URL in the status": Case(once("upload-post.no_url")),
    "webhook with signature": Case(ever("upload-post.duplicate_callback")),
    "webhook without signature": Case(ever("upload-post.unsigned"), looks=True),
    "webhook with only job_id": Case(ever("upload-post.own_job_id")),
    "webhook before the POST answer is processed": Case(once("upload-post.early_callback"), hurry=True, looks=True),
    "no webhook at all": Case(ever("upload-post.no_callback"), meanwhile="The film is on its way.", looks=True),
    "the 5-failure pause": Case(asleep=True, looks=True),
    "answer lost, the webhook tells": Case(once("upload-post.lost_answer")),
    "answer lost, idempotent replay": Case(once("upload-post.lost_answer", "upload-post.not_found"), looks=True),
}

CASES = [
    pytest.param(stand, case, id=f"{service}: {line}")
    for service, stand, cases in (
        ("kie.ai", "start", KIEAI),
        ("Shotstack", "alex", SHOTSTACK),
        ("upload-post", "prepublish", UPLOAD_POST),
    )
    for line, case in cases.items()
]


# --- The studio


@dataclass(frozen=True)
class Studio:
    """Runs of a tiny film that stand before the work of each service, and the folder with what they have so far."""

    media: Path
    runs: dict[str, Run]


@pytest.fixture(scope="module")
def studio(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Studio]:
    """Made once; what a test does to them is rolled back after it."""
    media, data = tmp_path_factory.mktemp("media"), tmp_path_factory.mktemp("data")
    with django_db_blocker.unblock():
        with override_settings(MEDIA_ROOT=media, DATA_DIR=data):
            _hire()
            runs = {name: _standing(name) for name in ("alex", "prepublish")}
        Outbox.objects.all().delete()
    yield Studio(media, runs)
    with django_db_blocker.unblock():
        for model in (Outbox, Spend, Run, Project, User):
            model.objects.all().delete()


def _hire() -> None:
    call_command("load_projects", verbosity=0)
    project = Project.objects.get(slug="test_video_gen")
    spec = project.spec.model_dump(mode="json", by_alias=True)
    spec["specs"] |= {"videoCount": 1, "resolution": {"width": 360, "height": 640, "fps": 30}}
    project.spec = type(project.spec).model_validate(spec)
    project.save()
    User.objects.create_superuser("reader")


def start(**options: Any) -> Run:
    return services.create_run(
        project=Project.objects.get(slug="test_video_gen"),
        input=RunInput(prompt="the moon orders a cheeseburger"),
        options=RunOptions(**options),
        actor="alice",
    )


def _standing(name: str) -> Run:
    run = start()
    journey.go(run, name)
    # Parked, or the beat would take it for lost.
    if name == "prepublish":
        journey.park(run)
    else:
        Run.objects.filter(id=run.id).update(status=RunStatus.WAITING)
    return run


@pytest.fixture
def hand(studio: Studio, db: None, settings: Settings, tmp_path: Path) -> Iterator[Hand]:
    """Services of its own, whose seconds are a tenth of a millisecond."""
    postbox = Postbox()
    settings.MEDIA_ROOT, settings.DATA_DIR, settings.WEBHOOK_BASE_URL = studio.media, tmp_path, postbox.url
    settings.PROVIDERS = settings.PROVIDERS.model_copy(update={"simulators_time_scale": 0.0001})
    cache.clear()
    postbox.open()
    with stamina.set_testing(True, attempts=TWICE):
        yield Hand(postbox)
    postbox.close()


def page(run: Run) -> str:
    """What staff read of the run."""
    reader = Client()
    reader.force_login(User.objects.get(username="reader"))
    return words(reader.get(f"/runs/{run.id}/").content.decode())


# --- What holds in every case


def taken(hand: Hand) -> tuple[int, int, int]:
    """The clips, renders and posts that the services have taken."""
    clips, renders, posts = (list(hand.simulators[name].jobs()) for name in ("kieai", "shotstack", "upload-post"))
    return len(clips), len(renders), len(posts)


def asked_for(hand: Hand) -> list[str]:
    """Which try of which order each of them was for."""
    return [
        *(job["request"]["callBackUrl"] for job in hand.simulators["kieai"].jobs()),
        *(job["edit"]["callback"] for job in hand.simulators["shotstack"].jobs()),
        *(job["key"] for job in hand.simulators["upload-post"].jobs()),
    ]


def charged(hand: Hand) -> int:
    """Micro-dollars, by the services' own accounts."""
    kieai = hand.simulators["kieai"]
    assert isinstance(kieai, KieaiSimulator)
    credits_left = kieai.credit(httpx.Request("GET", "https://api.kie.ai")).json()["data"]
    minutes: float = sum(job.get("duration", 0) for job in hand.simulators["shotstack"].jobs()) / 60
    return (BALANCE - int(credits_left)) * MICROUSD_PER_CREDIT + round(minutes * MICROUSD_PER_MINUTE)


def posts(hand: Hand) -> int:
    """How many films people can see."""
    gallery = hand.simulators["upload-post"].handle(httpx.Request("GET", "https://api.upload-post.com/gallery"))
    return gallery.text.count("<article>")


def check(hand: Hand, run: Run, spent_before: int, doubt_microusd: int) -> None:
    """Nothing is forgotten, ordered twice, or counted otherwise than it is charged."""
    tries = asked_for(hand)
    assert len(tries) == len(set(tries))
    assert posts(hand) <= 1
    assert money.spent(run) - spent_before == charged(hand) + doubt_microusd
    out = run.jobs.filter(status__in=IN_FLIGHT_JOB)
    assert not out.filter(poll_at=None).exists()
    held = Spend.objects.filter(run=run, status="reserved")
    assert {spend.job_id for spend in held} <= {job.id for job in out}
    assert not Outbox.objects.exists()
    assert not WebhookEvent.objects.exclude(status__in=["processed", "refused"]).exists()
    assert "evil" not in str(list(run.artifacts.values_list("url", flat=True)))


def prepare(hand: Hand, case: Case) -> None:
    hand.turn(case.dial)
    hand.postbox.deaf = case.deaf
    if case.hurry:
        hand.hurry()
    if case.asleep:
        upload_post = hand.simulators["upload-post"]
        # Half an hour is not over so soon.
        upload_post.world.dial.turn({}, time_scale=1)
        assert not any(upload_post.deliver(Call("http://127.0.0.1:9/", b"{}", {})) for _ in range(5))


@pytest.mark.parametrize(("stand", "case"), CASES)
def test_a_film_is_made_and_paid_once_whatever_goes_wrong(hand: Hand, studio: Studio, stand: str, case: Case) -> None:
    run = start(quality=case.quality) if stand == "start" else Run.objects.get(id=studio.runs[stand].id)
    spent_before = money.spent(run)
    prepare(hand, case)
    dispatch.enqueue(run)
    hand.go(run)
    if case.meanwhile:
        assert case.meanwhile in page(run)
    assert bool(hand.wait(run)) == case.looks
    if case.stops:
        assert run.status == RunStatus.FAILED
        read = page(run)
        for expected in case.stops:
            assert expected in read
        check(hand, run, spent_before, case.doubt_microusd)
        hand.mend()
        services.retry(run.id, actor="bob")
        hand.go(run)
        hand.wait(run)
    assert run.result.status == "published"
    check(hand, run, spent_before, case.doubt_microusd)
    assert {job.status for job in run.jobs.all()} == {JobStatus.SUCCEEDED}
    assert taken(hand) == (case.orders or {"start": (1, 1, 1), "alex": (0, 1, 1), "prepublish": (0, 0, 1)}[stand])
    assert posts(hand) == 1


def test_every_fault_of_the_dial_has_its_film(hand: Hand) -> None:
    shown = {fault for cases in (KIEAI, SHOTSTACK, UPLOAD_POST) for case in cases.values() for fault in case.dial}
    assert shown == {f"{name}.{fault}" for name, each in hand.simulators.items() for fault in each.faults}


# --- Edits that the crew could not have made with the standard template


def test_an_edit_with_an_unknown_property_is_not_sent_and_a_fork_cuts_anew(hand: Hand, studio: Studio) -> None:
    def cut(desk: Desk, count: int) -> None:
        (clip,) = desk.run.artifacts.filter(type="kieai.clip")
        shown = {"asset": {"type": "video", "src": clip.media_url}, "start": 0, "length": 2}
        desk.render("call-2", RenderRequest(timeline={"tracks": [{"clips": [shown]}], "colour": "red"}))

    run = Run.objects.get(id=studio.runs["alex"].id)
    hand.crew["alex"] = cut
    dispatch.enqueue(run)
    hand.go(run)
    read = page(run)
    assert "Render. This is not an Edit that Shotstack takes: $.timeline" in read
    assert "'colour' was unexpected" in read
    assert "Nothing was billed." in read
    assert "For another cut, fork from alex." in read
    assert taken(hand) == (0, 0, 0)
    hand.crew.clear()
    again = fork.fork(run, "alex", "bob")
    hand.go(again)
    assert again.result.status == "published"
    assert taken(hand) == (0, 1, 1)


def test_fields_are_merged_before_the_edit_is_checked(hand: Hand, studio: Studio) -> None:
    def cut(desk: Desk, count: int) -> None:
        (clip,) = desk.run.artifacts.filter(type="kieai.clip")
        shown = {"asset": {"type": "video", "src": clip.media_url}, "start": 0, "length": "{{ LENGTH }}"}
        edit = {
            "timeline": {"tracks": [{"clips": [shown]}]},
            "output": {"format": "mp4", "size": {"width": 90, "height": 160}},
            "merge": [{"find": "LENGTH", "replace": 2}],
        }
        jobs.order(desk.step, "render", [{"edit": edit}])
        jobs.submit_ready(desk.run.id, "render")

    run = Run.objects.get(id=studio.runs["alex"].id)
    spent_before = money.spent(run)
    hand.crew["alex"] = cut
    dispatch.enqueue(run)
    hand.go(run)
    assert run.result.status == "published"
    # What such an Edit lasts is known only when it is done: a minute is held, and what it comes to is paid.
    check(hand, run, spent_before, 0)
