"""From a checked Edit to a plan: what shows where, in pixels and whole frames, lowest layer first.

Planning is arithmetic: it reads no file and starts no process. How the service renders what its schema leaves open
(fit, order, position) follows its documentation and the numbers of its studio.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from providers.media.edit import Crop, Edit, Filter, ImageAsset, LumaAsset, Output, Preset, Quality, VideoAsset, refused
from providers.media.geometry import Size, even, fitted, part_of, quads
from providers.media.motion import Array, moves
from providers.media.timing import Placed

# Height in pixels of each preset at 16:9; other shapes are derived from it.
PRESET_HEIGHT_PX: Mapping[Preset, int] = {"preview": 288, "mobile": 360, "sd": 576, "hd": 720, "1080": 1080, "4k": 2160}
CRF: Mapping[Quality, int] = {"verylow": 30, "low": 26, "medium": 23, "high": 20, "veryhigh": 18}
# What a GIF is made from loses nothing that its 256 colours would show.
GIF_CRF = 12
DEFAULT_FPS = 25.0
PREVIEW_FPS = 15.0


UNCROPPED = Crop()


@dataclass(frozen=True)
class Footage:
    """A film or a picture: ``size`` as it is shown, before ``crop``. ``lasts_s`` is None for a picture."""

    src: str
    file: Path
    size: Size
    crop: Crop = UNCROPPED
    has_alpha: bool = False
    is_hdr: bool = False
    trim_s: float = 0
    speed: float = 1
    lasts_s: float | None = None

    @property
    def moves(self) -> bool:
        """Whether it is a film."""
        return self.lasts_s is not None


@dataclass(frozen=True)
class Drawn:
    """A picture that was drawn for a clip, cut to its ink: where that lies in its box, and when it shows."""

    file: Path
    box: Size
    left: int
    top: int
    size: Size
    start_s: float
    end_s: float


@dataclass(frozen=True, eq=False)
class Matte:
    """Footage whose lightness says how much shows of the layer; frame ``clock`` of it is the layer's first."""

    footage: Footage
    clock: int


@dataclass(frozen=True, eq=False)
class Layer:
    """Something that is shown for ``count`` frames from frame ``first`` of the film.

    ``fit_size`` is the size its picture is fitted to. The tables have one row per frame: corners in the frame
    (pixels, shape (count, 4, 2)), opacity, and what a wipe shows (``shown`` of 1, from the left or the right).
    """

    path: str
    first: int
    footage: Footage
    cuts: bool
    fit_size: Size
    quad: Array
    opacity: Array
    shown: Array
    from_right: Array
    filter: Filter
    mirrored: tuple[bool, bool]
    mattes: tuple[Matte, ...] = ()

    @property
    def count(self) -> int:
        """Frames."""
        return len(self.opacity)

    @property
    def end(self) -> int:
        """The first frame after it."""
        return self.first + self.count


@dataclass(frozen=True, eq=False)
class Plan:
    """The whole film, or the part that is asked for: frames ``first`` to ``end`` at ``fps``.

    It is composed in ``frame`` and written in ``scaled``.
    """

    frame: Size
    scaled: Size
    fps: float
    first: int
    end: int
    background: str
    crf: int
    layers: tuple[Layer, ...]

    @property
    def count(self) -> int:
        """Frames."""
        return self.end - self.first

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.count / self.fps


@dataclass(frozen=True)
class Material:
    """What clips are made of, by their JSON path: films and pictures, and the drawings of everything else."""

    footage: Mapping[str, Footage]
    drawn: Mapping[str, Sequence[Drawn]]


def plan(edit: Edit, placed: Sequence[Placed], material: Material) -> Plan:
    """Lays an Edit out. Raises UnprocessableInput for an output without a size, or a range without a frame."""
    output = edit.output
    frame, fps = frame_size(output), fps_of(output)
    stage = _Stage(tuple(placed), material, frame, fps)
    # Where clips of one track overlap, the later one lies on top: the service's own examples do so.
    lowest_first = sorted(placed, key=lambda each: (-each.track, each.start_s))
    layers = [layer for each in lowest_first for layer in _layers(each, stage)]
    first, end = _range(output, max(sum(span(each, fps)) for each in placed), fps)
    return Plan(
        frame=frame,
        scaled=_scaled(output, frame),
        fps=fps,
        first=first,
        end=end,
        background=edit.timeline.background,
        crf=GIF_CRF if output.format == "gif" else CRF[output.quality],
        layers=tuple(layers),
    )


def frame_size(output: Output) -> Size:
    """The frame in pixels. Raises UnprocessableInput when the output names none."""
    if output.size is not None:
        return Size(even(output.size.width), even(output.size.height))
    if output.resolution is None:
        if output.format == "mp3":
            return Size(2, 2)
        raise refused("output.size", "is needed when there is no output.resolution")
    return _preset_size(output.resolution, output.aspectRatio)


