"""How the offline model plays Alex."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from personas.studio.storyboard import beats_of
from personas.studio.turn import Call

if TYPE_CHECKING:
    from personas.base import StageBrief
    from personas.studio.turn import Move, StageTurn

# The standard template lets clips overlap while one fades into the next.
OVERLAP_S = 1.5


def play(turn: StageTurn) -> Move:
    """Looks at the clips, renders the standard template once, reports."""
    if turn.pending("render_video_timeline_tool"):
        return Call("render_video_timeline_tool", {})
    clips = turn.brief.materials.get("clips") or []
    duration_s = _duration_s(turn)
    return turn.finish(
        summary=_summary(turn, clips, duration_s),
        duration_s=duration_s,
        confidence=_confidence(turn.brief, clips, duration_s),
    )


def _duration_s(turn: StageTurn) -> float:
    """The renderer's figure when it gives one, else that of the template."""
    rendered = turn.answer("render_video_timeline_tool")
    given = rendered.data.get("duration_s") if rendered else None
    return round(float(given), 2) if given else _template_s(turn.brief)


def _template_s(brief: StageBrief) -> float:
    clips = brief.materials.get("clips") or [{}] * brief.clip_count
    lengths = [float(clip.get("duration_s") or brief.clip_duration_s) for clip in clips]
    return round(sum(lengths) - OVERLAP_S * (len(lengths) - 1), 2)


def _summary(turn: StageTurn, clips: list[dict[str, Any]], duration_s: float) -> str:
    beats = beats_of(turn)
    order = f"from '{beats[0].header}' to '{beats[-1].header}'"
    return f"{len(clips)} clips, {order}, {duration_s:g} s with the standard template: fades, headers over the picture."


def _confidence(brief: StageBrief, clips: list[dict[str, Any]], duration_s: float) -> float:
    """From how many clips have an asset, and whether the film has the length the project asks for."""
    there = sum(bool(clip.get("url")) for clip in clips) / brief.clip_count
    wanted = brief.specs.get("compilationLength") or {}
    fits = float(wanted.get("min", 0)) <= duration_s <= float(wanted.get("max", duration_s))
    return round(min(there, 1.0) * (0.95 if fits else 0.6), 2)
