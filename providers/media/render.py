"""Renders an Edit with FFmpeg on this machine: plan, graphs, runs.

The picture is made in pieces, cut where what can be seen changes, one for every two cores at a time, and joined without
another encode. A piece is known by the hash of all that goes into it, so that a changed caption costs the
pieces it touches. The sound is mixed apart (``soundtrack``).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import imageio_ffmpeg

from myloware.kernel.errors import MediaError
from providers.media import ffmpeg
from providers.media.edit import Edit, Output, checked
from providers.media.graph import File, Graph, Mask, Piece, graph, pieces, visible
from providers.media.material import gather
from providers.media.poster import poster
from providers.media.probe import Probe, probe
from providers.media.soundtrack import Sound, sounds, write_soundtrack
from providers.media.timeline import Plan, plan

# Of each FFmpeg; the same on every machine, because it shows in the bytes. Pieces side by side cost less than slices of
# one picture do.
THREADS = 1
REPORT_EVERY_S = 0.25
SHORTEST_PIECE_S = 1.0
LONGEST_PIECE_S = 8.0
MP3 = ("-c:a", "libmp3lame", "-b:a", "192k")
KEPT_BYTES = 4_000_000_000
JPEG_Q = {"verylow": 20, "low": 12, "medium": 6, "high": 3, "veryhigh": 2}

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Workshop:
    """Where and how it is made: so many pieces ``at_once``, each looked up in ``kept`` and left there."""

    folder: Path
    kept: Path
    at_once: int
    report: Progress


def render(
    edit: Mapping[str, Any],
    sources: Mapping[str, Path],
    target: Path,
    *,
    work_dir: Path,
    on_progress: Progress | None = None,
    kept: Path | None = None,
    at_once: int | None = None,
) -> Probe:
    """Renders a Shotstack Edit to the format it names and returns the file's probe.

    An MP4 is H.264 yuv420p and AAC 48 kHz stereo, with its index in front. A poster and a thumbnail, if asked for,
    stand beside ``target`` (``NAME-poster.jpg``, ``NAME-thumb.jpg``).

    ``sources`` maps every URL of the Edit to a local file; ``work_dir`` holds temporary files, ``kept`` finished pieces
    for the next time. ``on_progress`` gets the finished part, 0..1, in this thread and several times a second; what it
    raises ends the render. ``at_once`` is how many pieces are made together (two, on more than four cores one for every
    two); each keeps about 1.3 cores busy and takes 380 MB at 1080x1920.

    Raises UnprocessableInput, before anything is rendered, for what this engine does not know, and MediaError when a
    source is broken or FFmpeg fails.
    """
    order = checked(edit)
    with tempfile.TemporaryDirectory(dir=work_dir) as name:
        folder = Path(name)
        shop = Workshop(folder, kept or folder, at_once or _usually(), on_progress or (lambda _: None))
        placed, material, audible = gather(order, sources, folder)
        film = plan(order, placed, material)
        heard = sounds(order, placed, audible, film)
        _WRITERS.get(order.output.format, _write_picture)(order.output, film, heard, target, shop)
    _write_stills(order, target)
    if kept is not None:
        _tidy(kept)
    return probe(target)


def _usually() -> int:
    cores = os.cpu_count() or 1
    return min(cores, max(2, cores // 2))


def _write_film(output: Output, film: Plan, heard: Sequence[Sound], target: Path, shop: Workshop) -> None:
    sound = shop.folder / "sound.m4a"
    gauge = _Gauge(film.count)
    with ThreadPoolExecutor(shop.at_once + 1, "render") as pool:
        mixing = None if output.mute else pool.submit(_write_sound_beside, gauge, film, heard, sound)
        listing = _pictures(film, shop, pool, gauge)
        if mixing is not None:
            mixing.result()
    inputs = [*listing, *(() if output.mute else ("-i", str(sound))), "-map", "0:v:0", *_sound_of(output)]
    scale = str(round(film.fps * 1000))
    length = ("-t", f"{film.duration_s:.6f}")
    joined = [*inputs, *length, "-c", "copy", "-video_track_timescale", scale, "-movflags", "+faststart"]
    ffmpeg.write(joined, target, timeout_s=120 + film.duration_s)


def _write_sound_beside(gauge: _Gauge, film: Plan, heard: Sequence[Sound], target: Path) -> None:
    """For as long as the picture is wanted."""
    with ffmpeg.interruptible(gauge.check):
        write_soundtrack(film, heard, target, ffmpeg.aac())


def _sound_of(output: Output) -> tuple[str, ...]:
    return () if output.mute else ("-map", "1:a:0")


def _write_gif(output: Output, film: Plan, heard: Sequence[Sound], target: Path, shop: Workshop) -> None:
    with ThreadPoolExecutor(shop.at_once, "render") as pool:
        listing = _pictures(film, shop, pool, _Gauge(film.count))
    colours = "split[a][b];[a]palettegen[colours];[b][colours]paletteuse=dither=bayer"
    again = ("-loop", "0" if output.repeat else "-1")
    ffmpeg.write([*listing, "-filter_complex", colours, *again], target, timeout_s=120 + 10 * film.duration_s)


def _write_sound(output: Output, film: Plan, heard: Sequence[Sound], target: Path, shop: Workshop) -> None:
    write_soundtrack(film, heard, target, MP3)


def _write_picture(output: Output, film: Plan, heard: Sequence[Sound], target: Path, shop: Workshop) -> None:
    """The first frame. JPEG (JFIF) has BT.601's colours in full range."""
    made = graph(film, Piece(film.first, 1))
    encoder = ["-frames:v", "1", "-update", "1"]
    if output.format == "jpg":
        made.output = made.chain((made.output,), ("scale=out_color_matrix=bt601:out_range=pc", "format=yuvj420p"))[0]
        encoder += ["-q:v", str(JPEG_Q[output.quality])]
    _run(made, encoder, target, 1, shop.folder, lambda _: None)