def _preset_size(preset: Preset, ratio: str) -> Size:
    height = PRESET_HEIGHT_PX[preset]
    wide = height * 16 // 9
    width, height = {
        "16:9": (wide, height),
        "9:16": (height, wide),
        "1:1": (height, height),
        "4:5": (round(0.8 * height), height),
        "4:3": (round(4 * height / 3), height),
    }[ratio]
    # 4:5 of sd has a side of 461 pixels: rounded down.
    return Size(width // 2 * 2, height // 2 * 2)


def _scaled(output: Output, frame: Size) -> Size:
    if output.scaleTo is None:
        return frame
    wanted = _preset_size(output.scaleTo, "16:9")
    short = min(wanted.width, wanted.height) / min(frame.width, frame.height)
    return Size(even(frame.width * short), even(frame.height * short))


def fps_of(output: Output) -> float:
    """Frames per second."""
    return output.fps or (PREVIEW_FPS if output.resolution == "preview" else DEFAULT_FPS)


def _range(output: Output, length: int, fps: float) -> tuple[int, int]:
    first = round(output.range.start * fps)
    if first >= length:
        raise refused("output.range.start", f"lies after the end of the film, which lasts {length / fps:g} s")
    if output.range.length is None:
        return first, length
    return first, min(length, max(first + 1, round((output.range.start + output.range.length) * fps)))


def span(placed: Placed, fps: float) -> tuple[int, int]:
    """The frames of a clip: its first, and how many; never none."""
    first = round(placed.start_s * fps)
    return first, max(1, round(placed.end_s * fps) - first)


@dataclass(frozen=True)
class _Stage:
    placed: Sequence[Placed]
    material: Material
    frame: Size
    fps: float


@dataclass(frozen=True)
class _Picture:
    """What of a clip is shown: footage in a part of a box that is moved, from frame ``clock`` of the clip on."""

    footage: Footage
    box: Size
    part: tuple[float, float, float, float]
    fit_size: Size
    cuts: bool
    clock: int
    end: int


def _layers(placed: Placed, stage: _Stage) -> list[Layer]:
    if isinstance(placed.clip.asset, VideoAsset | ImageAsset):
        return [_layer(placed, _footage(placed, stage), stage)]
    pictures = (_drawing(placed, drawn, stage) for drawn in stage.material.drawn.get(placed.path, ()))
    return [_layer(placed, picture, stage) for picture in pictures if picture.end > picture.clock]


def _footage(placed: Placed, stage: _Stage) -> _Picture:
    clip, footage = placed.clip, stage.material.footage[placed.path]
    box = Size(even(clip.width or stage.frame.width), even(clip.height or stage.frame.height))
    size = fitted(cropped(footage), box, clip.fit)
    _, count = span(placed, stage.fps)
    return _Picture(footage, size, (0, 0, 1, 1), size, clip.fit == "crop", 0, count)


def _drawing(placed: Placed, drawn: Drawn, stage: _Stage) -> _Picture:
    box, size = drawn.box, drawn.size
    right, bottom = drawn.left + size.width, drawn.top + size.height
    part = (drawn.left / box.width, drawn.top / box.height, right / box.width, bottom / box.height)
    footage = Footage(src=drawn.file.name, file=drawn.file, size=size, has_alpha=True)
    _, count = span(placed, stage.fps)
    clock, end = round(drawn.start_s * stage.fps), min(count, round(drawn.end_s * stage.fps))
    return _Picture(footage, box, part, size, cuts=False, clock=clock, end=end)


def _layer(placed: Placed, picture: _Picture, stage: _Stage) -> Layer:
    clip, (first, count) = placed.clip, span(placed, stage.fps)
    moved = moves(clip, frames=count, fps=stage.fps)
    shown = slice(picture.clock, picture.end)
    flip = clip.transform.flip
    return Layer(
        path=placed.path,
        first=first + picture.clock,
        footage=picture.footage,
        cuts=picture.cuts,
        fit_size=picture.fit_size,
        quad=part_of(quads(moved, picture.box, clip.position, stage.frame), *picture.part)[shown],
        opacity=moved.opacity[shown],
        shown=moved.shown[shown],
        from_right=moved.from_right[shown],
        filter=clip.filter,
        mirrored=(flip.horizontal, flip.vertical),
        mattes=_mattes(placed, first + picture.clock, stage),
    )


def cropped(footage: Footage) -> Size:
    """The size of what the asset's own crop leaves of it."""
    crop = footage.crop
    return Size(
        even(footage.size.width * max(0.0, 1 - crop.left - crop.right)),
        even(footage.size.height * max(0.0, 1 - crop.top - crop.bottom)),
    )


def _mattes(placed: Placed, first: int, stage: _Stage) -> tuple[Matte, ...]:
    """The mattes of its track that show in frame ``first`` of the film."""
    found = []
    for other in stage.placed:
        begins, count = span(other, stage.fps)
        together = other.track == placed.track and begins <= first < begins + count
        if together and isinstance(other.clip.asset, LumaAsset):
            found.append(Matte(stage.material.footage[other.path], first - begins))
    return tuple(found)
