"""What is seen at stated points of stated frames, against geometry and colours worked out here.

Every case is a clip of one film. Its picture is a quarter each of red, green, blue and white.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from providers.media.render import render
from tests.providers.media.media_files import Frames, frames_of

WIDTH, HEIGHT, FPS = 192, 108, 24
GREY = (64, 64, 64)
QUARTERS = ((220, 40, 40), (40, 200, 40), (40, 40, 220), (230, 230, 230))
# Nothing in these is so bright or dark that a filter would cut it off.
SOFT = ((150, 110, 100), (100, 140, 110), (110, 100, 150), (140, 140, 140))
NEAR_PX = 3.0
NEAR = 16


@dataclass(frozen=True)
class Seen:
    """What a frame shows: the picture of this size about a centre, scaled, turned, skewed, see-through."""

    at_s: float
    size: tuple[float, float] = (WIDTH, HEIGHT)
    centre: tuple[float, float] = (WIDTH / 2, HEIGHT / 2)
    scale: float = 1.0
    angle: float = 0.0
    skew: tuple[float, float] = (0.0, 0.0)
    opacity: float = 1.0
    # Shares of the picture's width that show.
    shown: tuple[float, float] = (0.0, 1.0)
    flip: tuple[bool, bool] = (False, False)
    # The part of the picture that is there, in shares: a crop leaves its middle.
    part: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)

    def at(self, x: float, y: float, colours: Sequence[tuple[int, int, int]]) -> tuple[float, float, float] | None:
        """The colour of a point; None where it is too near to an edge to say."""
        u, v = self._shares(x, y)
        width, height = (length * self.scale for length in self.size)
        edges_u = (0.0, 1.0, *self.shown, *(((0.5 - self.part[0]) / (self.part[2] - self.part[0])),))
        edges_v = (0.0, 1.0, (0.5 - self.part[1]) / (self.part[3] - self.part[1]))
        if min(abs(u - edge) * width for edge in edges_u) < NEAR_PX:
            return None
        if min(abs(v - edge) * height for edge in edges_v) < NEAR_PX:
            return None
        if not (self.shown[0] < u < self.shown[1] and 0 < v < 1):
            return GREY
        across = self.part[0] + u * (self.part[2] - self.part[0])
        down = self.part[1] + v * (self.part[3] - self.part[1])
        right, below = (across > 0.5) != self.flip[0], (down > 0.5) != self.flip[1]
        colour = colours[int(right) + 2 * int(below)]
        mixed = [self.opacity * c + (1 - self.opacity) * g for c, g in zip(colour, GREY, strict=True)]
        return mixed[0], mixed[1], mixed[2]

    def _shares(self, x: float, y: float) -> tuple[float, float]:
        turn = math.radians(self.angle)
        dx, dy = x + 0.5 - self.centre[0], y + 0.5 - self.centre[1]
        across, down = dx * math.cos(turn) + dy * math.sin(turn), dy * math.cos(turn) - dx * math.sin(turn)
        kx, ky = self.skew
        size = 1 - kx * ky
        u, v = (across - kx * down) / size, (down - ky * across) / size
        return u / (self.size[0] * self.scale) + 0.5, v / (self.size[1] * self.scale) + 0.5


@dataclass(frozen=True)
class Case:
    """A clip and what is seen of it."""

    name: str
    clip: dict[str, Any]
    seen: Sequence[Seen]
    length_s: float = 1.0
    src: str = "quarters"
    colours: Sequence[tuple[int, int, int]] = QUARTERS
    asset: dict[str, Any] = field(default_factory=dict)


def shifted(at_s: float, x: float = 0, y: float = 0, **more: Any) -> Seen:
    """Moved by fractions of the frame, y upward."""
    return Seen(at_s, centre=(WIDTH * (0.5 + x), HEIGHT * (0.5 - y)), **more)


# --- Fits and positions. The square picture has 100 x 100 pixels.

SQUARE = 100
SHORT = HEIGHT / WIDTH
FITS = [
    Case("crop", {"fit": "crop"}, [Seen(0.5, part=(0, (1 - SHORT) / 2, 1, (1 + SHORT) / 2))], src="square"),
    Case("cover", {"fit": "cover"}, [Seen(0.5)], src="square"),
    Case("contain", {"fit": "contain"}, [Seen(0.5, size=(HEIGHT, HEIGHT))], src="square"),
    Case("none", {"fit": "none"}, [Seen(0.5, size=(SQUARE, SQUARE))], src="square"),
    Case("box", {"fit": "cover", "width": 80, "height": 40}, [Seen(0.5, size=(80, 40))], src="square"),
]
LEFT, RIGHT, TOP, BOTTOM = WIDTH / 4, WIDTH * 3 / 4, HEIGHT / 4, HEIGHT * 3 / 4
MIDDLE = (WIDTH / 2, HEIGHT / 2)
PLACES = {
    "top": (MIDDLE[0], TOP),
    "topRight": (RIGHT, TOP),
    "right": (RIGHT, MIDDLE[1]),
    "bottomRight": (RIGHT, BOTTOM),
    "bottom": (MIDDLE[0], BOTTOM),
    "bottomLeft": (LEFT, BOTTOM),
    "left": (LEFT, MIDDLE[1]),
    "topLeft": (LEFT, TOP),
    "center": MIDDLE,
}
POSITIONS = [
    Case(place, {"position": place, "scale": 0.5}, [Seen(0.5, scale=0.5, centre=centre)])
    for place, centre in PLACES.items()
]
SHAPES = [
    Case("offset", {"scale": 0.5, "offset": {"x": 0.125, "y": 0.25}}, [shifted(0.5, 0.125, 0.25, scale=0.5)]),
    Case("rotate", {"scale": 0.5, "transform": {"rotate": {"angle": 30}}}, [Seen(0.5, scale=0.5, angle=30)]),
    Case("skew", {"scale": 0.5, "transform": {"skew": {"x": 0.5, "y": 0.1}}}, [Seen(0.5, scale=0.5, skew=(0.5, 0.1))]),
    Case("mirror", {"transform": {"flip": {"horizontal": True}}}, [Seen(0.5, flip=(True, False))]),
    Case("upside", {"transform": {"flip": {"vertical": True}}}, [Seen(0.5, flip=(False, True))]),
    Case("opacity", {"opacity": 0.25}, [Seen(0.5, opacity=0.25)]),
    Case("cut", {}, [Seen(0.5, part=(0.25, 0, 1, 1))], asset={"crop": {"left": 0.25}}),
    Case("string", {"scale": "0.5"}, [Seen(0.5, scale=0.5)]),
]
TWEENS = [
    Case(
        "scale",
        {"scale": [{"from": 0.25, "to": 0.75, "start": 0.25, "length": 0.5}]},
        [Seen(0, scale=0.25), Seen(0.5, scale=0.5), Seen(0.875, scale=0.75)],
    ),
    Case(
        "turn",
        {"scale": 0.5, "transform": {"rotate": {"angle": [{"from": 0, "to": 180, "start": 0, "length": 1}]}}},
        [Seen(0.25, scale=0.5, angle=45), Seen(0.75, scale=0.5, angle=135)],
    ),
    Case(
        "glide",
        {"scale": 0.5, "offset": {"x": [{"from": -0.25, "to": 0.25, "start": 0, "length": 1}]}},
        [shifted(0.25, -0.125, scale=0.5), shifted(0.75, 0.125, scale=0.5)],
    ),
    Case(
        "dim",
        {"opacity": [{"from": 1, "to": 0, "start": 0, "length": 1}]},
        [Seen(0.25, opacity=0.75), Seen(0.75, opacity=0.25)],
    ),
    Case(
        "jump",
        {"opacity": [{"from": 0.2, "to": 0.8, "start": 0, "length": 0.5, "interpolation": "constant"}]},
        [Seen(0.25, opacity=0.2), Seen(0.75, opacity=0.8)],
    ),
]

# --- Effects: zooms to 1.3 (1.1, 1.7); slides by 0.12 (0.03, 0.2) of the frame, enlarged by as much.

ZOOMS = {"": 1.3, "Slow": 1.1, "Fast": 1.7}
SLIDES = {"": 0.12, "Slow": 0.03, "Fast": 0.2}
WAYS = {"Left": (-1, 0), "Right": (1, 0), "Up": (0, 1), "Down": (0, -1)}


def zoom(word: str, far: float, *, inward: bool) -> Case:
    at = [(moment, 1 + (far - 1) * (moment if inward else 1 - moment)) for moment in (0.0, 0.5, 0.75)]
    return Case(word, {"effect": word}, [Seen(moment, scale=scale) for moment, scale in at])


def slide(word: str, way: tuple[int, int], far: float) -> Case:
    at = [(moment, far * (moment - 0.5)) for moment in (0.0, 0.5, 0.75)]
    return Case(word, {"effect": word}, [shifted(t, way[0] * off, way[1] * off, scale=1 + far) for t, off in at])


EFFECTS = [
    *(zoom(f"zoomIn{speed}", far, inward=True) for speed, far in ZOOMS.items()),
    *(zoom(f"zoomOut{speed}", far, inward=False) for speed, far in ZOOMS.items()),
    *(slide(f"slide{side}{speed}", way, far) for side, way in WAYS.items() for speed, far in SLIDES.items()),
]

# --- Transitions: half way, where an S-curve is half way too.

FADES_S = {"": 1.0, "Slow": 2.0, "Fast": 0.5}
MOVES_S = {"": 0.5, "Slow": 1.0, "Fast": 0.25}
CORNERS = {"Top": (0, 1), "Bottom": (0, -1), "Left": (-1, 0), "Right": (1, 0)}


def crossing(word: str, long_s: float, entering: Seen, leaving: Seen) -> Case:
    """Comes and goes by the same transition; ``at_s`` of what is seen is counted from the clip's start and end."""
    length_s = 2 * long_s + 0.5
    middle = Seen(length_s / 2)
    left = Seen(**{**vars(leaving), "at_s": length_s - long_s / 2})
    came = Seen(**{**vars(entering), "at_s": long_s / 2})
    return Case(word, {"transition": {"in": word, "out": word}}, [came, middle, left], length_s=length_s)


