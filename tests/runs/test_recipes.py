"""What one file, and one entry in a file, are enough for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runs import tasks
from runs.models import Project
from runs.schemas import Gate

from . import journey

if TYPE_CHECKING:
    from runs.models import Run, Step

    from .conftest import MakeRun


def work(run: Run, step: Step) -> None:
    """Lets the real agent do the stage, offline."""
    assert tasks._stage(str(run.id), str(step.id)) == "done"


def test_a_project_is_one_file(make_run: MakeRun, agent_run: Run) -> None:
    run = make_run("explainer")
    journey.go(run, crew=work)
    assert run.result.status == "published"
    clips = [job.request for job in run.jobs.filter(kind="clips")]
    assert [(clip["aspect_ratio"], clip["duration_s"]) for clip in clips] == [("16:9", 8)] * 4
    assert all("One calm narrator" in clip["prompt"] for clip in clips)
    assert run.jobs.get(kind="render").request["edit"]["output"]["size"] == {"width": 1920, "height": 1080}
    assert run.jobs.get(kind="publish").request["platform"] == "youtube"


def test_a_gate_is_one_entry(make_run: MakeRun) -> None:
    project = Project.objects.get(slug="test_video_gen")
    legal = Gate(id="legal", after="quinn", title="Legal", ask="May this be shown?")
    project.spec = project.spec.model_copy(update={"gates": (*project.spec.gates, legal)})
    project.save()
    run = make_run()
    assert list(run.payload.graph_spec.hitl_gates) == ["workflow", "prepublish", "legal"]
    journey.go(run, "legal")
    assert not run.jobs.filter(kind="publish").exclude(external_id="").exists()
    journey.go(run)
    assert run.result.status == "published"
    assert list(run.approvals.values_list("gate", flat=True)) == ["workflow", "prepublish", "legal"]
