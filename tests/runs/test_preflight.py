"""The pre-flight of a run: who is stopped by it, and how a film is repaired behind an open gate."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from myloware.kernel.errors import Conflict, UnprocessableInput
from personas.ports import PublishRequest, RenderRequest
from providers.media.preflight.inspection import inspect
from runs import fork, jobs, preflight, repairs, services, store, sweeps
from runs.models import Outbox, Run, Step
from runs.ports import Desk, clip_artifacts
from runs.services import Decision
from runs.states import JobStatus, RunStatus, StepStatus, Verdict
from runs.story import Story, with_story
from tests.hitl import scenes
from tests.providers.media.media_files import FINE
from tests.providers.media.test_preflight import shot

from .journey import approve, ask_all, park, stage, to_clips, to_draft

if TYPE_CHECKING:
    from pathlib import Path

    from providers.media.preflight.check import Report

    from .conftest import MakeRun

pytestmark = pytest.mark.usefixtures("projects")

# The tests' films are.
SHORT = ["tiktok.duration.min", "project.duration"]
FRAME = {"width": 360, "height": 640, "fps": 30}


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of the tests' frame that is 12 dB too quiet."""
    film = tmp_path_factory.mktemp("films") / "quiet.mp4"
    shot(film, film, seconds=1, size="360x640", sound="0.054*sin(2*PI*440*t)")
    return film


@pytest.fixture
def waiting(quiet: Path) -> Run:
    """A run whose quiet film waits for its approval."""
    return at_gate(quiet, inspect(quiet))


def at_gate(film: Path, facts: Any) -> Run:
    run = scenes.at_prepublish(film, facts=None)
    specs = run.payload.specs
    resolution = specs.resolution.model_copy(update=FRAME)
    run.payload = run.payload.model_copy(update={"specs": specs.model_copy(update={"resolution": resolution})})
    run.save()
    if facts:
        scenes.measured(run, draft(run)["film"], facts)
    return run


def draft(run: Run) -> dict[str, Any]:
    request: dict[str, Any] = run.jobs.get(kind="publish").request
    return request


def report(run: Run) -> Report:
    return preflight.report_of(run, draft(run))


def ask(run: Run, **edits: Any) -> Step:
    gate = scenes.gate(run)
    services.ask_for_repair(gate.id, digest=services.digest_of(gate), actor="bob", edits=edits)
    return scenes.gate(run)


def test_a_draft_comes_with_a_report_of_its_film(run: Run) -> None:
    to_draft(run)
    paper = run.artifacts.get(type="preflight.report")
    film = run.artifacts.get(type="ffmpeg.normalized")
    assert paper.checksum == film.checksum == draft(run)["film"]
    assert paper.metadata["rules_version"][:2] == ["film 2026-11-24", "tiktok 2026-11-24"]
    assert paper.metadata["facts"]["width_px"] == 1080
    # The mock's clips are short.
    assert [finding.rule for finding in report(run).findings] == ["project.duration"]
    assert len(report(run).passed) > 40


def test_a_silent_film_comes_to_its_gate_with_a_warning(run: Run) -> None:
    desk = to_clips(run)
    services.complete(desk.step, {})
    park(run)
    ask_all(run)
    alex = stage(run, "alex")
    sources = [clip.media_url for clip in clip_artifacts(alex)]
    clips = [
        {"asset": {"type": "video", "src": source, "volume": 0}, "start": 2 * index, "length": 2}
        for index, source in enumerate(sources)
    ]
    output = {"format": "mp4", "size": {"width": 1080, "height": 1920}, "fps": 30}
    Desk(alex).render("call-2", RenderRequest(timeline={"tracks": [{"clips": clips}]}, output=output))
    services.complete(alex, {})
    park(run)
    ask_all(run)
    film = run.artifacts.get(type="ffmpeg.normalized")
    assert film.metadata["loudness"]["integrated_lufs"] is None
    quinn = stage(run, "quinn")
    Desk(quinn).draft_publish("call-3", PublishRequest(caption="Nothing is heard.", tags=("moon",)))
    assert "film.sound.silent" in [finding.rule for finding in report(run).findings]
    story = Story(with_story(Run.objects.filter(id=run.id)).get())
    assert story.film is not None
    assert ("Loudness", "silent") in story.film.facts


def test_errors_forbid_an_approval_and_name_their_rules() -> None:
    run = scenes.at_prepublish(facts=FINE.model_copy(update={"rotation_deg": 90, "duration_s": 640}))
    before = draft(run)
    with pytest.raises(UnprocessableInput, match=r"film\.upright .*tiktok\.duration\.max") as refused:
        approve(run, edits={"caption": "Another one."})
    assert refused.value.detail["rules"] == ["film.upright", "tiktok.duration.max", "project.frame"]
    assert (scenes.gate(run).status, draft(run)) == (StepStatus.WAITING, before)