def moving(word: str, long_s: float, way: tuple[float, float], opacity: float = 1.0) -> Case:
    x, y = way[0] / 2, way[1] / 2
    return crossing(word, long_s, shifted(0, -x, -y, opacity=opacity), shifted(0, x, y, opacity=opacity))


def corner(name: str) -> tuple[float, float]:
    first = next(side for side in CORNERS if name.startswith(side))
    ahead, aside = CORNERS[first], CORNERS[name.removeprefix(first)]
    return ahead[0] + aside[0] / 2, ahead[1] + aside[1] / 2


HALF = Seen(0, opacity=0.5)
ON_THE_LEFT, ON_THE_RIGHT = Seen(0, shown=(0, 0.5)), Seen(0, shown=(0.5, 1))
SHUFFLES = ("TopRight", "RightTop", "RightBottom", "BottomRight", "BottomLeft", "LeftBottom", "LeftTop", "TopLeft")
TRANSITIONS = [
    *(crossing(f"fade{speed}", s, HALF, HALF) for speed, s in FADES_S.items()),
    *(crossing(f"reveal{speed}", s, ON_THE_LEFT, ON_THE_RIGHT) for speed, s in FADES_S.items()),
    *(crossing(f"wipeRight{speed}", s, ON_THE_LEFT, ON_THE_RIGHT) for speed, s in FADES_S.items()),
    *(crossing(f"wipeLeft{speed}", s, ON_THE_RIGHT, ON_THE_LEFT) for speed, s in FADES_S.items()),
    *(
        moving(f"slide{side}{speed}", s, (way[0] * 0.025, way[1] * 0.025), 0.5)
        for side, way in WAYS.items()
        for speed, s in MOVES_S.items()
    ),
    *(moving(f"carousel{side}{speed}", s, way) for side, way in WAYS.items() for speed, s in MOVES_S.items()),
    *(moving(f"shuffle{name}{speed}", s, corner(name)) for name in SHUFFLES for speed, s in MOVES_S.items()),
    Case(
        "zoom",
        {"transition": {"in": "zoom", "out": "zoom"}},
        # 0.25 of 0.4 s: five eighths of the way from 10 to 1.
        [Seen(0.25, scale=4.375, opacity=0.625), Seen(1), Seen(1.75, scale=4.375, opacity=0.625)],
        length_s=2.0,
    ),
]

