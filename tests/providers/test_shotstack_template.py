from __future__ import annotations

import json
from itertools import pairwise
from typing import Any, get_args

import numpy as np
import pytest

from providers.media.edit import checked
from providers.media.text import FontBook, RichTextAsset, stills
from providers.media.timing import Placed, place
from providers.shotstack.schema import SCHEMA
from providers.shotstack.template import Look, Motion, Style, TemplateClip, clip_starts, standard_edit

TALL: dict[str, Any] = {"width_px": 1080, "height_px": 1920}


def _clips(count: int, duration_s: float = 8.0) -> list[TemplateClip]:
    return [TemplateClip(f"https://clips.test/{i}.mp4", duration_s, f"Header {i}", "candle") for i in range(count)]


def _placed(edit: dict[str, Any]) -> tuple[Placed, ...]:
    return place(checked(edit).timeline, lambda clip, path: 0.0)


def _of_type(edit: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    clips = (clip for track in edit["timeline"]["tracks"] for clip in track["clips"])
    return sorted((clip for clip in clips if clip["asset"]["type"] == kind), key=lambda clip: clip["start"])


def test_it_works() -> None:
    edit = standard_edit(_clips(2), **TALL, fps=30, callback="https://api.test/hook")
    first, second = _of_type(edit, "video")
    assert (first["start"], second["start"]) == (0, 6.5)
    assert first["transition"] == {"in": "fade", "out": "fade"}
    assert second["transition"] == {"in": "fade"}
    assert {clip["effect"] for clip in (first, second)} == {"zoomInSlow"}
    assert edit["timeline"]["background"] == "#000000"
    assert edit["output"] == {"format": "mp4", "size": {"width": 1080, "height": 1920}, "fps": 30, "quality": "high"}
    assert edit["callback"] == "https://api.test/hook"


def test_neighbours_cross_at_equal_power_and_the_ends_stay_loud() -> None:
    volumes = [clip["asset"]["volume"] for clip in _of_type(standard_edit(_clips(3), **TALL), "video")]
    rise = {"from": 0, "to": 1, "start": 0, "length": 1.5, "easing": "easeOutSine"}
    fall = {"from": 1, "to": 0, "start": 6.5, "length": 1.5, "easing": "easeInSine"}
    assert volumes == [[fall], [rise, fall], [rise]]
    assert _of_type(standard_edit(_clips(1), **TALL), "video")[0]["asset"]["volume"] == 1


def test_the_texts_follow_their_clip() -> None:
    texts = _of_type(standard_edit(_clips(2), **TALL), "rich-text")
    assert [(text["start"], text["length"]) for text in texts] == [(0.5, 5.0), (0.5, 5.0), (7.0, 5.0), (7.0, 5.0)]
    primary, secondary = texts[:2]
    assert (primary["asset"]["font"]["size"], primary["asset"]["font"]["weight"]) == (92, 500)
    assert (primary["width"], primary["height"]) == (1000, 400)
    assert secondary["asset"]["font"]["size"] == 64
    assert (secondary["width"], secondary["height"]) == (1000, 250)


@pytest.mark.parametrize(("count", "length_s"), [(1, 8.0), (2, 14.5), (12, 79.5)])
def test_the_film_is_as_long_as_the_clips_less_their_overlaps(count: int, length_s: float) -> None:
    assert max(clip.end_s for clip in _placed(standard_edit(_clips(count), **TALL))) == pytest.approx(length_s)


@pytest.mark.parametrize("durations_s", [[8, 8, 8], [4, 8, 2], [1, 1, 1, 1], [5.04, 7.96, 10], [0.5, 30, 0.5]])
def test_other_lengths_leave_no_gap_and_never_show_three_clips(durations_s: list[float]) -> None:
    starts = clip_starts(durations_s)
    ends = [start + duration for start, duration in zip(starts, durations_s, strict=True)]
    for index in range(1, len(starts)):
        assert 0 < ends[index - 1] - starts[index] <= 1.5 + 1 / 30
        if index >= 2:
            assert starts[index] >= ends[index - 2]
    clips = [TemplateClip(f"https://clips.test/{i}.mp4", d, "a", "b") for i, d in enumerate(durations_s)]
    for track in standard_edit(clips, **TALL)["timeline"]["tracks"]:
        assert all(a["start"] + a["length"] <= b["start"] + 0.001 for a, b in pairwise(track["clips"]))


@pytest.mark.parametrize("size", [(1080, 1920), (1920, 1080), (1080, 1080), (720, 1280)])
@pytest.mark.parametrize("duration_s", [8.0, 1.0])
def test_it_validates_against_the_published_schema(
    shotstack_schema: Any, size: tuple[int, int], duration_s: float
) -> None:
    edit = standard_edit(_clips(3, duration_s), width_px=size[0], height_px=size[1])
    assert sorted(error.json_path for error in shotstack_schema.iter_errors(edit)) == []


def test_a_style_changes_colours_movement_and_texts() -> None:
    style = Style(look="muted", motion="slideLeftSlow", overlay="header")
    edit = standard_edit(_clips(2), **TALL, style=style)
    assert {(clip["filter"], clip["effect"]) for clip in _of_type(edit, "video")} == {("muted", "slideLeftSlow")}
    assert [text["asset"]["text"] for text in _of_type(edit, "rich-text")] == ["Header 0", "Header 1"]
    plain = standard_edit(_clips(2), **TALL, style=Style(motion="none", overlay="none"))
    assert not any({"filter", "effect"} & clip.keys() for clip in _of_type(plain, "video"))
    assert _of_type(plain, "rich-text") == []


@pytest.mark.parametrize("look", get_args(Look))
@pytest.mark.parametrize("motion", get_args(Motion))
def test_every_style_is_known_to_the_service_and_to_our_renderer(
    shotstack_schema: Any, look: Look, motion: Motion
) -> None:
    edit = standard_edit(_clips(2), **TALL, style=Style(look=look, motion=motion))
    assert [error.json_path for error in shotstack_schema.iter_errors(edit)] == []
    assert len(_placed(edit)) == 6


def test_texts_end_above_the_buttons() -> None:
    for text in _of_type(standard_edit(_clips(1), **TALL), "rich-text"):
        assert text["position"] == "bottom"
        assert text["offset"]["y"] * 1920 >= 288


@pytest.mark.parametrize("length", [10, 60, 200, 400])
def test_a_long_text_is_set_smaller_so_that_all_of_it_is_there(length: int) -> None:
    text = ("a moon that slowly orders one more cheeseburger " * 10)[:length].strip()
    clip = _of_type(standard_edit([TemplateClip("https://clips.test/0.mp4", 8, text)], **TALL), "rich-text")[0]
    asset = RichTextAsset.model_validate(clip["asset"])
    box = (clip["width"], clip["height"])
    whole, taller = (
        stills(asset, frame_px=(1080, 1920), box_px=(box[0], box[1] * factor), length_s=1, fonts=FontBook())[0].picture
        for factor in (1, 5)
    )
    ink, all_of_it = (int((np.asarray(each.getchannel("A")) > 200).sum()) for each in (whole, taller))
    assert ink == pytest.approx(all_of_it, rel=0.02)


def test_an_empty_text_leaves_no_clip() -> None:
    edit = standard_edit([TemplateClip("https://clips.test/0.mp4", 8, "")], **TALL)
    assert len(edit["timeline"]["tracks"]) == 1


def test_no_clips_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one clip"):
        standard_edit([], **TALL)


@pytest.fixture
def shotstack_schema() -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
