"""The service's still assets as it describes them: fields, ranges and defaults of its OpenAPI 1.18.

Where that names no default, the one of the service's studio stands here, marked [studio]. What validates and still
cannot be drawn is refused by ``stills`` before anything is rendered.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from providers.media.text.fonts import WEIGHTS

Place = Literal["top", "topRight", "right", "bottomRight", "bottom", "bottomLeft", "left", "topLeft", "center"]
Horizontal = Literal["left", "center", "right"]
Transform = Literal["none", "uppercase", "lowercase", "capitalize"]
Colour = Annotated[str, Field(pattern=r"^#[A-Fa-f0-9]{6}$")]
# The alpha comes first, which is opposite to CSS.
AlphaColour = Annotated[str, Field(pattern=r"^(#([A-Fa-f0-9]{2})?[A-Fa-f0-9]{6}|transparent)$")]
Share = Annotated[float, Field(ge=0, le=1)]
Length = Annotated[float, Field(ge=0)]


def _whole(value: Any) -> Any:
    """The service takes sizes with fractions, also as text, where its schema says integer."""
    try:
        return round(float(value))
    except (TypeError, ValueError, OverflowError):
        return value


def _weight(value: Any) -> Any:
    name = str(value).casefold().replace("-", "").replace(" ", "")
    return WEIGHTS.get(name, value)


def _all_sides(value: Any) -> Any:
    if isinstance(value, (int, float, str)):
        return {"top": value, "right": value, "bottom": value, "left": value}
    return value


def _clamped(value: float) -> float:
    return min(max(value, 0.0), 1.0)


# 4096 px is the longest side of an output.
Pixels = Annotated[int, BeforeValidator(_whole), Field(ge=1, le=4096)]
FontPixels = Annotated[int, BeforeValidator(_whole), Field(ge=1, le=500)]
Weight = Annotated[int, BeforeValidator(_weight), Field(ge=1, le=1000)]
# An opacity whose range the schema does not state.
AnyShare = Annotated[float, AfterValidator(_clamped)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Offset(_Part):
    """A shift as a fraction of the frame: x to the right, y upward."""

    x: Annotated[float, Field(ge=-10, le=10)] = 0
    y: Annotated[float, Field(ge=-10, le=10)] = 0


class TitleAsset(_Part):
    """A title across the whole frame."""

    type: Literal["title"]
    text: str
    style: Literal[
        "minimal", "blockbuster", "vogue", "sketchy", "skinny", "chunk", "chunkLight", "marker", "future", "subtitle"
    ] = "minimal"
    color: AlphaColour = "#FFFFFF"
    size: Literal["xx-small", "x-small", "small", "medium", "large", "x-large", "xx-large"] = "medium"
    background: AlphaColour = "transparent"
    position: Place = "center"
    offset: Offset = Offset()


class TextFont(_Part):
    """Defaults [studio]."""

    family: str = "Open Sans"
    color: AlphaColour = "#FFFFFF"
    opacity: AnyShare = 1
    size: Pixels = 32
    weight: Weight = 400
    lineHeight: Length = 1


class TextBackground(_Part):
    """The box of a text. ``wrap`` is refused: the service takes it for rich-text only."""

    color: Colour | None = None
    opacity: Share = 1
    padding: Annotated[float, Field(ge=0, le=100)] = 0
    borderRadius: Length = 0
    wrap: bool = False


class TextAlignment(_Part):
    """Where a text stands in its box. Defaults [studio]."""

    horizontal: Horizontal = "center"
    vertical: Literal["top", "center", "bottom"] = "center"


class TextStroke(_Part):
    """An outline around the letters."""

    width: Annotated[float, Field(ge=0, le=10)] = 0
    color: Colour = "#000000"


class TextAnimation(_Part):
    """Letters that appear one after the other."""

    preset: Literal["typewriter"]
    duration: Annotated[float, Field(ge=0.1, le=30)] | None = None


class TextAsset(_Part):
    """A text in a box, by default of the frame's size."""

    type: Literal["text"]
    text: str
    width: Pixels | None = None
    height: Pixels | None = None
    font: TextFont = TextFont()
    background: TextBackground = TextBackground()
    alignment: TextAlignment = TextAlignment()
    stroke: TextStroke = TextStroke()
    animation: TextAnimation | None = None
    ellipsis: str | None = None


