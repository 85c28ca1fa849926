"""How the offline model plays Iggy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from personas.studio.storyboard import Beat, is_surreal, storyboard
from personas.studio.turn import Call

if TYPE_CHECKING:
    from personas.base import StageBrief
    from personas.studio.turn import Move, StageTurn


def play(turn: StageTurn) -> Move:
    """Searches once, then hands in the ideas."""
    if turn.pending("memory_search"):
        return Call("memory_search", {"queries": _queries(turn.brief), "k": 5})
    beats = storyboard(turn)
    return turn.finish(
        summary=_summary(turn.brief, beats),
        ideas=[_idea(beat, turn) for beat in beats],
        confidence=_confidence(turn, beats),
    )


def _queries(brief: StageBrief) -> list[str]:
    kind = "surreal ASMR object modifiers" if is_surreal(brief) else "short video storyboard beats"
    return [brief.prompt, f"{kind} creative direction", f"{brief.title} guardrails style"]


def _summary(brief: StageBrief, beats: list[Beat]) -> str:
    if is_surreal(brief):
        first = ", ".join(beat.header for beat in beats[:3])
        return f"{len(beats)} impossible takes on one {beats[0].subject}, from {first} to {beats[-1].header}."
    scenes = "; ".join(f"{beat.subject} ({beat.header})" for beat in beats)
    return f"{len(beats)} beats of {brief.clip_duration_s:g} s: {scenes}."


def _idea(beat: Beat, turn: StageTurn) -> dict[str, Any]:
    idea = {key: getattr(beat, key) for key in ("index", "subject", "header", "title", "concept")}
    return {**idea, "rationale": _rationale(beat, turn)}


def _rationale(beat: Beat, turn: StageTurn) -> str:
    brief = turn.brief
    reasons = [
        f"It stays with what the brief asks for: {brief.prompt[:80].rstrip(' .')}."
        if beat.named
        else "The brief names nothing to film.",
        f"'{beat.header}' is impossible and can still be touched." if is_surreal(brief) else _contrast(beat),
        f"Built on the guidance under '{turn.source}'." if turn.source else "",
        f"It answers the note: {brief.notes[:120]}" if brief.notes else "",
    ]
    return " ".join(filter(None, reasons))[:600]


def _contrast(beat: Beat) -> str:
    if beat.subject.split()[-1].lower() in beat.header.lower():
        return f"'{beat.header}' says in two words what changes on screen."
    return f"The picture shows {beat.subject}, the text says '{beat.header}': the mismatch is the hook."


def _confidence(turn: StageTurn, beats: list[Beat]) -> float:
    """From how much the brief names, and how well the knowledge base covers it."""
    named = sum(beat.named for beat in beats) / len(beats)
    return round(0.4 + 0.3 * named + 0.3 * turn.support, 2)
