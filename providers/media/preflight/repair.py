"""Mends what FFmpeg can, and writes no more anew than that needs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from providers.media import ffmpeg
from providers.media.normalise import encode_anew, normalise
from providers.media.preflight.check import Finding
from providers.media.probe import probe

# Bitstream filters that name the colours of a picture without encoding it (ITU-T H.273: 1 is BT.709).
NAMES = "colour_primaries=1:transfer_characteristics=1:matrix_coefficients=1"
NAMING = {"h264": f"h264_metadata={NAMES}", "hevc": f"hevc_metadata={NAMES}"}


def repair(
    film: Path, findings: Iterable[Finding], target: Path, *, width_px: int, height_px: int, fps: int
) -> list[str]:
    """Writes ``target``, the film without what the findings name, and returns the ids of the rules it was mended for.

    Only a wrong picture is encoded anew, into this frame; a wrong container leaves the sound as it is, too. What only
    people can mend is left. Raises MediaError when FFmpeg fails.
    """
    mended = [finding for finding in findings if finding.repair]
    anew = {finding.repair for finding in mended}
    if anew == {"container"}:
        _remux(film, target)
    else:
        write = encode_anew if "picture" in anew else normalise
        write(film, target, width_px=width_px, height_px=height_px, fps=fps)
    return [finding.rule for finding in mended]


def _remux(film: Path, target: Path) -> None:
    """The first picture and the first sound as they are, in a fresh MP4 with its index at the front."""
    seen = probe(film)
    naming = NAMING.get(seen.video_codec or "")
    named = ["-bsf:v", naming] if naming else []
    args = ["-i", str(film), "-map", "0:V:0", "-map", "0:a:0?", "-c", "copy", *named, "-movflags", "+faststart"]
    ffmpeg.write(args, target, timeout_s=60 + seen.duration_s)