class RichTextStroke(_Part):
    """A line along the letters' edges, half of it outside and under the letters."""

    width: Length = 0
    color: Colour = "#000000"
    opacity: Share = 1


class RichTextFont(_Part):
    """``stroke`` is another place for the asset's own."""

    family: str = "Open Sans"
    size: FontPixels = 24
    weight: Weight = 400
    style: Literal["normal", "italic"] = "normal"
    color: Colour = "#000000"
    opacity: Share = 1
    background: Colour | None = None
    stroke: RichTextStroke | None = None


class GradientStop(_Part):
    """A colour at 0 (start) to 1 (end)."""

    offset: Share
    color: Colour


class RichTextGradient(_Part):
    """Fills the letters instead of the font's colour."""

    type: Literal["linear", "radial"] = "linear"
    angle: Annotated[float, Field(ge=0, le=360)] = 0
    stops: Annotated[tuple[GradientStop, ...], Field(min_length=2)]


class RichTextStyle(_Part):
    """Typographic details; spacings in pixels, the line height in font sizes."""

    letterSpacing: float = 0
    wordSpacing: Length = 0
    lineHeight: Annotated[float, Field(ge=0, le=10)] = 1.2
    textTransform: Transform = "none"
    textDecoration: Literal["none", "underline", "line-through"] = "none"
    gradient: RichTextGradient | None = None


class RichTextShadow(_Part):
    """A soft shadow."""

    offsetX: float = 0
    offsetY: float = 0
    blur: Length = 0
    color: Colour = "#000000"
    opacity: Share = 0.5


class RichTextBackground(_Part):
    """The whole box, or with ``wrap`` a pill ``padding`` around the letters (by default 12 % of the font's size)."""

    color: Colour | None = None
    opacity: Share = 1
    borderRadius: Length = 0
    wrap: bool = False
    padding: Annotated[int, Field(ge=0, le=200)] | None = None


class Border(_Part):
    """A line along the inner edge of the background's box."""

    width: Length = 0
    color: Colour = "#000000"
    opacity: Share = 1
    radius: Length = 0


class Padding(_Part):
    """Room between the box and its text, in pixels."""

    top: Length = 0
    right: Length = 0
    bottom: Length = 0
    left: Length = 0


class RichTextAlignment(_Part):
    """Where the text stands in its box."""

    horizontal: Horizontal = "center"
    vertical: Literal["top", "middle", "bottom"] = "middle"


class RichTextAnimation(_Part):
    """How the text appears."""

    preset: Literal["fadeIn", "slideIn", "typewriter", "ascend", "shift", "movingLetters"]
    duration: Annotated[float, Field(ge=0.1, le=30)] | None = None
    style: Literal["character", "word"] | None = None
    direction: Literal["left", "right", "up", "down"] | None = None


class RichTextAsset(_Part):
    """A text in the clip's box, by default of the frame's size."""

    type: Literal["rich-text"]
    text: Annotated[str, Field(max_length=5000)]
    font: RichTextFont = RichTextFont()
    style: RichTextStyle = RichTextStyle()
    stroke: RichTextStroke | None = None
    shadow: RichTextShadow | None = None
    background: RichTextBackground = RichTextBackground()
    border: Border = Border()
    padding: Annotated[Padding, BeforeValidator(_all_sides)] = Padding()
    align: RichTextAlignment = RichTextAlignment()
    animation: RichTextAnimation | None = None


class HtmlAsset(_Part):
    """HTML in a box, by default of the frame's size."""

    type: Literal["html"]
    html: str
    css: str = ""
    width: Pixels | None = None
    height: Pixels | None = None
    background: AlphaColour = "transparent"
    position: Place = "center"


class CaptionFont(_Part):
    """Defaults [studio]."""

    family: str = "Open Sans"
    color: AlphaColour = "#FFFFFF"
    opacity: AnyShare = 1
    size: Pixels = 32
    lineHeight: Length = 1.2
    stroke: AlphaColour = "#000000"
    strokeWidth: Length = 0


class CaptionBackground(_Part):
    """A box behind the lines. Defaults [studio]."""

    color: AlphaColour | None = None
    opacity: AnyShare = 0.8
    padding: Annotated[int, BeforeValidator(_whole), Field(ge=0)] = 10
    borderRadius: Annotated[int, BeforeValidator(_whole), Field(ge=0)] = 4


