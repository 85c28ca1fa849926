"""Renders a planned timeline with FFmpeg: plan -> filter graphs (pure) -> runs.

The picture is made in pieces, cut where a clip begins, and joined without another encode: one graph over the whole
film would keep frames of every clip in memory (7.8 GB for 12 clips at 1080x1920), a piece needs only what it shows.
The sound is mixed apart (soundtrack).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from myloware.kernel.errors import UnprocessableInput
from providers.media import ffmpeg
from providers.media.probe import Probe, probe
from providers.media.soundtrack import write_soundtrack
from providers.media.timeline import Layer, Plan, TextLayer, VideoLayer, plan
from providers.media.typography import draw_text

# Measured for 435 frames of 1080x1920 on two cores: faster presets give files several times as large.
PRESET = "veryfast"
# Starting FFmpeg and x264's first frames cost about as much as this much film.
SHORTEST_PIECE_S = 3.0
BT709 = "out_color_matrix=bt709:out_range=tv"


@dataclass(frozen=True)
class Graph:
    """FFmpeg's input arguments and a filter graph with the output ``[out]``."""

    inputs: tuple[str, ...]
    filters: str


@dataclass(frozen=True)
class Piece:
    """A stretch of the film, in frames."""

    start: int
    length: int

    @property
    def end(self) -> int:
        """The first frame after it."""
        return self.start + self.length


@dataclass(frozen=True)
class TextPicture:
    """A drawn text: its file and where its ink begins inside the box."""

    file: Path
    left_px: int
    top_px: int


@dataclass(frozen=True)
class Material:
    """What a plan is rendered from: files and facts by ``src``, drawn texts by layer path."""

    files: Mapping[str, Path]
    facts: Mapping[str, Probe]
    texts: Mapping[str, TextPicture]


def render(
    edit: Mapping[str, Any],
    sources: Mapping[str, Path],
    target: Path,
    *,
    work_dir: Path,
    on_progress: Callable[[float], None] | None = None,
) -> Probe:
    """Renders a Shotstack Edit to an MP4 (H.264 yuv420p, AAC 48 kHz stereo, faststart) and returns its probe.

    ``sources`` maps each video's ``src`` to a local file; ``work_dir`` holds temporary files; ``on_progress`` gets the
    finished part, 0..1. Raises UnprocessableInput, before anything is rendered, for what this renderer does not know,
    and MediaError when a source is broken or FFmpeg fails.
    """
    film = plan(edit)
    facts = probe_sources(film, sources)
    with tempfile.TemporaryDirectory(dir=work_dir) as name:
        folder = Path(name)
        material = Material(sources, facts, draw_texts(film, folder))
        sound = folder / "sound.m4a"
        write_soundtrack(film, sources, facts, sound)
        parts = _render_pieces(film, material, folder, on_progress or (lambda _: None))
        _join(parts, sound, target, film)
    return probe(target)


def _render_pieces(film: Plan, material: Material, folder: Path, report: Callable[[float], None]) -> list[Path]:
    parts = []
    for number, piece in enumerate(pieces(film)):
        part = folder / f"piece-{number:04}.mp4"
        encoder = [*ffmpeg.x264(PRESET, crf=film.crf, fps=film.fps), "-frames:v", str(piece.length)]

        def progress(done_s: float, piece: Piece = piece) -> None:
            report(min(1.0, (piece.start + done_s * film.fps) / film.length))

        _run(picture_graph(film, piece, material), encoder, part, piece.length / film.fps, progress)
        parts.append(part)
    return parts


def _run(graph: Graph, encoder: list[str], target: Path, length_s: float, progress: Callable[[float], None]) -> None:
    script = target.with_suffix(".graph")
    script.write_text(graph.filters, encoding="utf-8")
    args = [*graph.inputs, "-/filter_complex", str(script), "-map", "[out]", *encoder]
    ffmpeg.write(args, target, timeout_s=120 + 20 * length_s, on_progress=progress)


def _join(parts: Sequence[Path], sound: Path, target: Path, film: Plan) -> None:
    listing = sound.with_name("pieces.txt")
    lines = [
        f"file {part.name}\nduration {piece.length / film.fps:.6f}\n"
        for part, piece in zip(parts, pieces(film), strict=True)
    ]
    listing.write_text("".join(lines), encoding="ascii")
    inputs = ["-f", "concat", "-i", str(listing), "-i", str(sound), "-map", "0:v:0", "-map", "1:a:0"]
    ffmpeg.write(
        [*inputs, "-c", "copy", "-video_track_timescale", str(round(film.fps * 1000)), "-movflags", "+faststart"],
        target,
        timeout_s=120 + film.duration_s,
    )


