"""How the offline model plays Riley."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from personas.studio import lexicon
from personas.studio.storyboard import Beat, beats_of, clauses, is_surreal, modifier_of, theme_of
from personas.studio.turn import Call

if TYPE_CHECKING:
    from personas.base import StageBrief
    from personas.studio.turn import Move, StageTurn


def play(turn: StageTurn) -> Move:
    """Searches, submits every clip in one call, declares the wait, reports."""
    if turn.pending("memory_search"):
        return Call("memory_search", {"queries": _queries(turn.brief), "k": 5})
    videos = _videos(turn)
    if turn.pending("submit_generation_jobs_tool"):
        return Call("submit_generation_jobs_tool", {"videos": videos})
    if turn.pending("wait_for_generations_tool", attempts=1):
        return Call("wait_for_generations_tool", {})
    clips = [{"index": video["index"], "prompt": video["prompt"]} for video in videos]
    return turn.finish(clips=clips, confidence=_confidence(turn, videos))


def _queries(brief: StageBrief) -> list[str]:
    return [
        "video prompt structure: shot, camera movement, light, sound",
        f"{brief.title} look and sound",
        f"filming {brief.prompt}",
    ]


def _videos(turn: StageTurn) -> list[dict[str, Any]]:
    beats = beats_of(turn)
    moves = turn.dice.sample("moves", lexicon.MOVES, len(beats))
    shots = turn.dice.sample("shots", lexicon.MACRO_SHOTS if is_surreal(turn.brief) else lexicon.SHOTS, len(beats))
    return [
        {
            "index": beat.index,
            "prompt": _prompt(turn, beat, f"{move.capitalize()}, {shot}."),
            "subject": beat.subject,
            "header": beat.header[:80],
        }
        for beat, move, shot in zip(beats, moves, shots, strict=True)
    ]


def _prompt(turn: StageTurn, beat: Beat, camera: str) -> str:
    # The camera and the subject lead: a video model weighs the first words most.
    light, palette, sound = _look(turn, beat)
    modifier = modifier_of(beat.header)
    rules = clauses(
        turn.brief,
        "prompt",
        word=modifier.whisper if modifier else beat.header.split()[-1].lower(),
        duration=f"{turn.brief.clip_duration_s:g}",
        aspect=turn.brief.aspect_ratio,
    )
    parts = [camera, beat.concept, f"Light: {light}.", f"Colours: {palette}.", f"Sound: {sound}.", *rules]
    return " ".join(part.strip() for part in parts)


def _look(turn: StageTurn, beat: Beat) -> tuple[str, str, str]:
    """(light, palette, sound): the modifier's own, or the subject's theme."""
    theme = theme_of(f"{beat.subject} {beat.concept}", turn.dice, f"theme {beat.index}")
    lights, sounds = turn.dice.order("lights", theme.lights), turn.dice.order("sounds", theme.sounds)
    light, sound = lights[beat.index % len(lights)], sounds[beat.index % len(sounds)]
    modifier = modifier_of(beat.header)
    if modifier:
        return modifier.light, lexicon.SURREAL_PALETTE, modifier.sound
    return light, theme.palette, sound


def _confidence(turn: StageTurn, videos: list[dict[str, Any]]) -> float:
    """From how many prompts name their subject and carry every rule, and how well the knowledge base covers them."""
    rules = len(clauses(turn.brief, "prompt"))
    sound = [
        video for video in videos if video["subject"].lower() in video["prompt"].lower() and len(video["prompt"]) < 2000
    ]
    whole = len(sound) / len(videos) * (1 if rules else 0.8)
    return round(0.45 + 0.35 * whole + 0.2 * turn.support, 2)