Writer = Callable[[Output, Plan, Sequence[Sound], Path, Workshop], None]
_WRITERS: Mapping[str, Writer] = {"mp4": _write_film, "gif": _write_gif, "mp3": _write_sound}


def _write_stills(edit: Edit, film: Path) -> None:
    output = edit.output
    if output.poster is not None:
        poster(film, film.with_name(f"{film.stem}-poster.jpg"), at_s=output.poster.capture, max_width_px=4096)
    if output.thumbnail is not None:
        width = round((probe(film).width_px or 0) * output.thumbnail.scale)
        poster(
            film, film.with_name(f"{film.stem}-thumb.jpg"), at_s=output.thumbnail.capture, max_width_px=max(1, width)
        )


def _tidy(kept: Path) -> None:
    """Removes the pieces that were not used for longest, until the rest fits; never one of the last hour."""
    room, now = KEPT_BYTES, time.time()
    for used, size, path in sorted(
        ((found.st_mtime, found.st_size, path) for path, found in _stats(kept)), reverse=True
    ):
        room -= size
        if room < 0 and now - used > 3600:
            path.unlink(missing_ok=True)


def _stats(kept: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for path in kept.glob("*.mp4"):
        # Another render may have removed it meanwhile.
        with contextlib.suppress(FileNotFoundError):
            yield path, path.stat()


# --- The picture


@dataclass
class _Gauge:
    """How much of the film is made, counted over all pieces; what fails, or is to end, ends all of them."""

    frames: int
    done: dict[Piece, float] = field(default_factory=dict)
    failure: BaseException | None = None

    def show(self, piece: Piece, frames: float) -> None:
        self.done[piece] = max(self.done.get(piece, 0), min(frames, piece.count))

    def check(self) -> None:
        if self.failure is not None:
            raise self.failure

    @property
    def share(self) -> float:
        return min(1.0, sum(list(self.done.values())) / self.frames)


def _pictures(film: Plan, shop: Workshop, pool: ThreadPoolExecutor, gauge: _Gauge) -> list[str]:
    """Makes all pieces; returns FFmpeg's arguments for the film they are, as one input."""
    turn = threading.Semaphore(shop.at_once)

    def make(piece: Piece) -> Path:
        with turn, ffmpeg.interruptible(gauge.check):
            try:
                gauge.check()
                return _piece(film, piece, shop, gauge)
            except BaseException as error:
                gauge.failure = gauge.failure or error
                raise

    cut = pieces(film, shortest_s=SHORTEST_PIECE_S, longest_s=LONGEST_PIECE_S)
    # The longest first, so that all are busy to the end.
    made = {piece: pool.submit(make, piece) for piece in sorted(cut, key=lambda each: -each.count)}
    _follow(made.values(), gauge, shop.report)
    listing = shop.folder / "pieces.txt"
    lines = [f"file '{made[piece].result().resolve()}'\nduration {piece.count / film.fps:.6f}\n" for piece in cut]
    listing.write_text("".join(lines), encoding="utf-8")
    return ["-f", "concat", "-safe", "0", "-i", str(listing)]


def _follow(made: Collection[Future[Path]], gauge: _Gauge, report: Progress) -> None:
    """Reports until all have ended; raises what failed first."""
    going = set(made)
    while going:
        _, going = wait(going, timeout=REPORT_EVERY_S)
        try:
            report(gauge.share)
        except BaseException as error:
            gauge.failure = gauge.failure or error
    gauge.check()


def _piece(film: Plan, piece: Piece, shop: Workshop, gauge: _Gauge) -> Path:
    made = graph(film, piece)
    encoder = [*ffmpeg.x264(crf=film.crf, fps=film.fps, threads=THREADS), "-frames:v", str(piece.count)]
    part = shop.kept / f"{_name(made, encoder)}.mp4"

    def progress(done_s: float) -> None:
        gauge.show(piece, done_s * film.fps)

    if part.is_file():
        os.utime(part)
    else:
        try:
            _run(made, encoder, part, piece.count / film.fps, shop.folder, progress)
        except MediaError as error:
            raise MediaError(f"{_shown_in(film, piece)}: {error.message}", **error.detail) from error
    gauge.show(piece, piece.count)
    return part


def _shown_in(film: Plan, piece: Piece) -> str:
    return ", ".join(dict.fromkeys(each.layer.path for each in visible(film, piece))) or "the background"


def _name(made: Graph, encoder: Sequence[str]) -> str:
    """A hash of everything that a piece is made from."""
    known = hashlib.sha256()
    for word in (imageio_ffmpeg.get_ffmpeg_version(), *encoder, made.filters):
        known.update(word.encode() + b"\0")
    for source in made.inputs:
        if isinstance(source, Mask):
            known.update(f"{source.size} {source.fps}\0".encode() + source.frames)
        else:
            known.update("\0".join((*source.options, _checksum(source.file))).encode() + b"\0")
    return known.hexdigest()


def _checksum(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _run(made: Graph, encoder: list[str], target: Path, length_s: float, folder: Path, progress: Progress) -> None:
    script = folder / f"{target.stem}.graph"
    script.write_text(made.filters, encoding="utf-8")
    inputs = [
        word
        for number, source in enumerate(made.inputs)
        for word in _input(source, folder / f"{target.stem}-{number}.grey")
    ]
    args = [
        # What cannot be decoded ends the render: FFmpeg would show grey or still pictures in its place.
        "-xerror",
        "-filter_complex_threads",
        str(THREADS),
        *inputs,
        "-/filter_complex",
        str(script),
        "-map",
        f"[{made.output}]",
        *encoder,
    ]
    ffmpeg.write(args, target, timeout_s=120 + 20 * length_s, on_progress=progress)


def _input(source: File | Mask, grey: Path) -> list[str]:
    if isinstance(source, File):
        return ["-threads", "1", *source.options, "-i", str(source.file)]
    grey.write_bytes(source.frames)
    size = f"{source.size.width}x{source.size.height}"
    return [
        "-f",
        "rawvideo",
        "-pix_fmt",
        "gray",
        "-video_size",
        size,
        "-framerate",
        f"{source.fps:g}",
        "-i",
        str(grey),
    ]
