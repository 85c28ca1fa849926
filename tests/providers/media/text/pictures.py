"""Assets drawn, and ways to look at what was drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import ImageFont
from pydantic import TypeAdapter

from myloware.kernel.errors import UnprocessableInput
from providers.media.text import FontBook, Still, StillAsset, stills
from providers.media.text.fonts import FONTS

Pixels = npt.NDArray[np.uint8]
BOOK = FontBook()
FRAME = (400, 240)
_ASSETS: TypeAdapter[StillAsset] = TypeAdapter(StillAsset)


def shown(
    asset: dict[str, Any], *, frame: tuple[int, int] = FRAME, length_s: float = 2.0, **more: Any
) -> tuple[Still, ...]:
    """The stills of an asset given as JSON."""
    return stills(_ASSETS.validate_python(asset), frame_px=frame, length_s=length_s, **{"fonts": BOOK, **more})


def drawn(asset: dict[str, Any], **more: Any) -> Pixels:
    """The last still, shape (height, width, 4)."""
    return np.asarray(shown(asset, **more)[-1].picture)


def refusal(asset: dict[str, Any], **more: Any) -> UnprocessableInput:
    """The error that an asset ends in."""
    with pytest.raises(UnprocessableInput) as caught:
        shown(asset, **more)
    return caught.value


def rich(
    text: str, *, size: int = 40, colour: str = "#FFFFFF", font: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """A rich-text asset."""
    return {"type": "rich-text", "text": text, "font": {"size": size, "color": colour, **(font or {})}, **more}


def ink(pixels: Pixels, *, least: int = 128) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is at least so opaque, the last two excluded."""
    rows, columns = np.nonzero(pixels[..., 3] >= least)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def line_count(pixels: Pixels) -> int:
    """How often rows of ink begin."""
    inked = (pixels[..., 3] > 64).any(axis=1)
    return int((np.diff(inked.astype(int), prepend=0) == 1).sum())


def matching(pixels: Pixels, colour: tuple[int, int, int]) -> npt.NDArray[np.bool_]:
    """Opaque pixels of about this colour."""
    near = np.abs(pixels[..., :3].astype(int) - colour).max(axis=2) < 24
    both: npt.NDArray[np.bool_] = near & (pixels[..., 3] > 200)
    return both


def pillow_width(text: str, name: str, size: int, weight: int) -> float:
    """How wide Pillow sets a text: another way to the same font file, without kerning across pairs."""
    font = ImageFont.truetype(FONTS / name, size, layout_engine=ImageFont.Layout.BASIC)
    font.set_variation_by_axes([weight])
    return font.getlength(text)
