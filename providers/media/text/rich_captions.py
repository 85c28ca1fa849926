"""The rich-caption asset: cues set as rich text, word by word when the spoken one has a look of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from PIL import Image

from myloware.kernel.errors import UnprocessableInput
from providers.media.text.assets import RichCaptionAsset, RichTextAsset
from providers.media.text.captions import Cue, cues_in
from providers.media.text.colours import rgba
from providers.media.text.fonts import FontBook
from providers.media.text.lines import Line
from providers.media.text.paint import Placed
from providers.media.text.plain import Card, rich_card
from providers.media.text.shaping import Cluster, Look
from providers.media.text.stills import Still

# The rest moves or resizes words between pictures.
STYLES = ("none", "highlight", "karaoke")


def rich_caption_stills(
    asset: RichCaptionAsset, size: tuple[int, int], length_s: float, fonts: FontBook, source: str | None
) -> tuple[Still, ...]:
    """One still per cue, or one per word when the spoken word is told apart by its colours.

    A word is given the share of its cue that it has of its letters. Raises UnprocessableInput for a file without cues,
    a family that is not there, a character without a glyph, and what would move words.
    """
    style = _style(asset)
    stills: list[Still] = []
    for cue in cues_in(source, length_s):
        card = rich_card(_rich_text(asset, cue.text), size, fonts, path="src")
        stills += [Still(cue.start_s, cue.end_s, card.picture)] if style == "none" else _spoken(asset, style, cue, card)
    return tuple(stills)


def _style(asset: RichCaptionAsset) -> str:
    """The animation. Without one, words are brought out when there is a look for them."""
    style = asset.animation.style if asset.animation else "highlight" if asset.active.font else "none"
    if style not in STYLES:
        raise UnprocessableInput(f"{style} is not drawn here; use {', '.join(STYLES)}", path="animation.style")
    for path, given, same in _kept(asset):
        if given != same:
            raise UnprocessableInput("words keep theirs here while they are spoken; leave it out", path=path)
    if asset.style.gradient and asset.active.font and style != "none":
        raise UnprocessableInput("letters with a gradient keep it; leave one of them out", path="active.font")
    return style


def _kept(asset: RichCaptionAsset) -> Iterator[tuple[str, object, object]]:
    """What the spoken word may name only if it is that of all words."""
    active, font = asset.active, asset.active.font
    if active.stroke is not None:
        yield "active.stroke", active.stroke, asset.stroke or "none"
    if active.shadow is not None:
        yield "active.shadow", active.shadow, asset.shadow or "none"
    if font is not None:
        for name, same in (("family", asset.font.family), ("weight", asset.font.weight), ("size", _size(asset))):
            if name in font.model_fields_set:
                yield f"active.font.{name}", getattr(font, name), same


def _size(asset: RichCaptionAsset) -> int:
    return round(asset.style.size or asset.font.size)


def _rich_text(asset: RichCaptionAsset, text: str) -> RichTextAsset:
    style: Mapping[str, Any] = asset.style.model_dump(exclude={"size"})
    parts = {name: getattr(asset, name) for name in ("stroke", "shadow", "background", "border", "padding", "align")}
    font = {**asset.font.model_dump(), "size": _size(asset)}
    return RichTextAsset.model_validate({"type": "rich-text", "text": text, "font": font, "style": style, **parts})


def _spoken(asset: RichCaptionAsset, style: str, cue: Cue, card: Card) -> Iterator[Still]:
    words = list(_words(card.placed))
    letters = [len(word) for word in words]
    start_s = cue.start_s
    for number, count in enumerate(letters):
        end_s = start_s + (cue.end_s - cue.start_s) * count / sum(letters)
        first = 0 if style == "karaoke" else number
        active = {cluster for word in words[first : number + 1] for cluster in word}
        yield _word(asset, card, active, (start_s, cue.end_s if number == len(words) - 1 else end_s))
        start_s = end_s


def _word(asset: RichCaptionAsset, card: Card, active: set[Cluster], times_s: tuple[float, float]) -> Still:
    def draw() -> Image.Image:
        look = _active(asset, next(iter(active)).look)
        return replace(card, placed=list(_recoloured(card.placed, active, look))).picture()

    return Still(*times_s, draw)


def _words(placed: Sequence[Placed]) -> Iterator[list[Cluster]]:
    """The clusters of each word, in reading order."""
    for one in placed:
        word: list[Cluster] = []
        for cluster in sorted(one.line.clusters, key=lambda cluster: cluster.start):
            if not cluster.blank:
                word.append(cluster)
            elif word:
                yield word
                word = []
        if word:
            yield word


def _active(asset: RichCaptionAsset, look: Look) -> Look:
    font = asset.active.font
    if font is None:
        return look
    return replace(
        look,
        colour=rgba(font.color or asset.font.color, font.opacity),
        decoration=font.textDecoration,
        highlight=rgba(font.background) if font.background else look.highlight,
    )


def _recoloured(placed: Sequence[Placed], active: set[Cluster], look: Look) -> Iterator[Placed]:
    for one in placed:
        clusters = tuple(replace(c, look=look) if c in active else c for c in one.line.clusters)
        yield Placed(Line(clusters), one.x, one.y)
