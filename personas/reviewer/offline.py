"""How the offline model plays the reviewer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from personas.studio.turn import words

if TYPE_CHECKING:
    from personas.studio.turn import Move, StageTurn


def play(turn: StageTurn) -> Move:
    """Reads, and hands in the notes."""
    work = turn.brief.materials.get("work") or {}
    output: dict[str, Any] = work.get("output") or {}
    unsaid = sorted(words(turn.brief.prompt) - words(str(output)))
    missing = f"The brief speaks of {', '.join(unsaid[:4])}; the work does not. " if unsaid else ""
    return turn.finish(
        summary=f"{str(work.get('persona', 'A colleague')).capitalize()} handed this in with a confidence of "
        f"{output.get('confidence', 0):g}.",
        notes=f"{missing}Say concretely what is seen, heard and changed, and keep every rule of the project.",
        confidence=0.9,
    )
