"""Morgan's stage: where it stands, and that everything behind it works with the film it made."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import pytest
from django.core.management import call_command
from django.utils import timezone

from myloware.kernel.cues import FOLEY, Cue
from myloware.kernel.errors import Conflict, InvalidInput, UnprocessableInput
from personas import checkpoints
from providers.shotstack.template import TemplateClip, standard_edit
from runs import crew, fork, jobs, services, store
from runs.models import Artifact, Project, Run, Step
from runs.ports import Desk, clip_artifacts
from runs.services import Decision
from runs.states import JobStatus, RunStatus, Verdict
from runs.story import Story, with_story
from tests.providers.media.media_files import make_clip

from .journey import approve, go, park, stage, work

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import MakeRun

CUES = (Cue(kind="room", clip=0), Cue(kind="tap", clip=1, start_s=0.5))


@pytest.fixture
def surreal(make_run: MakeRun) -> Iterator[MakeRun]:
    """Makes runs of ``aismr``, shortened to two clips, of whose length the crew is sure."""
    project = Project.objects.get(slug="aismr")
    specs = project.spec.specs.model_copy(update={"video_count": 2, "compilation_length": None})
    project.spec = project.spec.model_copy(update={"specs": specs})
    project.save(update_fields=["spec"])

    def make(slug: str = "aismr", **options: Any) -> Run:
        return make_run(slug, **options)

    yield make
    checkpoints.close(crew.conninfo())


def films(run: Run) -> list[Artifact]:
    return list(run.artifacts.filter(type="ffmpeg.normalized").order_by("created_at"))


def picture(film: Artifact) -> list[bytes]:
    with store.local(film.path) as file, av.open(str(file)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def by_the_crew(run: Run, until: str) -> None:
    """Like :func:`go`, with the real agents, offline."""

    def agent(run: Run, step: Step) -> None:
        assert work(run, step.name) == "done"

    go(run, until, crew=agent)


def rendered(run: Run, film: Path) -> None:
    """Takes a run past its render; ``film`` is what the renderer made of two clips of 1.5 s."""
    go(run, "riley")
    riley = stage(run, "riley")
    order = {"prompt": "a candle of velvet on a table"}
    _done(riley, "clips", [order, order])
    for index in (0, 1):
        facts = {"index": index, "duration_s": 1.5, **order}
        clip = stored(index)
        services.record_artifact(
            run=run, step=riley, type="kieai.clip", path=clip.path, checksum=clip.checksum, metadata=facts
        )
    park(run)
    alex = stage(run, "alex")
    clips = [TemplateClip(clip.media_url, 1.5, "velvet") for clip in clip_artifacts(alex)]
    _done(alex, "render", [{"edit": standard_edit(clips, width_px=90, height_px=160)}])
    with store.workspace() as folder:
        kept = store.keep(Path(shutil.copy(film, folder / "film.mp4")))
    services.record_artifact(run=run, step=alex, type="ffmpeg.normalized", path=kept.path, checksum=kept.checksum)
    park(run)


def stored(index: int) -> store.Stored:
    """A clip that is kept; it is nothing but its name."""
    with store.workspace() as folder:
        file = folder / "clip.mp4"
        file.write_bytes(bytes([index]))
        return store.keep(file)


def _done(step: Step, kind: str, requests: list[dict[str, Any]]) -> None:
    jobs.order(step, kind, requests)
    step.run.jobs.filter(kind=kind).update(status=JobStatus.SUCCEEDED)
    services.complete(step, {})


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("film") / "film.mp4", size="90x160", fps=30, duration_s=2.6)


@pytest.fixture
def desk(surreal: MakeRun, film: Path) -> Desk:
    """Morgan's, with a rendered film on it."""
    run = surreal(optional_personas=["morgan"])
    rendered(run, film)
    return Desk(stage(run, "morgan"))


def laid(desk: Desk) -> Run:
    """A run whose sound is designed, before its last gate."""
    desk.design_sound("call-1", CUES)
    services.complete(desk.step, {})
    go(desk.run, "prepublish")
    park(desk.run)
    return desk.run


