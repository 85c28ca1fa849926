"""Edits with numbers and shapes that no film has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from myloware.kernel.errors import UnprocessableInput
from providers.media.edit import checked
from tests.providers.media.media_files import make_clip

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