# --- Filters, as changes of RGB values of 0..255


def luma(colour: tuple[int, int, int]) -> float:
    """BT.709."""
    return 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]


def tinted(colour: tuple[int, int, int], light: float, about: float, saturation: float) -> tuple[int, int, int]:
    y = luma(colour)
    red, green, blue = (round((y - about) * light + about + (each - y) * saturation) for each in colour)
    return red, green, blue


CHANGES = {
    "none": (1, 0, 1),
    "boost": (1.2, 127.5, 1.5),
    "contrast": (1.4, 127.5, 1.4),
    "darken": (0.6, 0, 0.6),
    "greyscale": (1, 0, 0),
    "lighten": (0.6, 255, 0.6),
    "muted": (1, 0, 0.5),
    "negative": (-1, 127.5, -1),
}
FILTERS = [
    Case(name, {"filter": name}, [Seen(0.5)], src="soft", colours=[tinted(each, *change) for each in SOFT])
    for name, change in CHANGES.items()
]

CASES = [*FITS, *POSITIONS, *SHAPES, *TWEENS, *EFFECTS, *TRANSITIONS, *FILTERS]


@dataclass(frozen=True)
class Film:
    """All cases one after the other: when each starts, and every frame."""

    starts_s: dict[int, float]
    frames: Frames


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pictures")
    shapes = {
        "quarters": (QUARTERS, WIDTH, HEIGHT),
        "square": (QUARTERS, SQUARE, SQUARE),
        "soft": (SOFT, WIDTH, HEIGHT),
    }
    return {name: quartered(folder / f"{name}.png", *shape) for name, shape in shapes.items()}


