"""What Alex may choose of the cut, and what the project decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from myloware.kernel.errors import InvalidInput
from personas.ports import CutClip, RenderRequest
from runs import services
from runs.models import Step
from runs.ports import Desk, clip_artifacts

from .journey import ask_all, park, stage, to_clips

if TYPE_CHECKING:
    from runs.models import Run


@pytest.fixture
def alex(run: Run) -> Step:
    """Alex, with two finished clips."""
    services.complete(to_clips(run).step, {})
    park(run)
    ask_all(run)
    return stage(run, "alex")


def cut(alex: Step, **chosen: Any) -> dict[str, Any]:
    """The Edit that is ordered."""
    Desk(alex).render("call-2", RenderRequest(**chosen))
    edit: dict[str, Any] = alex.run.jobs.get(kind="render").request["edit"]
    return edit


def shown(edit: dict[str, Any], key: str) -> list[str]:
    clips = [clip for track in edit["timeline"]["tracks"] for clip in track["clips"] if key in clip["asset"]]
    return [clip["asset"][key] for clip in sorted(clips, key=lambda clip: clip["start"])]


def test_clips_are_put_into_another_order_with_other_words(alex: Step) -> None:
    sources = [clip.media_url for clip in clip_artifacts(alex)]
    edit = cut(alex, clips=[CutClip(index=1, header="last", subject=""), CutClip(index=0, header="first", subject="")])
    assert shown(edit, "src") == sources[::-1]
    assert shown(edit, "text") == ["last", "first"]


def test_a_clip_that_is_not_renamed_keeps_its_words(alex: Step) -> None:
    texts = shown(cut(alex, clips=[CutClip(index=0, header="opening"), CutClip(index=1)]), "text")
    assert texts == ["opening", "moon", "sun", "sun"]


@pytest.mark.parametrize(("style", "texts"), [("standard", 4), ("header", 2), ("none", 0)])
def test_texts_can_be_left_out(alex: Step, style: str, texts: int) -> None:
    assert len(shown(cut(alex, overlay_style=style), "text")) == texts


def test_the_projects_look_and_motion_are_in_every_cut(alex: Step) -> None:
    specs = alex.run.payload.specs.model_copy(update={"look": "muted", "motion": "slideLeftSlow"})
    alex.run.payload = alex.run.payload.model_copy(update={"specs": specs})
    films = [clip for track in cut(alex)["timeline"]["tracks"] for clip in track["clips"] if "src" in clip["asset"]]
    assert {(clip["filter"], clip["effect"]) for clip in films} == {("muted", "slideLeftSlow")}


def test_the_quality_may_be_chosen(alex: Step) -> None:
    output = cut(alex, output={"quality": "veryhigh"})["output"]
    size = alex.run.payload.specs.resolution
    assert output["quality"] == "veryhigh"
    assert output["size"] == {"width": size.width, "height": size.height}


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"clips": [CutClip(index=0)]}, "Name each clip 0..1 exactly once"),
        ({"clips": [CutClip(index=0), CutClip(index=0)]}, "Name each clip 0..1 exactly once"),
        ({"timeline": {"tracks": []}}, "leaves out 2 clips"),
        ({"timeline": {"tracks": []}, "clips": [CutClip(index=0), CutClip(index=1)]}, "not both"),
        ({"output": {"fps": 12, "format": "gif"}}, "The project decides format, fps of the output"),
        ({"output": {"range": {"start": 0, "length": 1}}}, "The project decides range"),
        ({"output": {"poster": {"capture": 1}}}, "Yours to choose: quality"),
    ],
)
def test_what_cannot_be_is_told_to_the_model_and_nothing_is_ordered(
    alex: Step, chosen: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        cut(alex, **chosen)
    assert not alex.run.jobs.filter(kind="render").exists()
