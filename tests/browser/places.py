"""Every page that people meet, with something on it: a name, and where it is on this site."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from django.contrib import admin
from django.urls import reverse
from django.utils import timezone

from hitl.links import approval_path, revoke
from knowledge.ingest import ingest
from knowledge.search import search
from providers.models import WebhookEvent
from runs import services
from runs.models import Project, ProviderJob, Run
from runs.schemas import Requirements, RunInput, RunOptions
from runs.states import JobStatus, Verdict
from tests.hitl import scenes
from tests.hitl.test_preflight_page import QUIET
from tests.knowledge.conftest import SHIPPED
from tests.providers.media.media_files import make_clip
from tests.runs import journey
from tests.runs.test_money import at_the_wait, wait_for_clips
from tests.telegram_bot.test_run import small_films

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_django.fixtures import Settings

ADA = "ada@example.com"
OURS = ("access", "hitl", "knowledge", "providers", "runs", "telegram_bot")


def approval_pages(folder: Path, settings: Settings) -> dict[str, str]:
    """What a link leads to: no login is needed."""
    film = make_clip(folder / "film.mp4", picture="gradients=n=3:c0=0x27406b:c1=0xd9774f:c2=0xf2d6a2", size="540x960")
    mended, decided = scenes.at_prepublish(facts=QUIET), scenes.at_prepublish(film)
    revoked, over = scenes.at_workflow(), scenes.at_workflow()
    links = {
        "login": reverse("admin:login"),
        "plan": link(_asked_for_more()),
        "ideas": link(scenes.at_ideate()),
        "draft": link(scenes.at_prepublish(film)),
        "findings": link(scenes.at_prepublish(film, facts=QUIET)),
        "money": link(_out_of_money(settings)),
        "repairing": link(mended),
        "decided": link(decided),
        "revoked": link(revoked),
        "over": link(over),
        "tampered": link(over).replace("token=", "token=x"),
    }
    services.ask_for_repair(scenes.gate(mended).id, digest=services.digest_of(scenes.gate(mended)), actor=ADA, edits={})
    scenes.decide(decided, Verdict.REVISE, "A shorter caption, please.")
    revoke(scenes.gate(revoked), actor="grace@example.com")
    services.cancel(over.id, actor="grace@example.com", reason="The drive-in is closed.")
    return links


def staff_pages() -> dict[str, str]:
    """What the staff sees after its login, of runs in several states."""
    made, failed = _made(), scenes.at_workflow()
    scenes.decide(failed)
    services.fail(journey.stage(failed, "iggy"), "The model was away.")
    scenes.at_ideate()
    return {
        "inbox": reverse("inbox"),
        "runs": reverse("run-list"),
        "run": reverse("run-page", args=[made.id]),
        "failed run": reverse("run-page", args=[failed.id]),
        "fork": reverse("run-fork", args=[made.id]),
        "admin": reverse("admin:index"),
        "start": reverse("admin:runs_run_add"),
        "run in the admin": reverse("admin:runs_run_change", args=[made.id]),
        "failed run in the admin": reverse("admin:runs_run_change", args=[failed.id]),
        "lost publication": reverse("admin:runs_providerjob_change", args=[_lost().pk]),
        "project": reverse("admin:runs_project_change", args=[made.project_id]),
        "knowledge": _known(),
    }


def lists() -> Iterator[tuple[str, str]]:
    """The admin's lists of all that is ours."""
    for model in admin.site._registry:
        about = model._meta
        if about.app_label in OURS:
            yield (
                f"list of {about.verbose_name_plural}",
                reverse(f"admin:{about.label_lower.replace('.', '_')}_changelist"),
            )


def link(run: Run) -> str:
    return approval_path(scenes.gate(run), recipient=ADA)


def _asked_for_more() -> Run:
    return services.create_run(
        project=Project.objects.get(slug="aismr"),
        input=RunInput(prompt=scenes.BRIEF),
        options=RunOptions(),
        user_id=ADA,
        actor="brendan",
        requirements=Requirements(language="French", must_have=("a red umbrella",), avoid=("faces",)),
    )


def _out_of_money(settings: Settings) -> Run:
    usual, run = settings.RUNS, scenes.at_workflow()
    settings.RUNS = usual.model_copy(update={"run_cap_usd": Decimal("0.5")})
    at_the_wait(run)
    wait_for_clips(run)
    settings.RUNS = usual
    run.refresh_from_db()
    return run


def _made() -> Run:
    """A film that is out."""
    small_films()
    run = scenes.at_workflow("aismr")
    journey.go(run)
    return run


def _known() -> str:
    """The knowledge base's desk, with documents, an answer, and questions that had none."""
    ingest(SHIPPED)
    search(["whisper timing"], project="aismr")
    search(["quarterly tax forms for llama breeders"], persona="quinn")
    return f"{reverse('admin:knowledge_document_desk')}?q=whisper+timing"


def _lost() -> ProviderJob:
    """A publication that nobody knows about; and a callback that nobody could read."""
    run = scenes.at_prepublish()
    scenes.decide(run)
    run.jobs.filter(kind="publish").update(status=JobStatus.UNKNOWN, submitted_at=timezone.now())
    event = {"provider": "kieai", "idempotency_key": "k1", "raw_payload": b"{}", "signature_status": "verified"}
    WebhookEvent.objects.create(**event, status=WebhookEvent.Status.DEAD, error="cannot be read")
    job: ProviderJob = run.jobs.get(kind="publish")
    return job
