"""Draws every still picture of an edit: titles, texts, HTML, captions and shapes. See docs/text.md."""

from __future__ import annotations

from providers.media.text.assets import (
    CaptionAsset,
    HtmlAsset,
    RichCaptionAsset,
    RichTextAsset,
    ShapeAsset,
    StillAsset,
    TextAsset,
    TitleAsset,
)
from providers.media.text.captions import caption_stills
from providers.media.text.fonts import FontBook
from providers.media.text.html import html_stills
from providers.media.text.plain import rich_text_stills, text_stills
from providers.media.text.rich_captions import rich_caption_stills
from providers.media.text.shapes import shape_stills
from providers.media.text.stills import Still
from providers.media.text.titles import title_stills

__all__ = [
    "CaptionAsset",
    "FontBook",
    "HtmlAsset",
    "RichCaptionAsset",
    "RichTextAsset",
    "ShapeAsset",
    "Still",
    "StillAsset",
    "TextAsset",
    "TitleAsset",
    "stills",
]


def stills(
    asset: StillAsset,
    *,
    frame_px: tuple[int, int],
    box_px: tuple[int | None, int | None] = (None, None),
    length_s: float,
    fonts: FontBook,
    captions: str | None = None,
) -> tuple[Still, ...]:
    """The pictures of a clip of ``length_s`` seconds, in their order and without overlaps.

    ``box_px`` is the clip's own width and height, which is the box of a rich-text or rich-caption; ``captions`` the
    text of the file that a caption names. Raises UnprocessableInput for what cannot be drawn; its ``path`` begins at
    the asset ("font.family"), its message does not repeat it.
    """
    box = (box_px[0] or frame_px[0], box_px[1] or frame_px[1])
    match asset:
        case TitleAsset():
            made = title_stills(asset, frame_px, length_s, fonts)
        case TextAsset():
            made = text_stills(asset, frame_px, length_s, fonts)
        case RichTextAsset():
            made = rich_text_stills(asset, box, length_s, fonts)
        case HtmlAsset():
            made = html_stills(asset, frame_px, length_s, fonts)
        case CaptionAsset():
            made = caption_stills(asset, frame_px, length_s, fonts, captions)
        case RichCaptionAsset():
            made = rich_caption_stills(asset, box, length_s, fonts, captions)
        case ShapeAsset():
            made = shape_stills(asset, frame_px, length_s)
    return made
