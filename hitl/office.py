"""What Brendan may see and start for one person: the personas' ``Office`` port on our rows."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction

from myloware.kernel.errors import Conflict, NotFound, UnprocessableInput
from runs import services
from runs.api import parse
from runs.models import Artifact, Project, Run
from runs.schemas import RunInput, RunOptions

from .links import approval_url, fresh_link, open_gate

LATEST = 10


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


def _slugs() -> list[str]:
    return list(Project.objects.values_list("slug", flat=True))


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
