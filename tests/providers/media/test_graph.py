"""Which pieces a film is cut into, and what FFmpeg is told to do in each; no process is started."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from providers.media.edit import checked
from providers.media.geometry import Size
from providers.media.graph import File, Piece, graph, pieces, visible
from providers.media.timeline import Footage, Material, Plan, plan
from providers.media.timing import place
from providers.shotstack.template import TemplateClip, standard_edit

FILE = Path("clip.mp4")


def planned(edit: dict[str, Any]) -> Plan:
    """With films of 1080x1920 and 8 s for everything."""
    order = checked(edit)
    placed = place(order.timeline, lambda clip, path: 8.0)
    footage = {each.path: Footage("u", FILE, Size(1080, 1920), lasts_s=8.0) for each in placed}
    return plan(order, placed, Material(footage, {}))


def standard(count: int) -> Plan:
    clips = [TemplateClip(f"https://x.test/{number}.mp4", 8.0, "") for number in range(count)]
    return planned(standard_edit(clips, width_px=1080, height_px=1920, fps=30))


def layers(film: Plan, piece: Piece) -> list[str]:
    return [each.layer.path for each in visible(film, piece)]


def test_a_film_is_cut_where_its_clips_begin_to_cross_and_have_crossed() -> None:
    film = standard(12)
    cut = pieces(film, shortest_s=1, longest_s=8)
    assert film.count == 79.5 * 30
    assert (cut[0].first, cut[-1].end) == (0, film.count)
    assert all(before.end == after.first for before, after in pairwise(cut))
    assert max(len(layers(film, piece)) for piece in cut) == 2
    # Half of the film or more shows one clip alone, laid over nothing.
    alone = sum(piece.count for piece in cut if "overlay" not in graph(film, piece).filters)
    assert alone > film.count / 2


def test_a_piece_opens_only_what_it_shows_from_where_it_shows_it() -> None:
    film = standard(2)
    made = graph(film, Piece(90, 60))
    (source,) = (each for each in made.inputs if isinstance(each, File))
    assert source.options == ("-ss", "3.000000", "-t", "3.000000")


def test_what_lies_under_a_film_that_fills_the_frame_is_left_out() -> None:
    clip = {"asset": {"type": "video", "src": "u"}, "start": 0, "length": 2}
    tracks = [{"clips": [{**clip, "scale": 0.5}]}, {"clips": [clip]}, {"clips": [clip]}]
    film = planned({"timeline": {"tracks": tracks}, "output": {"format": "mp4", "resolution": "sd"}})
    assert layers(film, Piece(0, 50)) == ["timeline.tracks[1].clips[0]", "timeline.tracks[0].clips[0]"]
    tracks[1]["clips"] = [{**clip, "opacity": 0.9}]
    film = planned({"timeline": {"tracks": tracks}, "output": {"format": "mp4", "resolution": "sd"}})
    assert len(layers(film, Piece(0, 50))) == 3


def test_a_long_stretch_is_cut_as_well() -> None:
    clip = {"asset": {"type": "video", "src": "u"}, "start": 0, "length": 60}
    film = planned({"timeline": {"tracks": [{"clips": [clip]}]}, "output": {"format": "mp4", "resolution": "sd"}})
    assert {piece.count for piece in pieces(film, shortest_s=1, longest_s=8)} <= {187, 188}


@pytest.mark.parametrize(
    ("output", "size", "fps"),
    [
        ({"resolution": "sd", "aspectRatio": "4:5"}, (460, 576), 25),
        ({"resolution": "preview"}, (512, 288), 15),
        ({"resolution": "mobile"}, (640, 360), 25),
        ({"resolution": "hd", "aspectRatio": "9:16"}, (720, 1280), 25),
        ({"resolution": "1080", "aspectRatio": "1:1", "fps": "29.97"}, (1080, 1080), 29.97),
        ({"resolution": "4k", "aspectRatio": "4:3"}, (2880, 2160), 25),
        ({"size": {"width": 461, "height": 33}}, (460, 32), 25),
        ({"resolution": "1080", "aspectRatio": "9:16", "scaleTo": "sd"}, (576, 1024), 25),
    ],
)
def test_the_frame_follows_resolution_ratio_and_size(output: dict[str, Any], size: tuple[int, int], fps: float) -> None:
    clip = {"asset": {"type": "video", "src": "u"}, "start": 0, "length": 1}
    film = planned({"timeline": {"tracks": [{"clips": [clip]}]}, "output": {"format": "mp4", **output}})
    assert (film.scaled.width, film.scaled.height, film.fps) == (*size, fps)


def test_a_range_is_a_part_of_the_film() -> None:
    clip = {"asset": {"type": "video", "src": "u"}, "start": 0, "length": 4}
    output = {"format": "mp4", "resolution": "sd", "range": {"start": 1, "length": 10}}
    film = planned({"timeline": {"tracks": [{"clips": [clip]}]}, "output": output})
    assert (film.first, film.end) == (25, 100)