def test_warnings_forbid_nothing(waiting: Run) -> None:
    assert [finding.rule for finding in report(waiting).findings] == ["film.loudness", *SHORT]
    approve(waiting)
    waiting.refresh_from_db()
    assert waiting.status == RunStatus.RUNNING


def test_a_text_changed_at_the_gate_is_checked_as_it_is_then(waiting: Run) -> None:
    with pytest.raises(UnprocessableInput, match=r"tiktok\.caption\.max"):
        approve(waiting, edits={"caption": "x" * 2195})
    approve(waiting, edits={"caption": "x" * 2195, "tags": []})
    assert len(draft(waiting)["caption"]) == 2195


def test_rejecting_and_revising_need_no_pre_flight() -> None:
    for verdict in (Verdict.REJECT, Verdict.REVISE):
        run = scenes.at_prepublish(facts=None)
        scenes.decide(run, verdict, comment="no")
        assert not run.steps.filter(kind="gate", name="prepublish", status=StepStatus.WAITING).exists()


def test_quinn_hears_what_the_platform_would_say_against_the_text(quiet: Path) -> None:
    run, _ = scenes.at_quinn(quiet)
    desk = Desk(stage(run, "quinn"))
    told = desk.draft_publish("call-3", PublishRequest(caption="A moon.", tags=tuple("abcdef")))
    assert [finding.split()[0] for finding in told["findings"]] == ["tiktok.hashtags.max"]
    told = desk.draft_publish("call-4", PublishRequest(caption="A moon.", tags=("moon",)))
    assert told["findings"] == []
    assert draft(run)["tags"] == ["moon"]


def test_a_platform_without_rules_is_told_of(waiting: Run) -> None:
    job = waiting.jobs.get(kind="publish")
    job.request["platform"] = "myspace"
    job.save()
    assert report(waiting).findings[-1].rule == "preflight.rules"
    assert not report(waiting).errors


def test_clips_of_another_length_make_a_film_of_another_length(make_run: MakeRun) -> None:
    usual, short = preflight.project_rules(make_run()), preflight.project_rules(make_run(duration=4))
    assert [rule.id for rule in usual.rules] == ["project.frame", "project.fps", "project.duration"]
    assert [rule.id for rule in short.rules] == ["project.frame", "project.fps"]


# --- A film that nobody has looked at


def test_a_film_that_nobody_has_checked_cannot_be_approved(quiet: Path) -> None:
    run = at_gate(quiet, None)
    with pytest.raises(UnprocessableInput, match=r"preflight\.unchecked"):
        approve(run)
    film = draft(run)["film"]
    gate = ask(run)
    assert repairs.carry_out(gate.id) == "done"
    # Checking found something to mend, which was asked for as well.
    assert draft(run)["film"] != film
    approve(run)


def test_a_film_that_turns_out_to_be_fine_stays_as_it_is(tmp_path: Path) -> None:
    shot(tmp_path, tmp_path / "fine.mp4", seconds=1, size="360x640")
    run = at_gate(tmp_path / "fine.mp4", None)
    digest = services.digest_of(scenes.gate(run))
    assert repairs.carry_out(ask(run).id) == "done"
    assert [finding.rule for finding in report(run).findings] == SHORT
    assert services.digest_of(scenes.gate(run)) == digest
    assert run.artifacts.filter(type="hitl.request", step=scenes.gate(run)).count() == 1


def test_what_an_older_version_measured_counts_as_nothing(waiting: Run) -> None:
    paper = waiting.artifacts.get(type="preflight.report")
    paper.metadata["facts"]["smell"] = "roses"
    paper.save()
    assert report(waiting).errors == [preflight.UNCHECKED]


# --- Repairing


def test_a_repaired_film_is_asked_about_anew_and_published(waiting: Run) -> None:
    gate = scenes.gate(waiting)
    old, seen = draft(waiting)["film"], services.digest_of(gate)
    gate = ask(waiting)
    assert gate.repairing
    assert repairs.carry_out(gate.id) == "done"
    new = draft(waiting)["film"]
    assert new != old
    assert [finding.rule for finding in report(waiting).findings] == SHORT
    with pytest.raises(Conflict, match="has changed"):
        services.decide(gate.id, Decision(Verdict.APPROVE, actor="bob", channel="page", digest=seen))
    asked = waiting.artifacts.filter(type="hitl.request", step=gate).last()
    assert asked is not None
    assert asked.metadata["digest"] == services.digest_of(gate) != seen
    approve(waiting)
    park(waiting)
    jobs.submit_ready(waiting.id, "publish")
    ask_all(waiting)
    waiting.refresh_from_db()
    assert waiting.status == RunStatus.SUCCEEDED
    made = waiting.artifacts.get(type="ffmpeg.normalized", checksum=new)
    with store.local(made.path) as file:
        assert store.checksum_of(file) == new
    assert made.metadata["repaired"] == {"from": old, "rules": ["film.loudness"]}
    events = waiting.events.filter(subject="repair").values_list("new", "reason", "actor")
    assert list(events) == [("wanted", "", "bob"), ("done", "film.loudness", "worker")]


