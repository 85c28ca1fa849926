"""Still pictures of a film, for pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import av
import av.error
from PIL import Image

from myloware.kernel.errors import MediaError
from providers.media.ffmpeg import replacing

JPEG_QUALITY = 88


def poster(path: Path, target: Path, *, at_s: float, max_width_px: int = 720) -> None:
    """Writes the frame shown at ``at_s`` (the last one, if the film is shorter) as a JPEG. Raises MediaError."""
    _save(_frame(path, at_s, max_width_px), target)


def contact_sheet(path: Path, target: Path, *, at_s: Sequence[float], columns: int = 6, width_px: int = 180) -> None:
    """Writes the frames at these times side by side as one JPEG. Raises MediaError."""
    frames = [_frame(path, moment, width_px) for moment in at_s]
    width, height = frames[0].size
    sheet = Image.new("RGB", (min(columns, len(frames)) * width, math.ceil(len(frames) / columns) * height))
    for index, frame in enumerate(frames):
        sheet.paste(frame, (index % columns * width, index // columns * height))
    _save(sheet, target)


def _frame(path: Path, at_s: float, max_width_px: int) -> Image.Image:
    image: Image.Image | None = None
    try:
        with av.open(str(path)) as container:
            container.seek(round(max(0.0, at_s) * av.time_base))
            for frame in container.decode(video=0):
                image = Image.fromarray(frame.to_ndarray(format="rgb24"))
                if frame.time is not None and frame.time >= at_s - 0.001:
                    break
    except (av.error.FFmpegError, OSError, IndexError) as error:
        raise MediaError(f"{path.name} gives no picture: {error}") from error
    if image is None:
        raise MediaError(f"{path.name} has no frame at {at_s:g} s")
    scale = min(1.0, max_width_px / image.width)
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)


def _save(image: Image.Image, target: Path) -> None:
    with replacing(target) as unfinished:
        image.save(unfinished, "JPEG", quality=JPEG_QUALITY, optimize=True)