class CaptionMargin(_Part):
    """Shares of the frame. With ``top`` the lines hang below it, otherwise they stand at the bottom."""

    top: AnyShare | None = None
    left: AnyShare = 0.05
    right: AnyShare = 0.05


class CaptionAsset(_Part):
    """Subtitles of an SRT or WebVTT file. ``trim`` seconds of their start are left out before ``speed`` is applied."""

    type: Literal["caption"]
    src: Annotated[str, Field(min_length=1, pattern=r"\S")]
    font: CaptionFont = CaptionFont()
    background: CaptionBackground = CaptionBackground()
    margin: CaptionMargin = CaptionMargin()
    trim: float = 0
    speed: Annotated[float, Field(ge=0, le=10)] = 1


class RichCaptionFont(_Part):
    """How words look that are not spoken at the moment."""

    family: str = "Roboto"
    size: FontPixels = 24
    weight: Weight = 400
    style: Literal["normal", "italic"] = "normal"
    color: Colour = "#ffffff"
    opacity: Share = 1
    background: Colour | None = None


class RichCaptionStyle(_Part):
    """Typographic details; ``size`` goes before the font's."""

    letterSpacing: float = 0
    lineHeight: Annotated[float, Field(ge=0, le=10)] = 1.2
    textTransform: Transform = "none"
    size: Annotated[float, Field(ge=1, le=500)] | None = None
    textDecoration: Literal["none", "underline", "line-through"] = "none"
    gradient: RichTextGradient | None = None


class RichCaptionActiveFont(_Part):
    """What the spoken word has instead."""

    family: str | None = None
    weight: Weight = 400
    color: Colour | None = None
    background: Colour | None = None
    opacity: Share = 1
    size: Annotated[float, Field(ge=1, le=500)] | None = None
    textDecoration: Literal["none", "underline", "line-through"] = "none"


class RichCaptionActive(_Part):
    """The spoken word."""

    font: RichCaptionActiveFont | None = None
    stroke: RichTextStroke | Literal["none"] | None = None
    shadow: RichTextShadow | Literal["none"] | None = None


class RichCaptionAnimation(_Part):
    """How words are brought out."""

    style: Literal["karaoke", "highlight", "pop", "fade", "slide", "bounce", "typewriter", "none"]
    direction: Literal["left", "right", "up", "down"] = "up"


class RichCaptionAsset(_Part):
    """Subtitles with rich text, whose spoken word may have a colour of its own."""

    type: Literal["rich-caption"]
    src: Annotated[str, Field(min_length=1)]
    font: RichCaptionFont = RichCaptionFont()
    style: RichCaptionStyle = RichCaptionStyle()
    stroke: RichTextStroke | None = None
    shadow: RichTextShadow | None = None
    background: RichTextBackground = RichTextBackground()
    border: Border = Border()
    padding: Annotated[Padding, BeforeValidator(_all_sides)] = Padding()
    align: RichTextAlignment = RichTextAlignment()
    active: RichCaptionActive = RichCaptionActive()
    animation: RichCaptionAnimation | None = None


class ShapeFill(_Part):
    """Defaults [studio]."""

    color: AlphaColour = "#FFFFFF"
    opacity: AnyShare = 1


class ShapeStroke(_Part):
    """A line around the shape."""

    color: AlphaColour = "#000000"
    width: Length = 0


class Rectangle(_Part):
    """Sides and corners in pixels."""

    width: Pixels
    height: Pixels
    cornerRadius: Annotated[int, BeforeValidator(_whole), Field(ge=0)] = 0


class Circle(_Part):
    """A radius in pixels."""

    radius: Annotated[int, BeforeValidator(_whole), Field(ge=1, le=2048)]


class LineShape(_Part):
    """A level line, in pixels."""

    length: Pixels
    thickness: Pixels


class ShapeAsset(_Part):
    """A shape in the middle of its box, by default of the frame's size."""

    type: Literal["shape"]
    shape: Literal["rectangle", "circle", "line"]
    width: Pixels | None = None
    height: Pixels | None = None
    fill: ShapeFill = ShapeFill()
    stroke: ShapeStroke = ShapeStroke()
    rectangle: Rectangle | None = None
    circle: Circle | None = None
    line: LineShape | None = None


# To be discriminated by ``type``.
StillAsset = TitleAsset | TextAsset | RichTextAsset | HtmlAsset | CaptionAsset | RichCaptionAsset | ShapeAsset