def quartered(path: Path, colours: Sequence[tuple[int, int, int]], width: int, height: int) -> Path:
    picture = Image.new("RGB", (2, 2))
    picture.putdata(list(colours))
    picture.resize((width, height), Image.Resampling.NEAREST).save(path)
    return path


@pytest.fixture(scope="module")
def film(pictures: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Film:
    folder = tmp_path_factory.mktemp("golden")
    starts_s: dict[int, float] = {}
    clips, now_s = [], 0.0
    for number, case in enumerate(CASES):
        starts_s[number] = now_s
        asset = {"type": "image", "src": case.src, **case.asset}
        clips.append({"asset": asset, "start": now_s, "length": case.length_s, **case.clip})
        now_s += case.length_s
    edit = {
        "timeline": {"background": "#404040", "tracks": [{"clips": clips}]},
        "output": {"format": "mp4", "size": {"width": WIDTH, "height": HEIGHT}, "fps": FPS, "quality": "veryhigh"},
    }
    render(edit, pictures, folder / "film.mp4", work_dir=folder)
    return Film(starts_s, frames_of(folder / "film.mp4"))


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case.name for case in CASES])
def test_every_point_has_the_colour_that_geometry_gives_it(film: Film, number: int) -> None:
    case = CASES[number]
    for seen in case.seen:
        frame = film.frames[round((film.starts_s[number] + seen.at_s) * FPS)]
        points = [(x, y) for x in range(4, WIDTH, 12) for y in range(4, HEIGHT, 12)]
        expected = {point: seen.at(*point, case.colours) for point in points}
        wrong = [
            (point, colour, tuple(frame[point[1], point[0]]))
            for point, colour in expected.items()
            if colour is not None and np.abs(frame[point[1], point[0]] - np.array(colour)).max() > NEAR
        ]
        assert sum(colour is not None for colour in expected.values()) > len(points) / 3
        assert not wrong, f"{case.name} at {seen.at_s} s: {len(wrong)} points, first {wrong[:3]}"


def test_a_blur_spreads_an_edge_like_a_normal_distribution(tmp_path: Path) -> None:
    """84 % of it lies before one sigma, which is a 45th of the frame's shorter side."""
    edge = Image.new("RGB", (WIDTH, HEIGHT), (40, 40, 40))
    edge.paste((200, 200, 200), (0, 0, WIDTH // 2, HEIGHT))
    edge.save(tmp_path / "edge.png")
    clip = {"asset": {"type": "image", "src": "edge"}, "start": 0, "length": 0.5, "filter": "blur"}
    output = {"format": "png", "size": {"width": WIDTH, "height": HEIGHT}}
    target = tmp_path / "a.png"
    edit = {"timeline": {"tracks": [{"clips": [clip]}]}, "output": output}
    render(edit, {"edge": tmp_path / "edge.png"}, target, work_dir=tmp_path)
    row = np.asarray(Image.open(target).convert("L"))[HEIGHT // 2].astype(float)
    for offset, share in ((-12, 1.0), (-2.4, 0.84), (0, 0.5), (2.4, 0.16), (12, 0.0)):
        found = np.interp(WIDTH / 2 - 0.5 + offset, np.arange(WIDTH), row)
        assert found == pytest.approx(40 + 160 * share, abs=8)


def test_a_matte_shows_what_is_white_in_it(pictures: dict[str, Path], tmp_path: Path) -> None:
    matte = Image.new("L", (WIDTH, HEIGHT), 0)
    matte.paste(255, (0, 0, WIDTH // 2, HEIGHT))
    matte.save(tmp_path / "matte.png")
    clips = [
        {"asset": {"type": "luma", "src": "matte"}, "start": 0, "length": 1},
        {"asset": {"type": "image", "src": "quarters"}, "start": 0, "length": 1},
    ]
    edit = {
        "timeline": {"background": "#404040", "tracks": [{"clips": clips}]},
        "output": {"format": "png", "size": {"width": WIDTH, "height": HEIGHT}},
    }
    render(edit, {**pictures, "matte": tmp_path / "matte.png"}, tmp_path / "a.png", work_dir=tmp_path)
    frame = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).astype(int)
    assert np.abs(frame[20, 20] - QUARTERS[0]).max() < NEAR
    assert np.abs(frame[80, 80] - QUARTERS[2]).max() < NEAR
    assert np.abs(frame[20, WIDTH - 20] - GREY).max() < NEAR
