"""The Edit, as far as this engine renders it: Shotstack's names, ranges and defaults, as pydantic models.

The schema is the vendor's (version 1.18.3). A property outside of these models is refused by its JSON path; what a
property *means* stands in ``timeline`` and ``motion``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from myloware.kernel.errors import UnprocessableInput
from providers.media.merge import merged
from providers.media.text import StillAsset

Position = Literal["top", "topRight", "right", "bottomRight", "bottom", "bottomLeft", "left", "topLeft", "center"]
Fit = Literal["crop", "cover", "contain", "none"]
Filter = Literal["none", "blur", "boost", "contrast", "darken", "greyscale", "lighten", "muted", "negative"]
Format = Literal["mp4", "gif", "mp3", "jpg", "png", "bmp"]
Preset = Literal["preview", "mobile", "sd", "hd", "1080", "4k"]
Quality = Literal["verylow", "low", "medium", "high", "veryhigh"]
Share = Annotated[float, Field(ge=0, le=1)]
# Far beyond what can be seen or heard, and near enough for FFmpeg to calculate with.
MOST = 1e6
Number = Annotated[float, Field(ge=-MOST, le=MOST)]
Seconds = Annotated[float, Field(ge=0, le=MOST)]
LongSeconds = Annotated[float, Field(gt=0, le=MOST)]
Speed = Annotated[float, Field(ge=0.01, le=10)]
Source = Annotated[str, Field(min_length=1, pattern=r"\S")]
Colour = Annotated[str, Field(pattern=r"^#[A-Fa-f0-9]{6}$")]
ALIAS = r"alias://[A-Za-z0-9_-]+"
FPS = (12, 15, 23.976, 24, 25, 29.97, 30, 48, 50, 59.94, 60)

_SPEEDS = ("", "Slow", "Fast")
_SIDES = ("Left", "Right", "Up", "Down")
_CORNERS = ("TopRight", "RightTop", "RightBottom", "BottomRight", "BottomLeft", "LeftBottom", "LeftTop", "TopLeft")
EFFECTS = frozenset(
    f"{name}{speed}" for name in ("zoomIn", "zoomOut", *(f"slide{side}" for side in _SIDES)) for speed in _SPEEDS
)
TRANSITIONS = frozenset(
    {"none", "zoom"}
    | {
        f"{name}{speed}"
        for name in (
            *("fade", "reveal", "wipeLeft", "wipeRight"),
            *(f"{kind}{side}" for kind in ("slide", "carousel") for side in _SIDES),
            *(f"shuffle{corner}" for corner in _CORNERS),
        )
        for speed in _SPEEDS
    }
)


EASINGS = frozenset(
    {"ease", "easeIn", "easeOut", "easeInOut"}
    | {
        f"ease{end}{curve}"
        for end in ("In", "Out", "InOut")
        for curve in ("Quad", "Cubic", "Quart", "Quint", "Sine", "Expo", "Circ", "Back")
    }
)


def _one_of(allowed: Collection[str] | Collection[float]) -> AfterValidator:
    def check(value: str | float) -> str | float:
        if value not in allowed:
            raise ValueError(f"is not one of {', '.join(sorted(map(str, allowed)))}")
        return value

    return AfterValidator(check)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False)


class Tween(_Part):
    """A change of a number over time; ``start`` and ``length`` are seconds of the clip."""

    start_value: Number | None = Field(None, alias="from")
    end_value: Number | None = Field(None, alias="to")
    start: Seconds = 0
    length: Seconds | None = None
    interpolation: Literal["linear", "bezier", "constant"] | None = None
    easing: Annotated[str, _one_of(EASINGS)] | None = None


Motion = Number | Annotated[tuple[Tween, ...], Field(min_length=1)]


class Crop(_Part):
    """Shares of the picture that are cut off its sides."""

    top: Share = 0
    bottom: Share = 0
    left: Share = 0
    right: Share = 0


class VideoAsset(_Part):
    """A film; ``trim`` seconds of its start are left out."""

    type: Literal["video"]
    src: Source
    trim: Seconds = 0
    volume: Motion = 1
    volumeEffect: Literal["none", "fadeIn", "fadeOut", "fadeInFadeOut"] = "none"
    speed: Speed = 1
    crop: Crop = Crop()
    # How the service prepares the file for itself; nothing that can be seen.
    transcode: bool = False


class ImageAsset(_Part):
    """A still picture."""

    type: Literal["image"]
    src: Source
    crop: Crop = Crop()


class AudioAsset(_Part):
    """A sound."""

    type: Literal["audio"]
    src: Source
    trim: Seconds = 0
    volume: Motion = 1
    speed: Speed = 1
    effect: Literal["none", "fadeIn", "fadeOut", "fadeInFadeOut"] = "none"


class LumaAsset(_Part):
    """A matte for the clips of its track: white shows, black hides (OpenAPI document; the studio does the opposite)."""

    type: Literal["luma"]
    src: Source
    trim: Seconds = 0


Asset = Annotated[VideoAsset | ImageAsset | AudioAsset | LumaAsset | StillAsset, Field(discriminator="type")]


class Offset(_Part):
    """A shift as a fraction of the frame: x to the right, y upward."""

    x: Motion = 0
    y: Motion = 0


class Transition(_Part):
    """How a clip appears and goes."""

    start: Annotated[str, _one_of(TRANSITIONS), Field(alias="in")] = "none"
    end: Annotated[str, _one_of(TRANSITIONS), Field(alias="out")] = "none"


class Rotate(_Part):
    """Degrees, clockwise."""

    angle: Motion = 0


class Skew(_Part):
    """Shear along x and y, as a fraction of the other side."""

    x: Motion = 0
    y: Motion = 0


class Flip(_Part):
    """Mirrors the clip."""

    horizontal: bool = False
    vertical: bool = False


class Transform(_Part):
    """Changes of the clip's shape about its centre."""

    rotate: Rotate = Rotate()
    skew: Skew = Skew()
    flip: Flip = Flip()


