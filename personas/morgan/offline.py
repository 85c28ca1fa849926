"""How the offline model plays Morgan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from personas.studio.storyboard import beats_of
from personas.studio.turn import Call, words

if TYPE_CHECKING:
    from personas.base import StageBrief
    from personas.studio.turn import Move, StageTurn

# Kind of sound -> words of a prompt that it belongs to.
BEDS = {
    "birds": "bird birds meadow morning forest",
    "breeze": "leaf leaves grass petal petals feather feathers breeze",
    "bubbles": "bubble bubbles soap boiling foam underwater",
    "fire": "fire flame flames ember embers candle candlelight burning molten",
    "grains": "sand sandy dune dunes grains dust salt sugar",
    "night": "night midnight moon star stars crickets",
    "rain": "rain rains raining storm drops drizzle",
    "room": "room table counter kitchen tray indoor",
    "rumble": "city street train volcano engine machine thunder",
    "stream": "stream river brook waterfall trickling",
    "waves": "sea ocean wave waves tide shore",
    "wind": "wind sky cloud clouds mountain snow ice frozen",
}
FOLEY = {
    "brush": "brush velvet fur moss feather feathers fabric cloth woven hair leaves",
    "chime": "glass crystal bell chime chimes porcelain mirror diamond",
    "crackle": "fire flame ember embers crackle candle molten caramel burning",
    "crunch": "snow crunching ice crunch gravel bread frost salt",
    "drip": "rain water drip drips drops puddle melting melts wax",
    "fizz": "bubble bubbles fizz foam sand hissing sparks",
    "pour": "honey pour pouring liquid milk tea sea ocean river falling",
    "slice": "soap slice cut blade cheese fruit peel clay",
    "tap": "tap tapping wood stone metal table nail spoon fingertip",
}
# When the foley of a clip begins, in parts of its length: before a word in the middle, and after it.
MOMENTS = (0.1, 0.68)
SECOND_GAIN_DB = -3.0


def play(turn: StageTurn) -> Move:
    """Searches once, lays a bed and two foley sounds under every clip, hands in the same cues."""
    if turn.pending("memory_search", attempts=1):
        return Call("memory_search", {"queries": ["foley and room tone", f"{turn.brief.title} sound"], "k": 5})
    cues = [cue for index in range(turn.brief.clip_count) for cue in _clip(turn, index)]
    if turn.pending("design_sound_tool"):
        return Call("design_sound_tool", {"cues": cues})
    return turn.finish(summary=_summary(cues), cues=cues, confidence=_confidence(turn))


def _clip(turn: StageTurn, index: int) -> list[dict[str, Any]]:
    said = words(_text(turn, index))
    (bed, *_), foley = _fitting(turn, f"bed {index}", BEDS, said), _fitting(turn, f"foley {index}", FOLEY, said)
    length_s = _length_s(turn.brief, index)
    sounds = zip(foley, MOMENTS, (0.0, SECOND_GAIN_DB), strict=False)
    return [
        {"kind": bed, "clip": index},
        *(
            {"kind": kind, "clip": index, "start_s": round(moment * length_s, 2), "gain_db": gain_db}
            for kind, moment, gain_db in sounds
        ),
    ]


def _text(turn: StageTurn, index: int) -> str:
    """What the clip shows, by its prompt, else by its idea."""
    prompts = [str(clip["prompt"]) for clip in _clips(turn.brief) if clip.get("index") == index and clip.get("prompt")]
    beats = [f"{beat.subject} {beat.concept}" for beat in beats_of(turn) if beat.index == index]
    return " ".join([*beats, *prompts])


def _length_s(brief: StageBrief, index: int) -> float:
    lengths = [clip["duration_s"] for clip in _clips(brief) if clip.get("index") == index and clip.get("duration_s")]
    return float(lengths[0] if lengths else brief.clip_duration_s)


def _clips(brief: StageBrief) -> list[dict[str, Any]]:
    return brief.materials.get("clips") or []


def _fitting(turn: StageTurn, name: str, kinds: dict[str, str], said: frozenset[str]) -> list[str]:
    """The kinds, those first whose words the clip's text shares; dice decide between equals."""
    return sorted(turn.dice.order(name, kinds), key=lambda kind: -len(said & words(kinds[kind])))


def _summary(cues: list[dict[str, Any]]) -> str:
    beds = dict.fromkeys(cue["kind"] for cue in cues if cue["kind"] in BEDS)
    foley = dict.fromkeys(cue["kind"] for cue in cues if cue["kind"] in FOLEY)
    return f"Beds of {', '.join(beds)}; close foley: {', '.join(foley)}. No music; the clips' own sound stays in front."


def _confidence(turn: StageTurn) -> float:
    """From how many clips name a sound that there is, and how well the knowledge base covers the work.

    Never so low that the work is sent back: the same clips would get the same sounds.
    """
    texts = [words(_text(turn, index)) for index in range(turn.brief.clip_count)]
    named = sum(any(text & words(said) for said in FOLEY.values()) for text in texts)
    return round(0.5 + 0.3 * named / len(texts) + 0.2 * turn.support, 2)
