"""The pre-flight of a run's draft: measured once per film, compared with the rules whenever somebody looks."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from providers.base import with_hashtags
from providers.media.merge import merged
from providers.media.preflight.check import Finding, Report, check
from providers.media.preflight.facts import Facts
from providers.media.preflight.measures import Draft
from providers.media.preflight.rules import EVERY_FILM, Rule, Rules, rules_of

from . import store
from .schemas import PublishDraft

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .models import Artifact, Run

# 24 frames a second and 23.976 are not the same; a counter's rounding is.
FPS_TOLERANCE = 0.01

UNCHECKED = Finding(
    rule="preflight.unchecked",
    level="error",
    what="The film",
    measured="not checked yet",
    allowed="checked",
    fix="Check it now; that takes some seconds.",
)


def no_rules(platform: str) -> Finding:
    return Finding(
        rule="preflight.rules",
        level="warning",
        what="Rules of the platform",
        measured="none",
        allowed=platform,
        fix=f"Only what holds for every film was checked. Rules for {platform} can be added: docs/preflight.md.",
    )


def measure(run: Run, film: Artifact | store.Stored) -> Facts:
    """Decodes the film of the run's newest render, and adds the texts of its Edit.

    It takes seconds, so it belongs into a task and no transaction. Raises ``MediaError`` when FFmpeg was stopped.
    """
    # PyAV, Pillow and fonts are for those who measure; every process looks at reports.
    from providers.media.preflight.captions import captions

    facts = _measured(film.checksum, film.path)
    if facts.width_px is None or facts.height_px is None:
        return facts
    texts = captions(merged(_edit(run)), width_px=facts.width_px, height_px=facts.height_px)
    return facts.model_copy(update={"captions": texts})


@lru_cache(maxsize=256)
def _measured(checksum: str, path: str) -> Facts:
    from providers.media.preflight.inspection import inspect

    # A file is named by its bytes: what was measured of them stays true.
    with store.local(path) as film:
        return inspect(film)


def report_of(run: Run, request: dict[str, Any], facts: Facts | None = None) -> Report:
    """What the rules say now of a draft, as a publish order holds it: of its film as measured last, and of its text."""
    draft = PublishDraft.model_validate(request)
    facts = facts or _facts(run, draft.film)
    own = rules_of(draft.platform)
    report = check(facts or Facts(), _draft(draft), _rules(run, own))
    found = _without_vain(report.findings, repaired_for(run, draft.film))
    beside = [*([] if facts else [UNCHECKED]), *found, *([] if own else [no_rules(draft.platform)])]
    return report.model_copy(update={"findings": tuple(beside)})


def repaired_for(run: Run, film: str) -> list[str]:
    """The rules that a film of the run was repaired for."""
    found = run.artifacts.filter(type="ffmpeg.normalized", checksum=film).last()
    rules: list[str] = found.metadata.get("repaired", {}).get("rules", []) if found else []
    return rules


def _without_vain(findings: Iterable[Finding], tried: Sequence[str]) -> list[Finding]:
    """Offers no repair a second time: it came to nothing, and each costs the sound a little."""
    vain = {"repair": None, "fix": "The film was repaired for this, and it did not help. Send the edit back."}
    return [
        finding.model_copy(update=vain) if finding.repair and finding.rule in tried else finding for finding in findings
    ]


def can_mend(report: Report) -> bool:
    """Whether there is anything here that we could do about it."""
    return any(finding.repair or finding == UNCHECKED for finding in report.findings)


def paper(film: str, facts: Facts, report: Report) -> dict[str, Any]:
    """The fields of the ``preflight.report`` artifact of a film, given by its checksum."""
    content = {"facts": facts.model_dump(mode="json"), **report.model_dump(mode="json")}
    return {"type": "preflight.report", "checksum": film, "metadata": content}


def _facts(run: Run, film: str) -> Facts | None:
    """What was measured of the film; None when nobody has, or an older version of this did."""
    found = run.artifacts.filter(type="preflight.report", checksum=film).last()
    if found is None:
        return None
    try:
        return Facts.model_validate(found.metadata["facts"])
    except ValidationError:
        return None


def _draft(draft: PublishDraft) -> Draft:
    return Draft(
        title=draft.title,
        text=with_hashtags(draft.caption, draft.tags),
        tags=draft.tags,
        privacy=draft.privacy,
        ai_label=draft.is_aigc,
    )


def _edit(run: Run) -> dict[str, Any]:
    """The Edit that the film was rendered from."""
    render = run.jobs.filter(kind="render").order_by("step__position").last()
    edit: dict[str, Any] = render.request.get("edit", {}) if render else {}
    return edit


def _rules(run: Run, platform: Rules | None) -> list[Rules]:
    every = rules_of(EVERY_FILM)
    return [rules for rules in (every, platform, project_rules(run)) if rules]


def project_rules(run: Run) -> Rules:
    """The numbers that the run has taken from its project, as rules."""
    size = run.payload.specs.resolution
    frame = Rule(
        id="project.frame",
        level="error",
        measure="frame",
        one_of=(f"{size.width}x{size.height}",),
        fix="Repair scales and pads the picture; nothing is stretched.",
        repair="picture",
        source="specs.resolution of the project",
    )
    fps = Rule(
        id="project.fps",
        level="warning",
        measure="fps",
        min=size.fps - FPS_TOLERANCE,
        max=size.fps + FPS_TOLERANCE,
        fix="Repair brings the picture to this rate.",
        repair="picture",
        source="specs.resolution of the project",
    )
    return Rules(platform="project", version=f"{run.created_at:%Y-%m-%d}", rules=(frame, fps, *_length(run)))


def _length(run: Run) -> list[Rule]:
    specs, options = run.payload.specs, run.payload.options
    # Clips of another length, as the plan was approved with, make a film of another length.
    asked = options.duration in {None, specs.video_duration_s}
    if specs.compilation_length is None or not asked:
        return []
    return [
        Rule(
            id="project.duration",
            level="warning",
            measure="duration_s",
            min=specs.compilation_length.min,
            max=specs.compilation_length.max,
            fix="Send the edit back, unless the film is good as it is.",
            source="specs.compilationLength of the project",
        )
    ]
