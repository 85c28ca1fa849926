"""What Brendan may see and start for one person: the personas' ``Office`` port on our rows."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q

from myloware.kernel.errors import Conflict, NotFound, UnprocessableInput
from runs import services
from runs.api import parse
from runs.models import Artifact, Project, Run, RunEvent
from runs.schemas import Requirements, RunInput, RunOptions
from runs.states import RunStatus, StepStatus, Verdict

from .links import approval_url, fresh_link, open_gate

LATEST = 10
# Of how many runs, the last that moved, there is news, and how much at most.
RECENT, NEWS = 50, 12
DECIDED = (StepStatus.SUCCEEDED, StepStatus.REJECTED)
ENDED = (RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.REJECTED)
VERDICTS = {Verdict.APPROVE: "approved", Verdict.REJECT: "rejected", Verdict.REVISE: "sent_back"}


class UserOffice:
    """The ``Office`` port, bound to one user: every query is filtered by them."""

    def __init__(self, user_id: str) -> None:
        self.user_id = user_id

    def projects(self) -> list[dict[str, Any]]:
        return [dict(row) for row in Project.objects.values("slug", "title", "description")]

    def my_runs(self) -> list[dict[str, Any]]:
        return [_summary(run) for run in self._runs()[:LATEST]]

    def run_status(self, run_id: str) -> dict[str, Any]:
        run = self._run(run_id)
        return {
            **_summary(run),
            "reason": run.reason,
            "publish_urls": list(run.result.publish_urls),
            "approve_url": self._approve_url(run),
        }

    def news(self) -> list[dict[str, Any]]:
        runs = Run.objects.filter(user_id=self.user_id).order_by("-updated_at").values("id")[:RECENT]
        gates = Q(step__kind="gate", subject=F("step__name"))
        asked, decided = Q(new=StepStatus.WAITING), Q(new__in=DECIDED, step__approval__isnull=False)
        ended = Q(step=None, subject="run", new__in=ENDED)
        events = RunEvent.objects.filter(gates & (asked | decided) | ended, run__in=runs)
        latest = events.select_related("run__project", "step__approval").order_by("-id")[:NEWS]
        return [_news(event) for event in reversed(latest)]

    def gate_link(self, run_id: str) -> dict[str, Any]:
        run = self._run(run_id)
        gate = open_gate(run)
        if gate is None:
            raise Conflict(f"this film waits for nobody, it is {run.status}.")
        url, expires_at = fresh_link(gate, recipient=self.user_id)
        return {"run_id": str(run.id), "gate": gate.name, "approve_url": url, "expires_at": expires_at.isoformat()}

    def propose_run(
        self,
        call_id: str,
        *,
        project: str,
        input: dict[str, Any],  # noqa: A002  (the port's word)
        options: dict[str, Any],
        classified: dict[str, Any],
    ) -> dict[str, Any]:
        evidence = {"call_id": call_id, **classified}
        run = self._proposed(call_id) or self._propose(evidence, project, input, options)
        return {
            "run_id": str(run.id),
            "plan": [step.name for step in run.payload.graph_spec.steps],
            "requirements": run.payload.graph_spec.requirements.said,
            "approve_url": self._approve_url(run),
        }

    def _propose(self, evidence: dict[str, Any], project: str, wanted: dict[str, Any], options: dict[str, Any]) -> Run:
        found = Project.objects.filter(slug=project).first()
        if found is None:
            raise UnprocessableInput(f"There is no project '{project}'. Known: {', '.join(_slugs())}.")
        with transaction.atomic():
            run = services.create_run(
                project=found,
                input=parse(RunInput, wanted),
                options=parse(RunOptions, options),
                user_id=self.user_id,
                actor="brendan",
                requirements=parse(Requirements, evidence.get("requirements", {})),
            )
            services.record_artifact(run=run, type="run.proposal", metadata=evidence)
        return run

    def _proposed(self, call_id: str) -> Run | None:
        proposals = Artifact.objects.filter(
            type="run.proposal", metadata__call_id=call_id, run__user_id=self.user_id
        ).select_related("run")
        proposal = proposals.first()
        return proposal.run if proposal else None

    def _approve_url(self, run: Run) -> str:
        gate = open_gate(run)
        return approval_url(gate, recipient=self.user_id) if gate else ""

    def _run(self, run_id: str) -> Run:
        run: Run | None = self._runs().filter(id=_uuid(run_id)).first()
        if run is None:
            raise NotFound(f"You have no run {run_id}.")
        return run

    def _runs(self) -> Any:
        return Run.objects.filter(user_id=self.user_id).select_related("project")


def _summary(run: Run) -> dict[str, Any]:
    step = run.cursor() if run.active else None
    return {
        "run_id": str(run.id),
        "project": run.project.slug,
        "title": run.payload.input.brief,
        "status": str(run.status),
        "step": step.name if step else "",
    }


def _news(event: RunEvent) -> dict[str, Any]:
    gate = event.step
    decided = gate is not None and event.new != StepStatus.WAITING
    verdict = VERDICTS[Verdict(gate.approval.verdict)] if gate and decided else "gate_opened"
    return {
        "id": event.id,
        "at": event.created_at.isoformat(timespec="seconds"),
        "run_id": str(event.run_id),
        "title": event.run.payload.input.brief,
        "event": verdict if gate else event.new,
        "gate": gate.name if gate else "",
        "by": event.actor if decided else "",
        "said": event.reason,
    }


def _slugs() -> list[str]:
    return list(Project.objects.values_list("slug", flat=True))


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
