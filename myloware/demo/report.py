"""The outcome: what was published, measured on the file itself."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from .client import Json


@dataclass
class Report:
    """The demo's line of JSON; a key without a value is null."""

    status: str
    """``published``, or the status of the run that ended otherwise; ``failed`` when there was none."""
    project: str
    run_id: str | None = None
    film: str | None = None
    """The file's path."""
    sha256: str | None = None
    publish_urls: list[str] | None = None
    duration_s: float | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    loudness_lufs: float | None = None
    wall_s: float | None = None
    """From the start of the demo, that of the system included, to the published film."""
    peak_rss_mb: float | None = None
    """Peak of the sum of the resident sets of all processes; pages that they share count for each of them."""

    @property
    def published(self) -> bool:
        return self.status == "published"

    def tell(self, run: Json) -> None:
        """What the API says about the run that has ended."""
        self.publish_urls = list(run["result"]["publish_urls"])
        well = run["status"] == "succeeded" and self.publish_urls
        self.status = "published" if well else str(run["status"])

    def measure(self, film: Path, sha256: str) -> None:
        """Raises MediaError when the file is no film."""
        # Not before the film is made: PyAV's libraries would count in the peak of its making.
        from providers.media.probe import loudness, probe

        facts, level = probe(film), loudness(film)
        self.film, self.sha256 = str(film), sha256
        self.duration_s = round(facts.duration_s, 3)
        self.width, self.height = facts.width_px, facts.height_px
        self.fps = facts.fps
        self.loudness_lufs = level.integrated_lufs

    def line(self) -> str:
        return json.dumps(asdict(self))

    def print(self, console: Console) -> None:
        if not self.published:
            return
        facts = f"{self.duration_s:.1f} s, {self.width}x{self.height}, {self.fps:g} fps, {self.loudness_lufs:.1f} LUFS"
        rows = {
            "film": self.film,
            "": facts,
            "published": ", ".join(self.publish_urls or ()),
            "time": f"{self.wall_s:.1f} s, at most {self.peak_rss_mb:.0f} MB of memory",
        }
        console.print()
        for name, value in rows.items():
            console.print(f"{name:<10} {value}", markup=False, highlight=False, soft_wrap=True)