def pieces(film: Plan) -> tuple[Piece, ...]:
    """The film cut where clips begin, in stretches of at least three seconds (the last may be shorter)."""
    cuts = [0]
    for start in sorted({layer.start for layer in film.videos}):
        if start - cuts[-1] >= SHORTEST_PIECE_S * film.fps:
            cuts.append(start)
    ends = [*cuts[1:], film.length]
    return tuple(Piece(start, end - start) for start, end in zip(cuts, ends, strict=True))


def probe_sources(film: Plan, sources: Mapping[str, Path]) -> dict[str, Probe]:
    """Facts by ``src``. Raises UnprocessableInput for a source that is not given or has no picture."""
    facts: dict[str, Probe] = {}
    for layer in film.videos:
        where = f"{layer.path}.asset.src"
        if layer.src not in sources:
            raise UnprocessableInput(f"{where}: no local file for this source", path=where)
        if layer.src not in facts:
            facts[layer.src] = probe(sources[layer.src])
        found = facts[layer.src]
        if found.video_codec is None:
            raise UnprocessableInput(f"{where}: the source has no picture", path=where)
        if layer.trim_s >= found.duration_s:
            trim = f"{layer.path}.asset.trim"
            raise UnprocessableInput(f"{trim}: the source lasts only {found.duration_s:g} s", path=trim)
    return facts


def draw_texts(film: Plan, folder: Path) -> dict[str, TextPicture]:
    """Draws every text into ``folder``, cut to its ink; keys are layer paths. Texts without ink are left out."""
    drawn: dict[str, TextPicture] = {}
    for number, layer in enumerate(film.layers):
        if not isinstance(layer, TextLayer):
            continue
        picture = draw_text(layer.text, layer.style, width_px=layer.width_px, height_px=layer.height_px)
        box = picture.getbbox()
        if box is not None:
            file = folder / f"text-{number}.png"
            picture.crop(box).save(file)
            drawn[layer.path] = TextPicture(file, box[0], box[1])
    return drawn


def picture_graph(film: Plan, piece: Piece, material: Material) -> Graph:
    """One piece: the background with each layer that shows in it laid over."""
    inputs: list[str] = []
    size = f"{film.width_px}x{film.height_px}"
    background = f"color=c={film.background}:s={size}:r={film.fps:g}:d={_seconds(film, piece.length + 1)}"
    chains = [f"{background},format=yuv420p[under0]"]
    shown = [layer for layer in film.layers if _shows(layer, piece, material)]
    for number, layer in enumerate(shown):
        if isinstance(layer, VideoLayer):
            inputs += _video_input(layer, piece, film, material)
            prepared = _video_chain(layer, piece, film, material.facts[layer.src])
            x, y = _anchor(layer, film, "w", "h")
        else:
            picture = material.texts[layer.path]
            inputs += ["-i", str(picture.file)]
            prepared = _text_chain(layer, piece, film)
            x, y = _text_anchor(layer, picture, film)
        chains.append(f"[{number}:v:0]{prepared}[layer{number}]")
        chains.append(f"[under{number}][layer{number}]overlay=x='{x}':y='{y}':eof_action=pass[under{number + 1}]")
    chains.append(f"[under{len(shown)}]trim=end_frame={piece.length}[out]")
    return Graph(tuple(inputs), ";\n".join(chains))


def _shows(layer: Layer, piece: Piece, material: Material) -> bool:
    drawn = isinstance(layer, VideoLayer) or layer.path in material.texts
    return drawn and layer.start < piece.end and layer.start + layer.length > piece.start


def _hidden(layer: Layer, piece: Piece) -> int:
    """Frames of the layer that lie before the piece."""
    return max(0, piece.start - layer.start)


def _visible(layer: Layer, piece: Piece) -> int:
    """Frames of the layer that lie in the piece."""
    return min(layer.start + layer.length, piece.end) - max(layer.start, piece.start)


def _seconds(film: Plan, frames: int) -> str:
    return f"{frames / film.fps:.6f}"


def _video_input(layer: VideoLayer, piece: Piece, film: Plan, material: Material) -> list[str]:
    # A source that ends early still gives its last frames, which are then held.
    latest_s = max(0.0, material.facts[layer.src].duration_s - 0.2)
    from_s = min(layer.trim_s + _hidden(layer, piece) / film.fps, latest_s)
    length_s = _visible(layer, piece) / film.fps + 1
    return ["-ss", f"{from_s:.6f}", "-t", f"{length_s:.6f}", "-i", str(material.files[layer.src])]


