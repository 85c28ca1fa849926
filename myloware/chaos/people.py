"""The people of the system: somebody who orders films, somebody who decides at gates, an operator who retries."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.utils import timezone
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from myloware.kernel.errors import Conflict
from runs import jobs, services
from runs.models import Project, Run, Step
from runs.schemas import ProjectSpec, RunInput, RunOptions
from runs.services import Decision
from runs.states import ACTIVE_RUN, RunStatus, StepStatus, Verdict

from .order import chance
from .outside import SIZE

if TYPE_CHECKING:
    from uuid import UUID

    from rich.console import Console

    from .order import Order
    from .report import Report

AT_ONCE = 48
LOOK_S = 0.5
RETRIES = 4
REJECTED, REVISED, CANCELLED = 0.03, 0.03, 0.02
CALM_S = 6


class People:
    """Start runs, decide, retry; until all have ended."""

    def __init__(self, order: Order, console: Console, report: Report) -> None:
        self.order = order
        self.console = console
        self.report = report
        self.retried: dict[UUID, int] = {}
        self.doomed: list[UUID] = []

    def work(self) -> None:
        deadline = time.monotonic() + self.order.timeout_s
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self.console) as progress:
            bar = progress.add_task("films", total=self.order.runs)
            while time.monotonic() < deadline and not self._patiently(lambda: self._look(progress, bar)):
                time.sleep(LOOK_S)
        # What is left then is what is left for ever: no more faults, and a while for the last wake-ups.
        self.report.calm.set()
        self._settle_down()

    def _patiently(self, look: Any) -> bool:
        """The database is being broken too."""
        try:
            return bool(look())
        except DatabaseError:
            connection.close()
            return False

    def _look(self, progress: Progress, bar: Any) -> bool:
        """Does what there is to do; whether all is done."""
        self._decide()
        self._operate()
        active = Run.objects.filter(status__in=ACTIVE_RUN).count()
        started = Run.objects.count()
        for number in range(started, min(started + AT_ONCE - active, self.order.runs)):
            self._start(number)
        progress.update(bar, completed=started - active)
        return started >= self.order.runs and not active and not self._hopeful()

    def _settle_down(self) -> None:
        deadline = time.monotonic() + 60
        time.sleep(CALM_S)
        while time.monotonic() < deadline and not self._patiently(self.report.is_quiet):
            time.sleep(1)

    # --- Orders

    def _start(self, number: int) -> None:
        run = services.create_run(
            project=_project(),
            input=RunInput(prompt=f"A paper boat number {number}"),
            options=RunOptions(seed=number),
            user_id="chaos",
            actor="chaos",
            approved_by="chaos",
        )
        if chance(self.order.seed, f"cancel {number}") < CANCELLED and not self.order.points:
            self.doomed.append(run.id)

    # --- Decisions

    def _decide(self) -> None:
        for step in Step.objects.filter(kind="gate", status=StepStatus.WAITING).select_related("run__project"):
            try:
                services.decide(step.id, self._decision(step))
                # The same person in another tab.
                services.decide(step.id, self._decision(step))
            except Conflict:
                continue

    def _decision(self, step: Step) -> Decision:
        verdict = self._verdict(step)
        return Decision(verdict, actor="chaos", channel="chaos", digest=services.digest_of(step), comment=f"{verdict}")

    def _verdict(self, step: Step) -> Verdict:
        """With chosen points every run is to reach all of them, so nobody objects."""
        if step.name != "prepublish" or self.order.points:
            return Verdict.APPROVE
        seed = step.run.payload.options.seed
        if chance(self.order.seed, f"reject {seed}") < REJECTED:
            return Verdict.REJECT
        first = not step.run.approvals.filter(verdict=Verdict.REVISE).exists()
        return Verdict.REVISE if first and chance(self.order.seed, f"revise {seed}") < REVISED else Verdict.APPROVE

    # --- Operation

    def _operate(self) -> None:
        for job in jobs.unsettled():
            # A late result may be quicker than a person.
            with suppress(Conflict):
                jobs.settle_by_hand(job.id, url=_seen(job), actor="chaos")
        for run in Run.objects.filter(status=RunStatus.FAILED):
            if self.retried.get(run.id, 0) < RETRIES:
                self.retried[run.id] = self.retried.get(run.id, 0) + 1
                self.report.retries += 1
                with suppress(Conflict):
                    services.retry(run.id, actor="chaos")
        self._cancel()

    def _cancel(self) -> None:
        old_enough = timezone.now() - timedelta(seconds=1)
        for run_id in Run.objects.filter(
            id__in=self.doomed, status__in=ACTIVE_RUN, created_at__lt=old_enough
        ).values_list("id", flat=True):
            with suppress(Conflict):
                services.cancel(run_id, actor="chaos")

    def _hopeful(self) -> bool:
        """Whether an operator would still do something."""
        failed = Run.objects.filter(status=RunStatus.FAILED).values_list("id", flat=True)
        return any(self.retried.get(run_id, 0) < RETRIES for run_id in failed) or jobs.unsettled().exists()


def _project() -> Project:
    """test_video_gen as a thumbnail of one clip, in the size of the films that the world outside hands out."""
    found = Project.objects.filter(slug="chaos").select_related(None).first()
    if found:
        return found
    real = Project.objects.get(slug="test_video_gen")
    plain = real.spec.model_dump(mode="json", by_alias=True)
    plain["slug"] = "chaos"
    plain["specs"]["videoCount"] = 1
    plain["specs"]["resolution"] |= dict(zip(("width", "height"), SIZE, strict=True))
    made = Project.objects.create(
        slug="chaos", title="Chaos", description="Small films.", spec=ProjectSpec.model_validate(plain)
    )
    for account in real.projectsocial_set.all():
        made.projectsocial_set.create(social=account.social, is_primary=account.is_primary)
    return made


def _seen(job: Any) -> str:
    """What a person sees on the account: the film's page, or nothing."""
    page = settings.DATA_DIR / "simulators" / "upload-post" / f"{job.key}.json"
    return f"{settings.PROVIDERS.simulators_url}/gallery/{job.key}" if page.exists() else ""