def test_a_film_with_morgan_is_published_with_its_sound(surreal: MakeRun) -> None:
    run = surreal(optional_personas=["morgan"])
    by_the_crew(run, "prepublish")
    rendered, designed = films(run)
    assert designed.step is not None
    assert designed.step.name == "morgan"
    assert picture(designed) == picture(rendered)
    assert designed.checksum != rendered.checksum
    assert designed.metadata["loudness"]["integrated_lufs"] == pytest.approx(-14, abs=0.5)

    paper = run.artifacts.get(type="sound.design").metadata
    assert paper["film"] == rendered.checksum
    assert {cue["clip"] for cue in paper["cues"] if cue["kind"] in FOLEY} == {0, 1}

    gate = run.cursor()
    assert gate is not None
    assert services.shown_at(gate)["film"] == designed.checksum
    shown = Story(with_story(Run.objects.all()).get(id=run.id)).film
    assert shown is not None
    assert shown.path == designed.path
    assert shown.poster

    park(run)
    approve(run)
    assert run.jobs.get(kind="publish").request["film"] == designed.checksum
    by_the_crew(run, "")
    assert run.status == RunStatus.SUCCEEDED


def test_a_film_without_morgan_is_the_renderers(surreal: MakeRun, film: Path) -> None:
    run = surreal()
    rendered(run, film)
    go(run, "prepublish")
    assert "morgan" not in run.payload.graph_spec.pipeline
    (made,) = films(run)
    assert made.step is not None
    assert made.step.name == "alex"
    assert not run.artifacts.filter(type="sound.design").exists()


def test_a_repeated_call_is_one_film(desk: Desk) -> None:
    first = desk.design_sound("call-1", CUES)
    assert first["loudness_lufs"] == pytest.approx(-14, abs=0.5)
    assert [(cue["kind"], cue["at_s"]) for cue in first["cues"]] == [("room", 0), ("tap", 1.633)]
    assert desk.design_sound("call-1", CUES) == first
    assert len(films(desk.run)) == 2


def test_a_revision_of_the_sound_begins_with_the_rendered_film(desk: Desk) -> None:
    run = laid(desk)
    gate = run.cursor()
    assert gate is not None
    again = Decision(
        Verdict.REVISE, actor="bob", channel="page", digest=services.digest_of(gate), comment="softer", stage="morgan"
    )
    services.decide(gate.id, again)
    Desk(stage(run, "morgan")).design_sound("call-2", CUES)
    render, first, second = films(run)
    # Had the second been laid on top of the first, its bytes would differ.
    assert first.checksum == second.checksum != render.checksum
    assert second.step is not None
    assert first.step_id != second.step_id


def test_a_fork_behind_morgan_takes_the_sound_over(desk: Desk) -> None:
    run = laid(desk)
    new = fork.fork(run, "quinn", "carol")
    go(new, "prepublish")
    assert new.jobs.get(kind="publish").request["film"] == films(run)[-1].checksum
    assert new.artifacts.filter(type="sound.design").exists()


def test_cues_that_do_not_fit_go_back_to_the_model_and_leave_nothing(desk: Desk) -> None:
    with pytest.raises(InvalidInput, match="there is no clip 7, the last is 1"):
        desk.design_sound("call-1", [Cue(kind="tap", clip=7)])
    assert len(films(desk.run)) == 1


def test_an_edit_that_places_its_clips_by_itself_takes_no_cues(desk: Desk) -> None:
    render = desk.run.jobs.get(kind="render")
    for track in render.request["edit"]["timeline"]["tracks"]:
        for clip in track["clips"]:
            clip["start"] = "auto"
    render.save(update_fields=["request"])
    with pytest.raises(Conflict, match="render the standard template"):
        desk.design_sound("call-1", CUES)


def test_a_worker_that_lost_the_stage_keeps_no_film(desk: Desk) -> None:
    assert services.claim(desk.step.id, now=timezone.now() + timedelta(minutes=1)) is not None
    with pytest.raises(Conflict, match="not this worker's any more"):
        desk.design_sound("call-1", CUES)
    assert len(films(desk.run)) == 1


@pytest.mark.usefixtures("projects")
def test_morgan_is_asked_for_from_a_shell() -> None:
    call_command("runs", "start", "--project", "aismr", "--brief", "a candle", "--with", "morgan")
    names = [step.name for step in Run.objects.get().payload.graph_spec.steps]
    assert names[names.index("alex") :] == ["alex", "render", "morgan", "quinn", "prepublish", "publish"]


def test_a_project_without_a_sound_designer_refuses_the_wish(make_run: MakeRun) -> None:
    with pytest.raises(UnprocessableInput, match="no step named morgan"):
        make_run(optional_personas=["morgan"])
