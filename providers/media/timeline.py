"""From a Shotstack Edit to a plan: checked, in pixels and whole frames, bottom layer first.

The pydantic models below are the supported subset of the Edit; a property outside them is refused by its JSON path.
How the service renders what the schema leaves open (fit, order, fades, zoom) follows its documentation and the
numbers of its studio.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from myloware.kernel.errors import UnprocessableInput
from providers.media.typography import TextStyle

Transition = Literal["none", "fade", "fadeSlow", "fadeFast"]
FADE_S: Mapping[Transition, float] = {"none": 0.0, "fade": 1.0, "fadeSlow": 2.0, "fadeFast": 0.5}
Effect = Literal["zoomIn", "zoomInSlow", "zoomInFast"]
ZOOM: Mapping[Effect, float] = {"zoomIn": 1.3, "zoomInSlow": 1.1, "zoomInFast": 1.7}
Position = Literal["top", "topRight", "right", "bottomRight", "bottom", "bottomLeft", "left", "topLeft", "center"]
# Height in pixels of each preset at 16:9; other shapes are derived from it.
PRESET_HEIGHT_PX = {"preview": 288, "mobile": 360, "sd": 576, "hd": 720, "1080": 1080, "4k": 2160}
CRF = {"verylow": 30, "low": 26, "medium": 23, "high": 20, "veryhigh": 18}
Colour = Annotated[str, Field(pattern=r"^#[A-Fa-f0-9]{6}$")]
Share = Annotated[float, Field(ge=0, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class VideoAsset(_Part):
    """A clip of a file; ``trim`` seconds of its start are left out."""

    type: Literal["video"]
    src: Annotated[str, Field(min_length=1)]
    trim: Annotated[float, Field(ge=0)] = 0
    volume: Share = 1


class Font(_Part):
    """Every family is drawn with the shipped Open Sans, which is also the service's default."""

    family: str = "Open Sans"
    size: Annotated[int, Field(ge=1, le=500)] = 24
    weight: Annotated[int, Field(ge=1, le=1000)] = 400
    style: Literal["normal"] = "normal"
    color: Colour = "#000000"
    opacity: Share = 1


class Style(_Part):
    """Typographic details."""

    lineHeight: Annotated[float, Field(gt=0, le=10)] = 1.2
    textTransform: Literal["none", "uppercase", "lowercase", "capitalize"] = "none"


class Stroke(_Part):
    """An outline."""

    width: Annotated[float, Field(ge=0)] = 0
    color: Colour = "#000000"
    opacity: Share = 1


class Shadow(_Part):
    """A soft shadow."""

    offsetX: float = 0
    offsetY: float = 0
    blur: Annotated[float, Field(ge=0)] = 0
    color: Colour = "#000000"
    opacity: Share = 0.5


class Align(_Part):
    """Where the text stands in its box."""

    horizontal: Literal["left", "center", "right"] = "center"
    vertical: Literal["top", "middle", "bottom"] = "middle"


class RichTextAsset(_Part):
    """A text in a box."""

    type: Literal["rich-text"]
    text: Annotated[str, Field(max_length=5000)]
    font: Font = Font()
    style: Style = Style()
    stroke: Stroke = Stroke()
    shadow: Shadow = Shadow(opacity=0)
    align: Align = Align()
    padding: Annotated[float, Field(ge=0)] = 0