class Clip(_Part):
    """An asset on the timeline. ``start`` and ``length`` in seconds, or in words that ``timing`` resolves."""

    id: str | None = None
    alias: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] | None = None
    asset: Asset
    start: Seconds | Annotated[str, Field(pattern=rf"^(auto|{ALIAS})$")]
    length: LongSeconds | Annotated[str, Field(pattern=rf"^(auto|end|{ALIAS})$")]
    fit: Fit = "crop"
    scale: Motion = 1
    width: Annotated[float, Field(ge=1, le=3840)] | None = None
    height: Annotated[float, Field(ge=1, le=2160)] | None = None
    position: Position = "center"
    offset: Offset = Offset()
    opacity: Motion = 1
    filter: Filter = "none"
    effect: Annotated[str, _one_of(EFFECTS)] | None = None
    transition: Transition = Transition()
    transform: Transform = Transform()


class Track(_Part):
    """Clips that do not overlap."""

    clips: Annotated[tuple[Clip, ...], Field(min_length=1)]


class Soundtrack(_Part):
    """A sound under the whole film."""

    src: Source
    effect: Literal["fadeIn", "fadeOut", "fadeInFadeOut"] | None = None
    volume: Share = 1


class FontFile(_Part):
    """A font of the user's own."""

    src: Source


class Timeline(_Part):
    """Tracks, the top one first."""

    tracks: Annotated[tuple[Track, ...], Field(min_length=1)]
    soundtrack: Soundtrack | None = None
    background: Colour = "#000000"
    fonts: tuple[FontFile, ...] = ()
    cache: bool = True


class Size(_Part):
    """The frame in pixels; odd sides are made even, because the codec has no others."""

    width: Annotated[int, Field(ge=2, le=4096)]
    height: Annotated[int, Field(ge=2, le=4096)]


class Range(_Part):
    """The part of the film that is made, in seconds; without ``length`` to the end."""

    start: Seconds = 0
    length: LongSeconds | None = None


class Poster(_Part):
    """A still of the film at ``capture`` seconds."""

    capture: Seconds


class Thumbnail(_Part):
    """A small still of the film."""

    capture: Seconds
    scale: Annotated[float, Field(gt=0, le=1)]


class Destination(_Part):
    """Where the service would copy the film; this engine copies nowhere."""

    provider: Literal["shotstack"]
    exclude: bool = False


class Output(_Part):
    """The file to make."""

    format: Format
    resolution: Preset | None = None
    aspectRatio: Literal["16:9", "9:16", "1:1", "4:5", "4:3"] = "16:9"
    size: Size | None = None
    fps: Annotated[float, _one_of(FPS)] | None = None
    scaleTo: Preset | None = None
    quality: Quality = "medium"
    repeat: bool = True
    mute: bool = False
    range: Range = Range()
    poster: Poster | None = None
    thumbnail: Thumbnail | None = None
    destinations: tuple[Destination, ...] = ()


class Edit(_Part):
    """The request body of POST /render."""

    timeline: Timeline
    output: Output
    callback: str | None = None
    # Fields of the service's own machines.
    disk: Literal["local", "mount"] | None = None
    instance: Literal["s1", "s2", "a1"] = "s1"


def checked(edit: Mapping[str, Any]) -> Edit:
    """The Edit with its merge fields filled in. Raises UnprocessableInput naming the JSON path of the first fault."""
    try:
        filled = {key: value for key, value in merged(dict(edit)).items() if key != "merge"}
    except RecursionError as error:
        raise refused("edit", "its parts stand in each other too deep") from error
    try:
        return Edit.model_validate(filled)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise refused(json_path(first["loc"], filled), first["msg"]) from error


def refused(path: str, why: str) -> UnprocessableInput:
    """What is said of something that this engine does not render."""
    return UnprocessableInput(f"{path}: {why}", path=path)


def json_path(location: tuple[int | str, ...], edit: Any) -> str:
    """``timeline.tracks[0].clips[1].asset.src`` for pydantic's location, which also names the members of unions."""
    path, here = "", edit
    for number, part in enumerate(location, start=1):
        if isinstance(part, int):
            path, here = f"{path}[{part}]", _at(here, part)
        elif isinstance(here, dict) and (part in here or number == len(location)):
            path, here = f"{path}.{part}", here.get(part)
    return path.lstrip(".") or "edit"


def _at(value: Any, index: int) -> Any:
    return value[index] if isinstance(value, list) and index < len(value) else None