def _video_chain(layer: VideoLayer, piece: Piece, film: Plan, facts: Probe) -> str:
    count = _visible(layer, piece)
    paced = f"fps={film.fps:g}:start_time=0,tpad=stop_mode=clone:stop={count},trim=end_frame={count}"
    square = "scale='trunc(iw*sar/2)*2':'trunc(ih/2)*2',setsar=1"
    parts = [paced, square, *_fitting(layer, piece, film, facts), *_timed(layer, piece, film)]
    return ",".join(parts)


def _timed(layer: Layer, piece: Piece, film: Plan) -> list[str]:
    """Fades by the layer's own clock, then the layer moved to its place in the piece."""
    own_clock = f"setpts=(N+{_hidden(layer, piece)})/{film.fps:g}/TB"
    return [own_clock, *_fading(layer, film), f"setpts=PTS+({layer.start - piece.start})/{film.fps:g}/TB"]


def _fitting(layer: VideoLayer, piece: Piece, film: Plan, facts: Probe) -> list[str]:
    width, height = film.width_px, film.height_px
    if layer.fit == "none":
        return ["format=yuv420p"]
    if layer.fit == "contain":
        keep = "force_original_aspect_ratio=decrease:force_divisible_by=2"
        return [f"scale={width}:{height}:{keep}:flags=bicubic:{BT709}", "format=yuv420p"]
    crop = f"crop='min(iw,ih*{width}/{height})':'min(ih,iw*{height}/{width})'"
    scale = [f"scale={width}:{height}:flags=bicubic:{BT709}", "setsar=1", "format=yuv420p"]
    smaller = (facts.width_px or 0) * (facts.height_px or 0) < width * height
    # The zoom costs by the pixel, so it runs on the smaller of the two pictures.
    zoom = _zoom(layer, piece)
    return [crop, *zoom, *scale] if smaller else [crop, *scale, *zoom]


def _zoom(layer: VideoLayer, piece: Piece) -> list[str]:
    """A zoom with sub-pixel steps: perspective interpolates its corners, where crop and zoompan jump by pixels."""
    if layer.zoom_to == 1:
        return []
    inset = f"(1-1/(1+{layer.zoom_to - 1:.6f}*(on+{_hidden(layer, piece)})/{layer.length}))/2"
    left, right = f"W*{inset}", f"W-W*{inset}"
    top, bottom = f"H*{inset}", f"H-H*{inset}"
    corners = {"x0": left, "y0": top, "x1": right, "y1": top, "x2": left, "y2": bottom, "x3": right, "y3": bottom}
    moves = ":".join(f"{name}='{value}'" for name, value in corners.items())
    return [f"perspective={moves}:interpolation=linear:eval=frame"]


def _fading(layer: Layer, film: Plan) -> list[str]:
    """Opacity: fades are S-curves of the alpha plane in the service; a straight line is its close neighbour."""
    if not (layer.fade_in or layer.fade_out or layer.opacity < 1):
        return []
    parts = ["format=yuva420p"]
    if layer.opacity < 1:
        parts.append(f"lut=a=val*{layer.opacity:.4f}")
    if layer.fade_in:
        parts.append(f"fade=t=in:st=0:d={_seconds(film, layer.fade_in)}:alpha=1")
    if layer.fade_out:
        begin = max(0, layer.length - layer.fade_out)
        parts.append(f"fade=t=out:st={_seconds(film, begin)}:d={_seconds(film, layer.fade_out)}:alpha=1")
    return parts


def _text_chain(layer: TextLayer, piece: Piece, film: Plan) -> str:
    still = f"scale={BT709},format=yuva420p,loop=loop={_visible(layer, piece) - 1}:size=1"
    return ",".join([still, f"settb=1/{round(film.fps * 1000)}", *_timed(layer, piece, film)])


def _anchor(layer: Layer, film: Plan, width: str | int, height: str | int) -> tuple[str, str]:
    """Left and top edge of something of this size, as FFmpeg expressions."""
    name = layer.position.lower()
    across = (
        "0" if "left" in name else f"{film.width_px}-{width}" if "right" in name else f"({film.width_px}-{width})/2"
    )
    down = (
        "0" if "top" in name else f"{film.height_px}-{height}" if "bottom" in name else f"({film.height_px}-{height})/2"
    )
    return f"{across}+{layer.offset_x * film.width_px:.3f}", f"{down}-({layer.offset_y * film.height_px:.3f})"


def _text_anchor(layer: TextLayer, picture: TextPicture, film: Plan) -> tuple[str, str]:
    x, y = _anchor(layer, film, layer.width_px, layer.height_px)
    return f"{x}+{picture.left_px}", f"{y}+{picture.top_px}"
