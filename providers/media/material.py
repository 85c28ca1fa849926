"""Looks at an Edit's files and draws its texts: all that planning needs to know of the world."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from myloware.kernel.errors import MediaError, UnprocessableInput
from providers.media.edit import AudioAsset, Clip, Edit, ImageAsset, LumaAsset, VideoAsset, refused
from providers.media.geometry import Size
from providers.media.probe import Look, Probe, look, probe
from providers.media.text import FontBook, stills
from providers.media.timeline import Drawn, Footage, Material, frame_size
from providers.media.timing import STILL_S, Placed, place

STILL_CODECS = frozenset({"mjpeg", "png", "bmp", "webp", "gif", "tiff"})


def urls(edit: Edit) -> Iterator[tuple[str, str]]:
    """Every file an Edit needs, as (JSON path, URL)."""
    if edit.timeline.soundtrack is not None:
        yield "timeline.soundtrack.src", edit.timeline.soundtrack.src
    for number, font in enumerate(edit.timeline.fonts):
        yield f"timeline.fonts[{number}].src", font.src
    for track_number, track in enumerate(edit.timeline.tracks):
        for clip_number, clip in enumerate(track.clips):
            source = getattr(clip.asset, "src", None)
            if source:
                yield f"timeline.tracks[{track_number}].clips[{clip_number}].asset.src", source


def gather(
    edit: Edit, sources: Mapping[str, Path], folder: Path
) -> tuple[tuple[Placed, ...], Material, dict[str, Footage]]:
    """The clips in their places, what they show, and the footage that can be heard, by JSON path.

    Texts are drawn into ``folder``. Raises UnprocessableInput for a source that is not given or is of no use, and
    MediaError for one that is broken.
    """
    for path, url in urls(edit):
        if url not in sources:
            raise refused(path, "no local file for this source")
    with ThreadPoolExecutor(os.cpu_count(), "look") as pool:
        shelf = _Shelf(edit, sources, folder, *_looked_at(edit, sources, pool))
        placed = place(edit.timeline, shelf.lasts)
        # Texts are drawn while the files are looked at.
        drawn = {each.path: shelf.drawn(each) for each in placed if _is_drawn(each.clip)}
        footage = {each.path: shelf.footage(each.clip, each.path) for each in placed if _is_seen(each.clip)}
        audible = {each.path: shelf.audible(each.clip, each.path) for each in placed if _may_sound(each.clip)}
        track = edit.timeline.soundtrack
        if track is not None:
            audible["timeline.soundtrack"] = shelf.sound(track.src)
    return placed, Material(footage, drawn), {path: heard for path, heard in audible.items() if heard is not None}


def _looked_at(
    edit: Edit, sources: Mapping[str, Path], pool: ThreadPoolExecutor
) -> tuple[dict[str, Future[Probe]], dict[str, Future[Look]]]:
    assets = [clip.asset for track in edit.timeline.tracks for clip in track.clips]
    seen = {asset.src for asset in assets if isinstance(asset, VideoAsset | ImageAsset | LumaAsset)}
    files = seen | {asset.src for asset in assets if isinstance(asset, AudioAsset)}
    if edit.timeline.soundtrack is not None:
        files.add(edit.timeline.soundtrack.src)
    return (
        {url: pool.submit(probe, sources[url]) for url in files},
        {url: pool.submit(look, sources[url]) for url in seen},
    )


def _is_seen(clip: Clip) -> bool:
    return isinstance(clip.asset, VideoAsset | ImageAsset | LumaAsset)


def _is_drawn(clip: Clip) -> bool:
    return not isinstance(clip.asset, VideoAsset | ImageAsset | LumaAsset | AudioAsset)


def _may_sound(clip: Clip) -> bool:
    return isinstance(clip.asset, VideoAsset | AudioAsset)


@dataclass(frozen=True)
class _Shelf:
    edit: Edit
    sources: Mapping[str, Path]
    folder: Path
    probed: Mapping[str, Future[Probe]]
    looks: Mapping[str, Future[Look]]

    def lasts(self, clip: Clip, path: str) -> float:
        """What ``auto`` means as a length."""
        asset = clip.asset
        if isinstance(asset, VideoAsset | AudioAsset | LumaAsset) and not self._is_picture(asset.src):
            speed = 1 if isinstance(asset, LumaAsset) else asset.speed
            return max(0.0, self._facts(asset.src, path).duration_s - asset.trim) / speed
        return STILL_S

    def _facts(self, url: str, path: str) -> Probe:
        try:
            return self.probed[url].result()
        except MediaError as error:
            raise MediaError(f"{path}.asset.src: {error.message}") from error

    def _is_picture(self, url: str) -> bool:
        return self.probed[url].result().video_codec in STILL_CODECS

    def footage(self, clip: Clip, path: str) -> Footage:
        asset = clip.asset
        assert isinstance(asset, VideoAsset | ImageAsset | LumaAsset)  # noqa: S101 - what is seen
        facts = self._facts(asset.src, path)
        if facts.video_codec is None:
            raise refused(f"{path}.asset.src", "the source has no picture")
        seen = self.looks[asset.src].result()
        still = isinstance(asset, ImageAsset) or facts.video_codec in STILL_CODECS
        trim_s = 0.0 if isinstance(asset, ImageAsset) else asset.trim
        if not still and trim_s >= facts.duration_s:
            raise refused(f"{path}.asset.trim", f"the source lasts only {facts.duration_s:g} s")
        return Footage(
            src=asset.src,
            file=self.sources[asset.src],
            size=Size(seen.width_px, seen.height_px),
            **({} if isinstance(asset, LumaAsset) else {"crop": asset.crop}),
            has_alpha=seen.has_alpha,
            is_hdr=seen.is_hdr,
            trim_s=trim_s,
            speed=asset.speed if isinstance(asset, VideoAsset) else 1,
            lasts_s=None if still else facts.duration_s,
        )

    def audible(self, clip: Clip, path: str) -> Footage | None:
        asset = clip.asset
        assert isinstance(asset, VideoAsset | AudioAsset)  # noqa: S101 - what may sound
        heard = self.sound(asset.src)
        if heard is None and isinstance(asset, AudioAsset):
            raise refused(f"{path}.asset.src", "the source has no sound")
        return heard

    def sound(self, url: str) -> Footage | None:
        facts = self.probed[url].result()
        return Footage(url, self.sources[url], Size(2, 2)) if facts.audio_codec else None

    def drawn(self, placed: Placed) -> Sequence[Drawn]:
        clip, frame = placed.clip, frame_size(self.edit.output)
        asset = clip.asset
        assert not isinstance(asset, VideoAsset | ImageAsset | LumaAsset | AudioAsset)  # noqa: S101 - what is drawn
        fonts = FontBook({font.src: self.sources[font.src] for font in self.edit.timeline.fonts})
        try:
            pictures = stills(
                asset,
                frame_px=(frame.width, frame.height),
                box_px=(_whole(clip.width), _whole(clip.height)),
                length_s=placed.length_s,
                fonts=fonts,
                captions=self._captions(clip),
            )
            return [
                kept
                for number, still in enumerate(pictures)
                if (kept := self._kept(still.picture, f"{placed.path}-{number}", still.start_s, still.end_s))
            ]
        except UnprocessableInput as error:
            where = f"{placed.path}.asset.{error.detail.get('path', '')}".rstrip(".")
            raise refused(where, error.message) from error

    def _captions(self, clip: Clip) -> str | None:
        source = getattr(clip.asset, "src", None)
        return self.sources[source].read_text(encoding="utf-8-sig") if source else None

    def _kept(self, picture: Image.Image, name: str, start_s: float, end_s: float) -> Drawn | None:
        """The drawing's ink as a file; None when there is none."""
        ink = picture.getbbox()
        if ink is None:
            return None
        left, top, right, bottom = _evened(ink, picture.size)
        file = self.folder / f"{name}.png"
        _bled(picture.crop((left, top, right, bottom))).save(file, compress_level=1)
        return Drawn(
            file=file,
            box=Size(*picture.size),
            left=left,
            top=top,
            size=Size(right - left, bottom - top),
            start_s=start_s,
            end_s=end_s,
        )


def _whole(length: float | None) -> int | None:
    return None if length is None else round(length)


def _evened(ink: tuple[int, int, int, int], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """A box with even corners around the ink; it may reach a pixel beyond the picture, which is transparent there."""
    left, top, right, bottom = ink
    return left // 2 * 2, top // 2 * 2, right + right % 2, bottom + bottom % 2


def _bled(picture: Image.Image) -> Image.Image:
    """With the ink's mean colour where it is transparent: what is scaled or turned mixes neighbours."""
    pixels = np.array(picture)
    alpha = pixels[..., 3:].astype(np.float64)
    mean = (pixels[..., :3] * alpha).sum(axis=(0, 1)) / alpha.sum()
    pixels[..., :3] = np.where(alpha == 0, np.round(mean).astype(np.uint8), pixels[..., :3])
    return Image.fromarray(pixels)
