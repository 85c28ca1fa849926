"""Mends the film behind an open gate, in a worker and under a lease; ``runs/services.py`` keeps the books."""

from __future__ import annotations

import logging
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from django.conf import settings

from myloware.kernel.errors import Conflict, MylowareError
from myloware.kernel.lease import kept
from providers.media.preflight.repair import repair
from providers.media.probe import probe

from . import preflight, services, store

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from .models import Artifact, ProviderJob

log = logging.getLogger(__name__)


def carry_out(step_id: UUID | str) -> str:
    """Does a repair that is wanted; what came of it."""
    taken = services.take_repair(step_id)
    if taken is None:
        return "nothing to repair"
    step, draft = taken
    with kept(partial(services.keep_repair, step), settings.RUNS.lease_s):
        try:
            mended = _mended(draft)
        except MylowareError as error:
            log.warning("a film could not be repaired", extra={"runId": str(step.run_id), "reason": error.message})
            return "failed" if services.fail_repair(step, error.message) else "taken over"
    return "done" if services.complete_repair(step, mended) else "decided meanwhile"


def _mended(draft: ProviderJob) -> services.Mended:
    """A film that nobody has checked may turn out to need nothing."""
    film = draft.run.artifacts.filter(type="ffmpeg.normalized", checksum=draft.request["film"]).last()
    if film is None:
        raise Conflict("the film is not among the run's artifacts; send the edit back to have it rendered again")
    facts = preflight.measure(draft.run, film)
    report = preflight.report_of(draft.run, draft.request, facts)
    if not any(finding.repair for finding in report.findings):
        return services.Mended(facts)
    with store.workspace() as folder:
        size, target = draft.run.payload.specs.resolution, folder / "film.mp4"
        frame = {"width_px": size.width, "height_px": size.height, "fps": size.fps}
        with store.local(film.path) as source:
            rules = repair(source, report.findings, target, **frame)
        return _kept(draft, film, target, rules)


def _kept(draft: ProviderJob, film: Artifact, target: Path, rules: list[str]) -> services.Mended:
    """``target`` in the media store, as what has become of ``film``."""
    seen, stored = probe(target), store.keep(target)
    facts = preflight.measure(draft.run, stored)
    before = film.metadata.get("repaired", {}).get("rules", [])
    metadata = {
        **film.metadata,
        "probe": asdict(seen),
        "loudness": {"integrated_lufs": facts.lufs, "true_peak_dbtp": facts.true_peak_dbtp},
        "repaired": {"from": film.checksum, "rules": [*before, *rules]},
    }
    # A fork that keeps the render keeps what was made of it.
    made = {"step": film.step, "path": stored.path, "checksum": stored.checksum, "metadata": metadata}
    return services.Mended(facts, {"type": "ffmpeg.normalized", **made}, rules)
