"""Reads a brief: which things it names, what they do, and whether it names anything at all."""

from __future__ import annotations

import re
from dataclasses import dataclass


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Orders to the crew rather than things to film.
_ORDER = re.compile(
    r"""(?ix) ^ \s* (?:
        (?: hi | hello | hey | please | could \s you | can \s you | i \s would \s like | i'd \s like | i \s want
          | we \s want | we \s need | make | create | produce | generate | film | shoot | show | give | start | do
          | run )
        [\s,!]+ (?: me | us | you | to )? \s*
    )+"""
)
_FORMAT = re.compile(
    r"""(?ix) \b
    (?: (?: an? | the | some | one | two | three | twelve | eight | \d+ | second | short | quick | simple | little
          | funny | new | test | surreal | vertical | aismr | asmr | ai | tiktok ) [\s-]+ )*
    (?: videos? | films? | clips? | reels? | movies? | shorts? | tiktoks? | storyboards? | aismr | asmr | compilation )
    (?: \s+ (?: about | of | with | showing | where | in \s which | on | for | featuring ) \b | \s* : )? \s*"""
)
_SPLIT = re.compile(r"(?i)[,;:.!?\n]+|\s(?:and then|and|then|vs\.?|versus|while|&)\s")
_EQUATION = re.compile(r"(?i)^(?P<subject>.+?)\s+(?:is|are|as|becomes?|turns? into|looks? like)\s+(?P<other>.+)$")
_WORD = re.compile(r"[\w'’-]+")

_ARTICLES = _set("a an the his her its their my our your this that")
_STOPS = _set(
    """in on at under over inside beneath above behind between through into onto from with without of during across by
    near who whom whose which that where when as like is are was were for to around against beside out up down away off
    along made built carved lit seen caught left lost"""
)
# "boat crosses a puddle", "sun comes out"; "that" rather opens a clause of its own: "boat that sails".
_AFTER_VERB = (_ARTICLES - _STOPS) | _set("out up down away off")
_COUNTS = _set("one two three four five six seven eight nine ten eleven twelve dozen some several many few")
_EMPTY = _set(
    """it something anything stuff thing things nice cool good great fun funny beautiful test testing simple editing
    edit no new video videos film clip clips please whatever demo example default surreal strange weird help more
    idea ideas best hi hello hey thanks thank you ok okay yes two three slow quick short moments scenes shots beats
    again"""
)
_UNIQUE = _set("moon sun sea ocean sky universe")
_MASS = _set("rain water snow honey smoke sand ice fire fog mist moss silk bread milk light lava glass")


@dataclass(frozen=True)
class Thing:
    """Something the brief names: ``a`` + ``paper boat`` + ``crosses a puddle``; ``other`` is what it is said to be."""

    article: str
    subject: str
    detail: str = ""
    other: str = ""

    @property
    def noun(self) -> str:
        """The last word of the subject."""
        return self.subject.rsplit(maxsplit=1)[-1]

    @property
    def phrase(self) -> str:
        """As in a sentence: ``a paper boat``."""
        return f"{self.article} {self.subject}".strip()

    @property
    def placed(self) -> bool:
        """Whether the detail already says where it is."""
        return any(word in _STOPS for word in self.detail.lower().split())


def things(text: str) -> list[Thing]:
    """The things ``text`` names, in order and without repeats; empty when it names none."""
    found: dict[str, Thing] = {}
    for part in _SPLIT.split(_FORMAT.sub(" ", _ORDER.sub("", text.strip()))):
        thing = _thing(part)
        if thing:
            found.setdefault(thing.subject.lower(), thing)
    return list(found.values())


def one_of(things: str) -> str:
    """The singular of a plural noun phrase: ``candles`` -> ``candle``. Regular nouns only."""
    for plural, singular in (
        ("ies", "y"),
        ("sses", "ss"),
        ("xes", "x"),
        ("ches", "ch"),
        ("shes", "sh"),
        ("ss", "ss"),
        ("us", "us"),
    ):
        if things.endswith(plural):
            return things.removesuffix(plural) + singular
    return things.removesuffix("s")


def _thing(part: str) -> Thing | None:
    equation = _EQUATION.match(part.strip())
    other = _cut(equation["other"])[1] if equation else ""
    article, subject, detail = _cut(equation["subject"] if equation else part)
    if not subject or all(word in _EMPTY for word in subject.lower().split()):
        return None
    return Thing(article or _article(subject), subject, detail, other)


def _cut(part: str) -> tuple[str, str, str]:
    """(article, subject of at most three words, the rest)."""
    tokens = [token for token in _WORD.findall(part) if not token.isdigit()]
    article = tokens.pop(0).lower() if tokens and tokens[0].lower() in _ARTICLES else ""
    while len(tokens) > 1 and tokens[0].lower() in _COUNTS:
        tokens.pop(0)
    end = _end_of_subject(tokens, singular=article in {"a", "an"})
    return article, " ".join(tokens[:end]), " ".join(tokens[end:])


def _end_of_subject(tokens: list[str], *, singular: bool) -> int:
    for index, token in enumerate(tokens[:5]):
        word = token.lower()
        if word in _AFTER_VERB and index > 1:
            return index - 1
        if index and (word in _STOPS or word in _ARTICLES or _is_participle(word)):
            return index
        # After "a" a word in -s is a verb: "a hedgehog bakes bread".
        if index and singular and word.endswith("s") and not word.endswith("ss") and index + 1 < len(tokens):
            return index
    return min(len(tokens), 3)


def _is_participle(word: str) -> bool:
    return len(word) > 4 and word.endswith(("ing", "ed"))


def _article(subject: str) -> str:
    last = subject.rsplit(maxsplit=1)[-1].lower()
    if last in _UNIQUE:
        return "the"
    if last in _MASS or (last.endswith("s") and not last.endswith("ss")):
        return ""
    return "an" if subject[0].lower() in "aeiou" else "a"
