"""The shape asset."""

from __future__ import annotations

from PIL import Image

from myloware.kernel.errors import UnprocessableInput
from providers.media.text.assets import ShapeAsset
from providers.media.text.colours import rgba
from providers.media.text.paint import Rect, draw_framed_box
from providers.media.text.stills import Still, single


def shape_stills(asset: ShapeAsset, frame_px: tuple[int, int], length_s: float) -> tuple[Still, ...]:
    """Raises UnprocessableInput when the measures of its kind are missing."""
    width_px, height_px, radius_px = _measures(asset)
    box = (asset.width or frame_px[0], asset.height or frame_px[1])
    left, top = (box[0] - width_px) / 2, (box[1] - height_px) / 2
    shape = Rect(left, top, left + width_px, top + height_px)

    def draw() -> Image.Image:
        picture = Image.new("RGBA", box)
        fill, stroke = asset.fill, asset.stroke
        draw_framed_box(picture, shape, radius_px, rgba(fill.color, fill.opacity), rgba(stroke.color), stroke.width)
        return picture

    return single(length_s, draw)


def _measures(asset: ShapeAsset) -> tuple[int, int, float]:
    """Width, height and corner radius: a circle is a square whose corners meet, a line a flat rectangle."""
    if asset.shape == "rectangle" and asset.rectangle:
        return asset.rectangle.width, asset.rectangle.height, asset.rectangle.cornerRadius
    if asset.shape == "circle" and asset.circle:
        return 2 * asset.circle.radius, 2 * asset.circle.radius, asset.circle.radius
    if asset.shape == "line" and asset.line:
        return asset.line.length, asset.line.thickness, 0
    raise UnprocessableInput(f"a {asset.shape} needs its measures", path=asset.shape)
