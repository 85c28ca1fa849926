"""What came of it: the invariants, asked of the database and of the world outside, and the numbers."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from rich.table import Table

from .order import FAULTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import Console

    from .order import Order


class Report:
    """Filled while the system runs, checked when it has come to rest."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.calm = threading.Event()
        self.faults: Counter[str] = Counter()
        # (Unix time, process group)
        self.worker_kills: list[tuple[float, int]] = []
        # Unix times at which the broker went and was back.
        self.outages: list[tuple[float, float]] = []
        self.retries = 0
        self.violations: list[str] = []
        self.statuses: dict[str, int] = {}
        self.takeovers_s: list[float] = []
        self.reasons: Counter[str] = Counter()
        self.numbers = {"duplicate_publishes": 0, "lost_runs": 0, "unsettled": 0}
        self._started = time.monotonic()
        self.wall_s = 0.0

    def count(self, fault: str) -> None:
        self.faults[fault] += 1

    def is_quiet(self) -> bool:
        """Whether nothing is on its way any more."""
        return not any(self._left().values())

    # --- Invariants

    def check(self, folder: Path) -> None:
        """Asks the rows, and the files of the world outside."""
        from runs.models import Run

        self.wall_s = time.monotonic() - self._started
        marks = [json.loads(mark.read_text()) for mark in (folder / "chaos").glob("*~*")]
        self.faults.update(mark["fault"] for mark in marks)
        self.takeovers_s = sorted(self._takeovers(marks, folder / "chaos"))
        self.statuses = dict(Counter(Run.objects.values_list("status", flat=True)))
        self.reasons = Counter(Run.objects.filter(status="failed").values_list("reason", flat=True))
        self.violations = [
            *self._unended(),
            *self._publishes(folder / "simulators" / "upload-post"),
            *self._billed(folder / "simulators"),
            *self._incomplete(),
            *self._unaccounted(),
            *(f"{count} left in {name}" for name, count in self._left().items() if count),
        ]

    def _unended(self) -> Iterator[str]:
        from runs.models import Run, Step

        missing = self.order.runs - Run.objects.count()
        if missing:
            yield f"{missing} runs were never started"
        at_gates = Step.objects.filter(kind="gate", status="waiting").values("run")
        lost = Run.objects.filter(status__in=["pending", "running", "waiting"]).exclude(id__in=at_gates)
        self.numbers["lost_runs"] = lost.count() + missing
        for run in lost:
            yield f"run {run.id} ({run.status}) neither ended nor waits for a person; it stands at {run.cursor()}"

    def _publishes(self, folder: Path) -> Iterator[str]:
        from runs.models import Approval, ProviderJob

        posts = Counter(_job_of(file.stem) for file in folder.glob("publish-*.json"))
        for job in ProviderJob.objects.filter(kind="publish"):
            count = posts[str(job.id)]
            approved = Approval.objects.filter(run=job.run, gate="prepublish", verdict="approve").exists()
            if count > 1:
                self.numbers["duplicate_publishes"] += count - 1
                yield f"publish {job.id} was posted {count} times"
            if count and not approved:
                yield f"publish {job.id} was posted and nobody had approved it"
            if job.status == "succeeded" and not count:
                yield f"publish {job.id} is said to have been posted and was not"
        unknown = ProviderJob.objects.filter(kind="publish", status__in=["submitting", "submitted", "unknown"])
        self.numbers["unsettled"] = unknown.exclude(run__status="failed").count()
        if self.numbers["unsettled"]:
            yield f"{self.numbers['unsettled']} publishes are neither settled nor before a person"

    def _billed(self, folder: Path) -> Iterator[str]:
        """An order may be placed once for each time that we or a person wanted it afresh."""
        from runs.models import ProviderJob

        for provider, key in (("kieai", "callBackUrl"), ("shotstack", "callback")):
            orders = Counter(_reference(file.read_text(), key) for file in (folder / provider).glob("*.json"))
            retries = {str(job.id): job.retries for job in ProviderJob.objects.filter(provider=provider)}
            for (job_id, retry), count in orders.items():
                if count > 1 or int(retry) > retries.get(job_id, -1):
                    yield f"{provider} was given try {retry} of job {job_id} {count} times"

    def _incomplete(self) -> Iterator[str]:
        from runs.models import Run
        from runs.services import current_jobs

        for run in Run.objects.filter(status="succeeded"):
            made = Counter(run.artifacts.filter(step__isnull=False).values_list("type", flat=True))
            clips = current_jobs(run, "clips").count()
            if made["kieai.clip"] < clips or not made["ffmpeg.normalized"] or not made["publish.url"]:
                yield f"run {run.id} succeeded with {dict(made)}"

    def _unaccounted(self) -> Iterator[str]:
        """What was made has its cost, no money is held for what is over, and nobody passed a cap unasked."""
        from django.conf import settings

        from runs import money
        from runs.models import ProviderJob, Run, Spend

        unpaid = ProviderJob.objects.filter(status="succeeded").exclude(spends__status="settled").count()
        if unpaid:
            yield f"{unpaid} orders succeeded and nothing was charged for them"
        held = Spend.objects.filter(status="reserved", job__status__in=["succeeded", "failed", "cancelled"]).count()
        if held:
            yield f"the money of {held} orders that are over is still held"
        cap = int(settings.RUNS.run_cap_usd * 1_000_000)
        for run in Run.objects.all():
            allowed = money.allowance(run, "run", timezone.now().date())
            if money.spent(run) > cap + allowed:
                yield f"run {run.id} spent {money.spent(run)} micro-dollars; its cap is {cap} + {allowed}"

    def _left(self) -> dict[str, int]:
        from providers.models import WebhookEvent
        from runs.models import Outbox

        return {
            "the outbox": Outbox.objects.count(),
            "the inbox of callbacks": WebhookEvent.objects.filter(status__in=["received", "failed", "dead"]).count(),
        }

    # --- Numbers

    def _takeovers(self, marks: list[dict[str, Any]], folder: Path) -> Iterator[float]:
        """Seconds from the death of a step's worker, or the return of the broker, to the claim of its successor."""
        from runs.models import RunEvent

        for event in RunEvent.objects.filter(new="running", reason__regex=r"^attempt ([2-9]|\d\d)"):
            claimed = event.created_at.timestamp()
            former = folder / f"{event.step_id}.{int(event.reason.split()[1]) - 1}.claim"
            group, begun = (int(former.read_text()), former.stat().st_mtime) if former.exists() else (0, claimed)
            died = [at for at, killed in self.worker_kills if killed == group and begun <= at < claimed]
            died += [
                mark["at"] for mark in marks if mark["step"] == str(event.step_id) and begun <= mark["at"] < claimed
            ]
            if died:
                yield claimed - self._possible(min(died))

    def _possible(self, died: float) -> float:
        """When a takeover was possible at all: without a broker nobody hears of it."""
        return max([died, *(back for gone, back in self.outages if gone <= died <= back)])

    def percentile(self, share: float) -> float | None:
        """Of the takeovers, in seconds; None without any."""
        if not self.takeovers_s:
            return None
        rank = min(int(share * len(self.takeovers_s)), len(self.takeovers_s) - 1)
        return round(self.takeovers_s[rank], 2)

    # --- Words

    def print(self, console: Console) -> None:
        table = Table(box=None, show_header=False)
        for name, count in sorted(self.faults.items()):
            table.add_row(str(count), name, FAULTS[name])
        console.print(table)
        console.print(f"{self.order.runs} runs: {self.statuses}, {self.retries} retries by people", highlight=False)
        console.print(
            f"{len(self.takeovers_s)} takeovers, p50 {self.percentile(0.5)} s, p99 {self.percentile(0.99)} s; "
            f"{self.wall_s:.0f} s in all",
            highlight=False,
        )
        for reason, count in self.reasons.most_common(8):
            console.print(f"{count} wait for a person: {reason[:200]}", markup=False, highlight=False)
        for violation in self.violations[:40]:
            console.print(violation, style="red", markup=False, highlight=False)
        console.print(f"{len(self.violations)} violations", style="red" if self.violations else "green")
        if self.order.json_line:
            print(json.dumps(self._json()), flush=True)

    def _json(self) -> dict[str, Any]:
        return {
            "runs": self.order.runs,
            "seed": self.order.seed,
            "faults": dict(self.faults),
            "statuses": self.statuses,
            "violations": self.violations,
            **self.numbers,
            "takeovers": len(self.takeovers_s),
            "takeover_p50_s": self.percentile(0.5),
            "takeover_p99_s": self.percentile(0.99),
            "wall_s": round(self.wall_s, 1),
        }


def _job_of(key: str) -> str:
    """``publish-<uuid>-<tries>`` -> uuid."""
    return key.removeprefix("publish-").rsplit("-", 1)[0]


def _reference(job: str, key: str) -> tuple[str, str]:
    """The job of ours that a simulated order names in its callback URL, and which try of it."""
    found = re.search(rf'"{key}": "[^"]*?([0-9a-f]{{8}}-[0-9a-f-]{{27}})\.(\d+)', job)
    return (found[1], found[2]) if found else ("", "0")
