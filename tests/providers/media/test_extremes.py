"""Edits with numbers and shapes that no film has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from myloware.kernel.errors import UnprocessableInput
from providers.media.edit import checked
from providers.media.render import render
from providers.media.timing import place
from tests.providers.media.media_files import frames_of, make_clip

RED = "https://clips.test/red.mp4"
SMALL: dict[str, Any] = {"format": "mp4", "size": {"width": 64, "height": 64}, "fps": 25}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("clips")
    return {RED: make_clip(folder / "red.mp4", picture="color=c=red:s=64x64", duration_s=2, sound="sine=f=440")}


def _edit(*clips: dict[str, Any], **output: Any) -> dict[str, Any]:
    played = [{"asset": {"type": "video", "src": RED}, "start": 0, "length": 0.2, **clip} for clip in clips]
    return {"timeline": {"tracks": [{"clips": played}]}, "output": {**SMALL, **output}}


def _film(**asset: Any) -> dict[str, Any]:
    return {"asset": {"type": "video", "src": RED, **asset}}


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e308, -1e308, "1e308"])
@pytest.mark.parametrize(
    "made",
    [
        lambda n: _edit({"scale": n}),
        lambda n: _edit({"offset": {"x": n}}),
        lambda n: _edit({"transform": {"skew": {"y": n}}}),
        lambda n: _edit({"opacity": [{"from": n, "to": 1, "start": 0, "length": 1}]}),
        lambda n: _edit({"start": n}),
        lambda n: _edit({"length": n}),
        lambda n: _edit(_film(trim=n)),
        lambda n: _edit({}, range={"start": n}),
        lambda n: _edit({}, range={"length": n}),
        lambda n: _edit({}, poster={"capture": n}),
    ],
)
def test_a_number_that_nothing_can_be_made_of_is_refused_with_its_path(made: Any, number: float) -> None:
    with pytest.raises(UnprocessableInput) as refused:
        checked(made(number))
    assert refused.value.detail["path"].startswith(("timeline.tracks[0].clips[0].", "output."))


@pytest.mark.parametrize("clip", [{"scale": []}, _film(volume=[]), _film(speed=1e-9), {"offset": {"y": []}}])
def test_a_motion_without_a_number_and_a_film_that_stands_are_refused(clip: dict[str, Any]) -> None:
    with pytest.raises(UnprocessableInput, match=r"timeline\.tracks\[0\]\.clips\[0\]\."):
        checked(_edit(clip))


@pytest.mark.parametrize(("width", "height"), [(4096, 2), (2, 4096)])
def test_a_small_source_fills_a_sliver(tmp_path: Path, sources: dict[str, Path], width: int, height: int) -> None:
    facts = render(
        _edit({}, size={"width": width, "height": height}), sources, tmp_path / "film.mp4", work_dir=tmp_path
    )
    assert (facts.width_px, facts.height_px) == (width, height)


def test_a_film_shorter_than_a_frame_is_one_frame(tmp_path: Path, sources: dict[str, Path]) -> None:
    render(_edit({"length": 1e-9}), sources, tmp_path / "film.mp4", work_dir=tmp_path)
    assert len(frames_of(tmp_path / "film.mp4")) == 1


def test_what_is_no_merge_field_is_passed_over() -> None:
    fields = [1, {"find": "x"}, {"a": 1, "b": 2}, {"find": "START", "replace": 2, "note": "mine"}]
    assert checked({**_edit({"start": "{{ START }}"}), "merge": fields}).timeline.tracks[0].clips[0].start == 2


def _in_a_row(count: int) -> dict[str, Any]:
    last = {"alias": f"a{count}"}
    return _edit(*({"alias": f"a{number}", "start": f"alias://a{number + 1}"} for number in range(count)), last)


def test_times_that_hang_on_one_another_in_a_long_row_are_refused() -> None:
    assert place(checked(_in_a_row(50)).timeline, lambda *_: 1.0)[0].start_s == 0
    with pytest.raises(UnprocessableInput, match=r"timeline\.tracks\[0\]\.clips\[\d+\]\.start: hangs on too many"):
        place(checked(_in_a_row(3000)).timeline, lambda *_: 1.0)


def test_an_edit_that_is_too_deep_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    edit = _edit({"id": deep})
    for each in (edit, edit | {"merge": []}):
        with pytest.raises(UnprocessableInput, match="too deep"):
            checked(each)


def test_a_film_of_hours_is_refused_where_it_gets_too_long() -> None:
    clips = ({"start": 0, "length": 10}, {"start": 3599, "length": 2})
    with pytest.raises(UnprocessableInput, match=r"clips\[1\]\.length: .* 3600 s"):
        place(checked(_edit(*clips)).timeline, lambda *_: 1.0)
