"""Runs brought to each gate by the engine's own services, as workers would."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings

from hitl.links import approval_url, open_gate
from runs import jobs, preflight, services
from runs.models import Project, Run, Step
from runs.schemas import PublishDraft, RunInput, RunOptions
from runs.services import Decision
from runs.states import JobStatus, Verdict
from tests.providers.media.media_files import FINE

if TYPE_CHECKING:
    from pathlib import Path

    from providers.media.preflight.facts import Facts

BRIEF = "the moon orders a cheeseburger at a drive-in on a rainy night"


def idea(index: int, header: str) -> dict[str, Any]:
    return {
        "index": index,
        "subject": "candle",
        "header": header,
        "title": f"{header} candle",
        "concept": "A candle stands on dark wood; a fingertip presses its flame flat, and it springs back.",
        "rationale": "One object, one impossible property, a macro shot that ends where it began.",
    }


HEADERS = ("Velvet", "Liquid", "Magnetic", "Hollow", "Frozen", "Origami")
IDEAS = [idea(index, HEADERS[index % len(HEADERS)]) for index in range(12)]


def at_workflow(slug: str = "test_video_gen", *, user_id: str = "alice", **options: Any) -> Run:
    return services.create_run(
        project=Project.objects.get(slug=slug),
        input=RunInput(prompt=BRIEF),
        options=RunOptions(**options),
        user_id=user_id,
        actor="brendan",
    )


def at_ideate() -> Run:
    run = at_workflow("aismr")
    decide(run)
    work(run, {"ideas": IDEAS})
    park(run)
    return run


def at_prepublish(film: Path | None = None, facts: Facts | None = FINE) -> Run:
    """``facts`` of the film are as if they had been measured; None: nobody has looked yet."""
    run, checksum = at_quinn(film)
    work(run, orders=("publish", draft(checksum).model_dump(mode="json")))
    if facts:
        measured(run, checksum, facts)
    park(run)
    return run


def at_quinn(film: Path | None = None) -> tuple[Run, str]:
    """The run, and the checksum of its film."""
    run = at_workflow()
    decide(run)
    work(run, {"ideas": IDEAS[:2]})
    for kind in ("clips", "render"):
        finished(work(run, orders=(kind, {"prompt": "a clip"})))
        park(run)
    return run, _keep(run, film)


def measured(run: Run, checksum: str, facts: Facts) -> None:
    """Files what Quinn's stage would have measured of the film."""
    report = preflight.report_of(run, run.jobs.get(kind="publish").request, facts)
    services.record_artifact(run=run, **preflight.paper(checksum, facts, report))


def draft(checksum: str) -> PublishDraft:
    return PublishDraft(
        title="The moon is hungry",
        caption="It came a long way for this. Stay for the pickle. A test film.",
        tags=("moon", "cheeseburger", "surreal"),
        account="night_shift_films",
        film=checksum,
    )


def _keep(run: Run, film: Path | None) -> str:
    """Files ``film`` as the finished film, or a file of no importance."""
    content = film.read_bytes() if film else b"a film"
    checksum = hashlib.sha256(content).hexdigest()
    path = settings.MEDIA_ROOT / checksum[:2] / f"{checksum}.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    services.record_artifact(
        run=run,
        type="ffmpeg.normalized",
        path=f"{checksum[:2]}/{checksum}.mp4",
        checksum=checksum,
        metadata={"probe": {"duration_s": 16.0, "width_px": 1080, "height_px": 1920}},
    )
    return checksum


def decide(run: Run, verdict: Verdict = Verdict.APPROVE, comment: str = "") -> None:
    step = gate(run)
    services.decide(
        step.id, Decision(verdict, actor="bob", channel="test", digest=services.digest_of(step), comment=comment)
    )
    run.refresh_from_db()


def gate(run: Run) -> Step:
    step = open_gate(run)
    assert step is not None
    return step


def work(
    run: Run, output: dict[str, Any] | None = None, *, orders: tuple[str, dict[str, Any]] | None = None
) -> list[Any]:
    """Does the stage the run stands at; returns what it ordered."""
    cursor = run.cursor()
    assert cursor is not None
    step = services.claim(cursor.id)
    assert step is not None
    ordered = jobs.order(step, orders[0], [orders[1]]) if orders else []
    assert services.complete(step, output or {})
    run.refresh_from_db()
    return ordered


def park(run: Run) -> None:
    cursor = run.cursor()
    assert cursor is not None
    assert services.park(cursor.id)
    run.refresh_from_db()


def finished(ordered: list[Any]) -> None:
    for job in ordered:
        job.status = JobStatus.SUCCEEDED
        job.save()


def page(run: Run, *, recipient: str = "") -> str:
    """Path and query of the approval page of the gate the run stands at."""
    parts = urlsplit(approval_url(gate(run), recipient=recipient))
    return f"{parts.path}?{parts.query}"


def token_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["token"][0]
