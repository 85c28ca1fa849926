from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from myloware.kernel.errors import UnprocessableInput
from providers.media.edit import checked
from providers.media.timing import place

FILM = {"type": "video", "src": "https://x.test/a.mp4"}
PICTURE = {"type": "image", "src": "https://x.test/a.png"}


def times(*tracks: Sequence[Mapping[str, Any]]) -> list[tuple[float, float]]:
    """Start and length of every clip; a film lasts 10 s, a picture 3."""
    timeline = {"tracks": [{"clips": [{"asset": FILM, **clip} for clip in track]} for track in tracks]}
    edit = checked({"timeline": timeline, "output": {"format": "mp4", "resolution": "sd"}})
    placed = place(edit.timeline, lambda clip, path: 10.0 if clip.asset.type == "video" else 3.0)
    return [(each.start_s, each.length_s) for each in placed]


def test_auto_follows_the_clip_before_and_lasts_as_long_as_the_asset() -> None:
    clips: list[Mapping[str, Any]] = [
        {"start": 1, "length": "auto"},
        {"start": "auto", "length": 2},
        {"start": "auto", "length": "auto", "asset": PICTURE},
    ]
    assert times(clips) == [(1, 10), (11, 2), (13, 3)]
    assert times([{"start": "auto", "length": 1}]) == [(0, 1)]


def test_end_lasts_until_the_latest_end_of_the_others() -> None:
    assert times([{"start": 2, "length": "end"}], [{"start": 0, "length": 7}]) == [(2, 5), (0, 7)]
    assert times([{"start": 9, "length": "end"}], [{"start": 0, "length": 7}])[0] == (9, 0.1)
    assert times([{"start": 0, "length": "end"}]) == [(0, 0.1)]


def test_an_alias_starts_and_lasts_with_its_clip() -> None:
    named = [{"start": 4, "length": "auto", "alias": "main"}]
    assert times([{"start": "alias://main", "length": "alias://main"}], named) == [(4, 10), (4, 10)]
    assert times([{"start": 0, "length": "alias://main"}], named)[0] == (0, 10)


@pytest.mark.parametrize(
    ("clips", "path", "why"),
    [
        (
            [{"start": "alias://b", "length": 1, "alias": "a"}, {"start": "alias://a", "length": 1, "alias": "b"}],
            "start",
            "itself",
        ),
        ([{"start": 0, "length": "alias://x"}], "length", "no clip with the alias x"),
    ],
)
def test_times_that_cannot_be_are_refused(clips: list[dict[str, Any]], path: str, why: str) -> None:
    with pytest.raises(UnprocessableInput, match=why) as refused:
        times(clips)
    assert refused.value.detail["path"].endswith(path)


def test_merge_fields_are_filled_in_before_anything_is_checked() -> None:
    clip = {"asset": FILM, "start": "{{ START }}", "length": "{{LENGTH}}"}
    edit = {
        "timeline": {"tracks": [{"clips": [clip]}]},
        "output": {"format": "mp4", "resolution": "{{ SIZE }}"},
        "merge": [
            {"find": "START", "replace": 2},
            {"find": "LENGTH", "replace": "1.5"},
            {"find": "SIZE", "replace": "hd"},
        ],
    }
    found = checked(edit)
    (placed,) = place(found.timeline, lambda clip, path: 0.0)
    assert (placed.start_s, placed.length_s, found.output.resolution) == (2, 1.5, "hd")
