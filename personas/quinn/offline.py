"""How the offline model plays Quinn."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from personas.studio.reading import things
from personas.studio.storyboard import Beat, beats_of, clauses, is_surreal
from personas.studio.turn import Call, words

if TYPE_CHECKING:
    from personas.base import StageBrief
    from personas.studio.turn import Move, StageTurn

HOOKS = (
    "You think you know {first}. Give it {seconds} seconds.",
    "{First}, and then {last}. Watch which one blinks.",
    "Sound on: {first} is louder than it looks.",
    "Nobody warned {first} about this.",
    "Stay for {last}.",
    "It starts with {first}. It does not end there.",
)
SURREAL_HOOKS = (
    "{Count} versions of {first} that cannot exist.",
    "Your hands know what {first} feels like. Not these.",
    "{Count} ways {first} stops obeying. Headphones help.",
    "Touch {first} once and it changes {count} times.",
)
BODIES = (
    "{Header}, up close, for as long as you can stand it.",
    "From {header} to {last_header} in {seconds} seconds.",
    "Look out for the {header}.",
    "{Header} first, {last_header} last.",
)
QUESTIONS = (
    "Which one would you keep?",
    "Which second did you replay?",
    "What should it turn into next?",
    "Name the sound you heard at the end.",
    "Would you touch it?",
)
# More than these TikTok does not take.
MAX_TAGS = 5
_HASHTAG = re.compile(r"#(\w{3,30})")


def play(turn: StageTurn) -> Move:
    """Searches, stores the draft, hands in the same draft."""
    if turn.pending("memory_search"):
        return Call("memory_search", {"queries": _queries(turn.brief), "k": 5})
    draft = _draft(turn)
    if turn.pending("publish_to_tiktok_tool"):
        return Call("publish_to_tiktok_tool", draft)
    return turn.finish(**draft, confidence=_confidence(turn, draft))


def _queries(brief: StageBrief) -> list[str]:
    platform = brief.materials.get("account", {}).get("platform") or "tiktok"
    return [f"{platform} caption and hashtag rules", f"{platform} AI disclosure", f"{brief.title} caption tone"]


def _draft(turn: StageTurn) -> dict[str, Any]:
    beats = beats_of(turn)
    lines = [_line(turn, beats, "hook", SURREAL_HOOKS if is_surreal(turn.brief) else HOOKS)]
    lines += [_line(turn, beats, "body", BODIES), turn.dice.pick("question", QUESTIONS)]
    lines += clauses(turn.brief, "caption")
    return {"title": _title(turn.brief, beats), "caption": " ".join(lines), "tags": _tags(turn, beats)}


def _line(turn: StageTurn, beats: list[Beat], name: str, patterns: tuple[str, ...]) -> str:
    first, last = _phrase(beats[0]), _phrase(beats[-1])
    if first == last:
        last = f"the {beats[-1].header}"
    seconds = f"{turn.brief.clip_duration_s:g}"
    values = {"first": first, "last": last, "seconds": seconds, "count": _count(len(beats))}
    values |= {"header": beats[0].header, "last_header": beats[-1].header}
    text = turn.dice.pick(name, patterns)
    for key, value in values.items():
        text = text.replace(f"{{{key}}}", value).replace(f"{{{key.capitalize()}}}", value[:1].upper() + value[1:])
    return text


def _phrase(beat: Beat) -> str:
    named = things(beat.subject)
    return named[0].phrase if named else beat.subject


def _count(number: int) -> str:
    return {2: "two", 3: "three", 4: "four", 6: "six", 8: "eight", 10: "ten", 12: "twelve"}.get(number, str(number))


def _title(brief: StageBrief, beats: list[Beat]) -> str:
    if is_surreal(brief):
        return f"{_count(len(beats))} impossible {beats[0].subject}s".capitalize()[:150]
    return " / ".join(dict.fromkeys(beat.header.capitalize() for beat in beats))[:150]


def _tags(turn: StageTurn, beats: list[Beat]) -> list[str]:
    """The film's own words first, then the hashtags that the knowledge base recommends."""
    read = _HASHTAG.findall(" ".join(str(passage["snippet"]) for passage in turn.passages))
    own = [*dict.fromkeys(beat.subject.split()[-1] for beat in beats), *(beat.header for beat in beats)]
    genre = ["surrealasmr", "asmr"] if is_surreal(turn.brief) else ["shortfilm"]
    tags = [re.sub(r"\W", "", tag).lower() for tag in (*own[:2], *genre, *read, "aivideo")]
    return [tag for tag in dict.fromkeys(tags) if 2 <= len(tag) <= 30][:MAX_TAGS]


def _confidence(turn: StageTurn, draft: dict[str, Any]) -> float:
    """From the rules the caption keeps, and how well the knowledge base covers the platform."""
    rules = clauses(turn.brief, "caption")
    kept = [rule in draft["caption"] for rule in rules] + [
        len(draft["caption"]) <= 300,
        3 <= len(draft["tags"]) <= MAX_TAGS,
        bool(words(draft["caption"]) & words(turn.brief.prompt)),
    ]
    return round(0.5 + 0.3 * sum(kept) / len(kept) + 0.2 * turn.support, 2)