class Transitions(_Part):
    """Fades of the clip's opacity."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    start: Transition = Field("none", alias="in")
    end: Transition = Field("none", alias="out")


class Offset(_Part):
    """A shift as a fraction of the frame: x to the right, y upward."""

    x: float = 0
    y: float = 0


class Clip(_Part):
    """An asset on the timeline."""

    asset: Annotated[VideoAsset | RichTextAsset, Field(discriminator="type")]
    start: Annotated[float, Field(ge=0)]
    length: Annotated[float, Field(gt=0)]
    fit: Literal["crop", "contain", "none"] = "crop"
    width: Annotated[int, Field(ge=1, le=3840)] | None = None
    height: Annotated[int, Field(ge=1, le=2160)] | None = None
    position: Position = "center"
    offset: Offset = Offset()
    opacity: Share = 1
    effect: Effect | None = None
    transition: Transitions = Transitions()


class Track(_Part):
    """Clips one after the other."""

    clips: Annotated[list[Clip], Field(min_length=1)]


class Timeline(_Part):
    """Tracks, the top one first."""

    tracks: Annotated[list[Track], Field(min_length=1)]
    background: Colour = "#000000"
    cache: bool = True


class Size(_Part):
    """The frame in pixels."""

    width: Annotated[int, Field(ge=16, le=4096, multiple_of=2)]
    height: Annotated[int, Field(ge=16, le=4096, multiple_of=2)]


class Output(_Part):
    """The file to make."""

    format: Literal["mp4"]
    size: Size | None = None
    resolution: Literal["preview", "mobile", "sd", "hd", "1080", "4k"] | None = None
    aspectRatio: Literal["16:9", "9:16", "1:1", "4:5", "4:3"] = "16:9"
    fps: Annotated[float, Field(ge=12, le=60)] = 25
    quality: Literal["verylow", "low", "medium", "high", "veryhigh"] = "medium"


class Edit(_Part):
    """The request body of POST /render, as far as this renderer goes."""

    timeline: Timeline
    output: Output
    callback: str | None = None


@dataclass(frozen=True)
class Layer:
    """When and how anything is shown: whole frames, opacity fades in frames."""

    path: str
    start: int
    length: int
    fade_in: int
    fade_out: int
    opacity: float
    position: Position
    offset_x: float
    offset_y: float


@dataclass(frozen=True)
class VideoLayer(Layer):
    """A clip of a source, with its sound."""

    src: str
    trim_s: float
    fit: Literal["crop", "contain", "none"]
    zoom_to: float
    volume: float


@dataclass(frozen=True)
class TextLayer(Layer):
    """A text in a box of this size."""

    text: str
    style: TextStyle
    width_px: int
    height_px: int


@dataclass(frozen=True)
class Plan:
    """The whole film. ``layers`` start with the lowest; times are frames at ``fps``."""

    width_px: int
    height_px: int
    fps: float
    length: int
    background: str
    crf: int
    layers: tuple[VideoLayer | TextLayer, ...]

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.length / self.fps

    @property
    def videos(self) -> tuple[VideoLayer, ...]:
        """The clips, lowest first."""
        return tuple(layer for layer in self.layers if isinstance(layer, VideoLayer))


def plan(edit: Mapping[str, Any]) -> Plan:
    """Checks an Edit and lays it out. Raises UnprocessableInput naming the JSON path of the first thing refused."""
    try:
        checked = Edit.model_validate(edit)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = _json_path(first["loc"])
        raise UnprocessableInput(f"{path}: {first['msg']} (not rendered here)", path=path) from error
    width_px, height_px = _frame_size(checked.output)
    fps, layers = checked.output.fps, []
    for index, track in reversed(list(enumerate(checked.timeline.tracks))):
        path = f"timeline.tracks[{index}]"
        _refuse_overlap(track, path)
        for number, clip in enumerate(track.clips):
            layers.append(_layer(clip, f"{path}.clips[{number}]", fps, (width_px, height_px)))
    return Plan(
        width_px=width_px,
        height_px=height_px,
        fps=fps,
        length=max(layer.start + layer.length for layer in layers),
        background=checked.timeline.background,
        crf=CRF[checked.output.quality],
        layers=tuple(layers),
    )


def _json_path(location: tuple[int | str, ...]) -> str:
    path = ""
    for before, part in zip(("", *location), location, strict=False):
        if before == "asset" and part in {"video", "rich-text"}:
            continue
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path.lstrip(".") or "edit"


def _frame_size(output: Output) -> tuple[int, int]:
    if output.size is not None:
        return output.size.width, output.size.height
    if output.resolution is None:
        raise UnprocessableInput("output.size: needed when there is no output.resolution", path="output.size")
    height = PRESET_HEIGHT_PX[output.resolution]
    wide = height * 16 // 9
    sizes = {
        "16:9": (wide, height),
        "9:16": (height, wide),
        "1:1": (height, height),
        "4:5": (round(0.8 * height), height),
        "4:3": (round(4 * height / 3), height),
    }
    width, height = sizes[output.aspectRatio]
    return width - width % 2, height - height % 2


def _refuse_overlap(track: Track, path: str) -> None:
    order = sorted(enumerate(track.clips), key=lambda entry: entry[1].start)
    for (_, earlier), (number, later) in pairwise(order):
        if later.start < earlier.start + earlier.length - 0.001:
            where = f"{path}.clips[{number}].start"
            raise UnprocessableInput(f"{where}: overlaps another clip of its track; use two tracks", path=where)


def _layer(clip: Clip, path: str, fps: float, frame: tuple[int, int]) -> VideoLayer | TextLayer:
    start = round(clip.start * fps)
    common = {
        "path": path,
        "start": start,
        "length": max(1, round((clip.start + clip.length) * fps) - start),
        "fade_in": round(FADE_S[clip.transition.start] * fps),
        "fade_out": round(FADE_S[clip.transition.end] * fps),
        "opacity": clip.opacity,
        "position": clip.position,
        "offset_x": clip.offset.x,
        "offset_y": clip.offset.y,
    }
    if isinstance(clip.asset, RichTextAsset):
        return _text_layer(clip, clip.asset, common, frame)
    return _video_layer(clip, clip.asset, common)


def _video_layer(clip: Clip, asset: VideoAsset, common: dict[str, Any]) -> VideoLayer:
    for name, refused in (("width", clip.width), ("height", clip.height), ("effect", clip.effect)):
        if refused is not None and (name != "effect" or clip.fit != "crop"):
            where = f"{common['path']}.{name}"
            raise UnprocessableInput(f"{where}: not rendered here for a video with fit {clip.fit}", path=where)
    return VideoLayer(
        **common,
        src=asset.src,
        trim_s=asset.trim,
        fit=clip.fit,
        zoom_to=ZOOM[clip.effect] if clip.effect else 1.0,
        volume=asset.volume,
    )


_CASES: Mapping[str, Callable[[str], str]] = {
    "none": str,
    "uppercase": str.upper,
    "lowercase": str.lower,
    "capitalize": str.title,
}


def _text_layer(clip: Clip, asset: RichTextAsset, common: dict[str, Any], frame: tuple[int, int]) -> TextLayer:
    if clip.effect is not None:
        raise UnprocessableInput(
            f"{common['path']}.effect: not rendered here for a text", path=f"{common['path']}.effect"
        )
    font, stroke, shadow = asset.font, asset.stroke, asset.shadow
    return TextLayer(
        **common,
        text=_CASES[asset.style.textTransform](asset.text),
        width_px=clip.width or frame[0],
        height_px=clip.height or frame[1],
        style=TextStyle(
            size_px=font.size,
            weight=font.weight,
            colour=font.color,
            opacity=font.opacity,
            line_height=asset.style.lineHeight,
            stroke_px=stroke.width,
            stroke_colour=stroke.color,
            stroke_opacity=stroke.opacity,
            shadow_x_px=shadow.offsetX,
            shadow_y_px=shadow.offsetY,
            shadow_blur_px=shadow.blur,
            shadow_colour=shadow.color,
            shadow_opacity=shadow.opacity,
            horizontal=asset.align.horizontal,
            vertical=asset.align.vertical,
            padding_px=asset.padding,
        ),
    )