def test_the_text_at_hand_is_kept_with_the_repair(waiting: Run) -> None:
    gate = ask(waiting, caption="Typed before the button was pressed.", account="somebody_else")
    assert repairs.carry_out(gate.id) == "done"
    assert draft(waiting)["caption"] == "Typed before the button was pressed."
    assert draft(waiting)["account"] == "night_shift_films"


def test_pressing_twice_repairs_once(waiting: Run) -> None:
    ask(waiting)
    gate = ask(waiting)
    assert Outbox.objects.filter(links=[["media.repair", [str(gate.id)]]]).count() <= 1
    assert [repairs.carry_out(gate.id) for _ in range(2)] == ["done", "nothing to repair"]
    assert waiting.artifacts.filter(type="ffmpeg.normalized").count() == 2


def test_nothing_is_repaired_that_needs_none() -> None:
    run = scenes.at_prepublish()
    with pytest.raises(Conflict, match="nothing here that could be repaired"):
        ask(run)
    run = scenes.at_ideate()
    with pytest.raises(Conflict, match="nothing here that could be repaired"):
        ask(run)


def test_a_repair_that_did_not_help_is_not_offered_again(waiting: Run) -> None:
    assert repairs.carry_out(ask(waiting).id) == "done"
    scenes.measured(
        waiting, draft(waiting)["film"], FINE.model_copy(update={"lufs": -20, "width_px": 360, "height_px": 640})
    )
    finding = report(waiting).findings[0]
    assert (finding.rule, finding.repair) == ("film.loudness", None)
    assert "did not help" in finding.fix
    with pytest.raises(Conflict, match="nothing here"):
        ask(waiting)


def test_who_decides_meanwhile_has_decided_upon_what_was_shown(waiting: Run) -> None:
    gate = ask(waiting)
    taken = services.take_repair(gate.id)
    assert taken is not None
    approve(waiting)
    assert not services.keep_repair(taken[0])
    assert not services.complete_repair(taken[0], services.Mended(FINE))
    assert waiting.steps.get(id=gate.id).status == StepStatus.SUCCEEDED


def test_a_repair_whose_worker_died_is_taken_over_and_the_late_one_is_fenced_off(waiting: Run) -> None:
    gate = ask(waiting)
    first = services.take_repair(gate.id)
    assert first is not None
    assert services.take_repair(gate.id) is None
    assert sweeps.orphaned_repairs(timezone.now()) == []
    Step.objects.filter(id=gate.id).update(lease_until=timezone.now() - timedelta(seconds=20))
    assert sweeps.orphaned_repairs(timezone.now()) == [gate.id]
    assert sweeps.orphaned_repairs(timezone.now()) == []
    assert repairs.carry_out(gate.id) == "done"
    assert not services.fail_repair(first[0], "too late")
    assert scenes.gate(waiting).error == ""


def test_a_repair_that_kills_its_workers_is_given_up(waiting: Run) -> None:
    gate = ask(waiting)
    for _ in range(services.MAX_ATTEMPTS):
        assert services.take_repair(gate.id) is not None
        Step.objects.filter(id=gate.id).update(lease_until=timezone.now() - timedelta(seconds=20))
    assert repairs.carry_out(gate.id) == "nothing to repair"
    gate = scenes.gate(waiting)
    assert (gate.error, gate.repairing) == ("gave up: 5 workers died on it", False)
    assert repairs.carry_out(ask(waiting).id) == "done"


def test_a_repair_that_fails_leaves_everything_as_it_was(waiting: Run) -> None:
    before = draft(waiting)
    gate = ask(waiting)
    waiting.artifacts.filter(type="ffmpeg.normalized").delete()
    assert repairs.carry_out(gate.id) == "failed"
    gate = scenes.gate(waiting)
    assert "not among the run's artifacts" in gate.error
    assert (gate.repairing, draft(waiting)) == (False, before)


def test_a_fork_keeps_the_repaired_film_and_its_report(waiting: Run) -> None:
    assert repairs.carry_out(ask(waiting).id) == "done"
    twin = fork.fork(waiting, "prepublish", "carol")
    assert draft(twin)["film"] == draft(waiting)["film"]
    assert [finding.rule for finding in report(twin).findings] == SHORT
    approve(twin)
    assert twin.jobs.get(kind="publish").status == JobStatus.INTENT
