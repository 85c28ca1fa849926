"""What a film shows: one beat per clip, read from the brief or from the ideas of an earlier stage."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from . import lexicon
from .reading import Thing, one_of, things
from .turn import Dice, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from personas.base import StageBrief

    from .turn import StageTurn


@dataclass(frozen=True)
class Beat:
    """One clip. ``named`` tells whether the brief or the project named its subject."""

    index: int
    subject: str
    header: str
    title: str
    concept: str
    named: bool


def is_surreal(brief: StageBrief) -> bool:
    """Whether the project films one object under many impossible modifiers."""
    return any(str(rail.get("key", "")).startswith("modifiers.") for rail in brief.guardrails)


def storyboard(turn: StageTurn) -> list[Beat]:
    """One beat per clip, made from the brief."""
    return _surreal(turn) if is_surreal(turn.brief) else _scenes(turn)


def theme_of(text: str, dice: Dice, name: str) -> lexicon.Theme:
    """The theme whose words ``text`` shares most; thrown with ``dice`` when it shares none."""
    said = words(text)
    hits = {theme: len(said & words(theme.words)) for theme in lexicon.THEMES}
    best = max(lexicon.THEMES, key=lambda theme: hits[theme])
    return best if hits[best] else dice.pick(name, lexicon.THEMES)


def modifier_of(header: str) -> lexicon.Modifier | None:
    known = (*lexicon.MODIFIERS, *lexicon.COMPOSED)
    return next((each for each in known if each.name == header.lower()), None)


def the_object(turn: StageTurn) -> tuple[str, bool]:
    """What a surreal film turns around, and whether the brief named it."""
    given = turn.brief.input.get("object") or turn.brief.input.get("subject")
    named = [thing.subject for thing in things(str(given or turn.brief.prompt))]
    return (one_of(named[0].lower()), True) if named else (turn.dice.pick("object", lexicon.OBJECTS), False)


def _surreal(turn: StageTurn) -> list[Beat]:
    item, named = the_object(turn)
    return [_surreal_beat(index, item, each, named) for index, each in enumerate(_modifiers(turn, item))]


def _modifiers(turn: StageTurn, item: str) -> list[lexicon.Modifier]:
    wanted = [str(name).strip() for name in turn.brief.input.get("modifiers") or () if str(name).strip()]
    given = [modifier_of(name) or _own_modifier(name) for name in dict.fromkeys(wanted)]
    used = {str(name).lower() for name in turn.brief.materials.get("archive") or ()}
    free = turn.dice.order("modifiers", [each for each in lexicon.MODIFIERS if each not in given])
    # "Rain inside a raincoat" is weaker than any other; such modifiers come last.
    best = [*sorted(free, key=lambda each: bool(words(each.name) & words(item))), *_composed(turn)]
    return [*given, *(each for each in best if each.name not in used)][: turn.brief.clip_count]


def _composed(turn: StageTurn) -> Iterator[lexicon.Modifier]:
    """Further modifiers, stuffs and acts going round so that neighbours share neither."""
    stuffs = turn.dice.order("stuffs", lexicon.STUFFS)
    acts = turn.dice.order("acts", lexicon.ACTS)
    by_name = {each.name: each for each in lexicon.COMPOSED}
    for lap, (column, stuff) in product(range(len(acts)), enumerate(stuffs)):
        yield by_name[f"{acts[(lap + column) % len(acts)]} {stuff}"]


def _own_modifier(name: str) -> lexicon.Modifier:
    return lexicon.Modifier(
        name=name,
        image=f"{name}: a {{object}} that keeps its shape while it slowly gives way",
        touch="a fingertip follows the change and pulls back",
        light="",
        sound="",
        whisper=name.rsplit(maxsplit=1)[-1].lower(),
    )


def _surreal_beat(index: int, item: str, modifier: lexicon.Modifier, named: bool) -> Beat:
    image = _sentence(modifier.image.replace("{object}", item))
    return Beat(
        index=index,
        subject=item,
        header=modifier.name[:60],
        title=f"{item.capitalize()}, {modifier.name}"[:120],
        concept=f"{image} {_sentence(modifier.touch)}",
        named=named,
    )


def _scenes(turn: StageTurn) -> list[Beat]:
    cast = _cast(turn)
    changes = turn.dice.sample("changes", lexicon.CHANGES, len(cast))
    return [_scene(turn, index, member, changes[index]) for index, member in enumerate(cast)]


def _cast(turn: StageTurn) -> list[tuple[Thing, str, bool]]:
    """(thing, header or "", named) per clip; the project's own subjects when the brief names nothing else."""
    standard = turn.brief.specs.get("videos") or ()
    usual = {str(video["subject"]).lower() for video in standard}
    found = things(turn.brief.prompt)
    count = turn.brief.clip_count
    if standard and not any(thing.other or thing.subject.lower() not in usual for thing in found):
        cast = [(things(str(video["subject"]))[0], str(video.get("header", "")), True) for video in standard]
    else:
        cast = [(thing, thing.other, True) for thing in found] or [(_any_thing(turn), "", False)]
    # A subject that returns shows another change, so it gets another header.
    again = [(thing, "", named) for thing, _, named in cast]
    return [*cast, *(again[index % len(again)] for index in range(max(count - len(cast), 0)))][:count]


def _any_thing(turn: StageTurn) -> Thing:
    return things(turn.dice.pick("object", lexicon.OBJECTS))[0]


def _scene(turn: StageTurn, index: int, member: tuple[Thing, str, bool], change: tuple[str, str]) -> Beat:
    thing, header, named = member
    theme = theme_of(f"{thing.subject} {thing.detail}", turn.dice, f"theme {index}")
    places = turn.dice.order("places", theme.places)
    where = thing.detail or places[index % len(places)]
    lap = index // len(lexicon.CHANGES)
    return Beat(
        index=index,
        subject=thing.subject,
        header=(header or f"{change[0]} {thing.noun}{f' {lap + 1}' if lap else ''}")[:60],
        title=f"{thing.subject[:1].upper()}{thing.subject[1:]}, {change[0]}"[:120],
        concept=_sentence(f"{thing.phrase} {where}, {change[1]}"),
        named=named,
    )


def beats_of(turn: StageTurn) -> list[Beat]:
    """The ideas handed over by an earlier stage, as people may have edited them; else a storyboard of our own."""
    ideas = turn.brief.materials.get("ideas") or ()
    return [_beat(idea) for idea in sorted(ideas, key=lambda idea: int(idea["index"]))] or storyboard(turn)


def _beat(idea: dict[str, Any]) -> Beat:
    texts = {key: str(idea.get(key) or "") for key in ("subject", "header", "title", "concept")}
    return Beat(index=int(idea["index"]), named=True, **texts)


def clauses(brief: StageBrief, enforcement: str, **values: str) -> list[str]:
    """First guideline of each guardrail enforced here (``prompt``, ``caption``), with ``{values}`` filled in."""
    rails: Iterable[dict[str, Any]] = (rail for rail in brief.guardrails if rail.get("enforcement") == enforcement)
    lines = [str(rail["guidelines"][0]) for rail in rails if rail.get("guidelines")]
    for name, value in values.items():
        lines = [line.replace(f"{{{name}}}", value) for line in lines]
    return lines


def _sentence(text: str) -> str:
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"
