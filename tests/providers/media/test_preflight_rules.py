"""The rules as data, what they say of a draft, and where an Edit lays its texts."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from providers.media.preflight.captions import captions
from providers.media.preflight.check import Report, allowed, check
from providers.media.preflight.facts import Box, Facts
from providers.media.preflight.measures import MEASURES, Draft
from providers.media.preflight.rules import Rule, Rules, platforms, rules_of
from providers.shotstack.template import TemplateClip, standard_edit

from .media_files import FINE

DRAFT = Draft(title="Moon", text="The moon. #moon", tags=("moon",), privacy="PUBLIC_TO_EVERYONE", ai_label=True)


def flown(platform: str, facts: Facts = FINE, **draft: Any) -> Report:
    rules = [rules_of(name) for name in ("film", platform)]
    return check(facts, DRAFT.model_copy(update=draft), [each for each in rules if each])


def found(platform: str, **draft: Any) -> list[str]:
    return [finding.rule for finding in flown(platform, **draft).findings]


@pytest.mark.parametrize("platform", ["tiktok", "youtube", "instagram"])
def test_a_fine_film_passes_every_platform(platform: str) -> None:
    report = flown(platform)
    assert report.findings == ()
    known = rules_of(platform)
    assert known is not None
    assert report.rules_version[1] == f"{platform} {known.version}"


@pytest.mark.parametrize(
    ("platform", "draft", "rule"),
    [
        ("tiktok", {"text": "x" * 2201}, "tiktok.caption.max"),
        # A face counts twice.
        ("tiktok", {"text": "\N{GRINNING FACE}" * 1101}, "tiktok.caption.max"),
        ("tiktok", {"text": "#a #b #c #d #e #f"}, "tiktok.hashtags.max"),
        ("tiktok", {"privacy": "EVERYBODY"}, "tiktok.privacy"),
        ("tiktok", {"ai_label": False}, "tiktok.ai_label"),
        ("instagram", {"text": "#a " * 31}, "instagram.hashtags.max"),
        ("instagram", {"text": "x" * 2201}, "instagram.caption.max"),
        ("instagram", {"privacy": "SELF_ONLY"}, "instagram.privacy"),
        ("youtube", {"title": ""}, "youtube.title"),
        ("youtube", {"title": "x" * 101}, "youtube.title"),
        ("youtube", {"text": "ü" * 2501}, "youtube.description.max"),
        ("youtube", {"tags": ("x" * 60,) * 9}, "youtube.tags.max"),
        ("youtube", {"privacy": "FOLLOWER_OF_CREATOR"}, "youtube.privacy"),
    ],
)
def test_a_text_that_the_platform_does_not_take_is_found(platform: str, draft: dict[str, Any], rule: str) -> None:
    assert found(platform, **draft) == [rule]


def test_what_is_just_allowed_is_allowed() -> None:
    assert found("tiktok", text="\N{GRINNING FACE}" * 1100) == []
    assert found("tiktok", text="a # b #c #d #e #f #g") == []
    assert found("youtube", title="x" * 100, text="ü" * 2500) == []


def test_a_finding_tells_what_was_measured_and_what_is_allowed() -> None:
    report = flown("instagram", FINE.model_copy(update={"duration_s": 1234.5, "faststart": False}))
    told = [(finding.measured, finding.allowed, finding.level, finding.repair) for finding in report.findings]
    assert told == [("1,234.5 s", "3 to 900 s", "error", None), ("no", "yes", "error", "container")]


def test_errors_come_before_warnings() -> None:
    broken = FINE.model_copy(update={"lufs": -20, "rotation_deg": 90, "duration_s": 2})
    assert [finding.level for finding in flown("tiktok", broken).findings] == ["error", "warning", "warning"]


def test_of_a_film_that_cannot_be_played_nothing_else_is_said() -> None:
    report = flown("tiktok", Facts(fault="it is cut off", size_bytes=9))
    assert [(finding.rule, finding.measured) for finding in report.findings] == [("film.plays", "it is cut off")]


# --- Texts over the picture


OUTPUT = {"format": "mp4", "size": {"width": 1080, "height": 1920}}


def over(clip: dict[str, Any], platform: str = "tiktok") -> list[str]:
    edit = {"timeline": {"tracks": [{"clips": [clip]}]}, "output": OUTPUT}
    return beneath(platform, captions(edit, width_px=1080, height_px=1920))


def beneath(platform: str, texts: tuple[Box, ...]) -> list[str]:
    """What is said of a film with texts in these places."""
    return [finding.rule for finding in flown(platform, FINE.model_copy(update={"captions": texts})).findings]


def text(kind: str = "rich-text", **clip: Any) -> dict[str, Any]:
    asset = {"type": kind, "text": "cheeseburger"} | ({"font": {"size": 92}} if kind == "rich-text" else {})
    return {"asset": asset | clip.pop("asset", {}), "start": 0, "length": 2, **clip}


@pytest.mark.parametrize("platform", ["tiktok", "instagram", "youtube"])
@pytest.mark.parametrize("size", [(1080, 1920), (1920, 1080), (720, 1280)])
def test_the_standard_template_keeps_clear_of_the_buttons(platform: str, size: tuple[int, int]) -> None:
    clips = [TemplateClip("a", 8, "cheeseburger", "moon"), TemplateClip("b", 8, "melting glass", "sun")]
    edit = standard_edit(clips, width_px=size[0], height_px=size[1])
    laid = captions(edit, width_px=size[0], height_px=size[1])
    assert len(laid) == 4
    assert beneath(platform, laid) == []


@pytest.mark.parametrize(
    ("clip", "rule"),
    [
        (text(position="bottom", width=900, height=200), "tiktok.text.bottom"),
        (text(position="bottom", width=900, height=500, asset={"align": {"vertical": "bottom"}}), "tiktok.text.bottom"),
        (text(position="top", width=900, height=150), "tiktok.text.top"),
        (text(position="bottomRight", width=700, height=200, offset={"y": 0.2}), "tiktok.text.right"),
        (text("text", position="bottom", asset={"width": 400, "height": 300}), "tiktok.text.bottom"),
        (text("title", asset={"position": "bottom", "text": "low"}), "tiktok.text.bottom"),
    ],
)
def test_a_text_under_the_buttons_is_found(clip: dict[str, Any], rule: str) -> None:
    assert over(clip) == [rule]


@pytest.mark.parametrize(
    "clip",
    [
        # The letters count, not the box.
        text(position="bottom", width=900, height=900, asset={"align": {"vertical": "top"}}),
        text(position="bottom", width=900, height=200, offset={"y": 0.16}),
        # Beside the upper half there are no buttons.
        text(position="topRight", width=620, height=200, offset={"y": -0.1}),
        text("title", asset={"position": "top", "offset": {"y": -0.1}, "text": "x"}, position="bottom"),
        # Nothing is drawn; and what moves counts where it is in the middle of its time.
        text(position="bottom", asset={"text": " "}),
        text(position="bottom", offset={"y": [{"from": 0, "to": 0.4, "start": 0, "length": 1}]}),
    ],
)
def test_a_text_that_is_clear_of_them_is_not(clip: dict[str, Any]) -> None:
    assert [rule for rule in over(clip) if rule != "tiktok.text.right"] == []


def test_a_wide_film_is_under_no_buttons() -> None:
    low = (Box(0.1, 0.9, 0.9, 1.0),)
    wide = FINE.model_copy(update={"width_px": 1920, "height_px": 1080, "captions": low})
    assert flown("tiktok", wide).findings == ()


def test_a_text_of_a_padded_film_is_where_it_is_seen() -> None:
    edit = {"timeline": {"tracks": [{"clips": [text()]}]}, "output": {**OUTPUT, "size": {"width": 400, "height": 400}}}
    (square,) = captions(edit, width_px=400, height_px=400)
    (padded,) = captions(edit, width_px=1080, height_px=1920)
    bar, share = (1920 - 1080) / 2 / 1920, 1080 / 1920
    assert padded == pytest.approx((square.left, bar + square.top * share, square.right, bar + square.bottom * share))


# --- The files


@pytest.mark.parametrize("platform", platforms())
def test_every_rule_compares_what_its_measure_gives(platform: str) -> None:
    known = rules_of(platform)
    assert known is not None
    titled = FINE.model_copy(update={"captions": (Box(0.2, 0.2, 0.8, 0.55),)})
    for rule in known.rules:
        value = MEASURES[rule.measure].of(titled, DRAFT)
        assert isinstance(value, str | bool) == bool(rule.one_of) or isinstance(value, float | int)
        assert allowed(rule)


def test_a_platform_without_a_file_has_no_rules() -> None:
    assert rules_of("myspace") is None


RULE = {"id": "x.y", "level": "error", "measure": "fps", "max": 60, "fix": "Mend it.", "source": "them"}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"measure": "colour"}, "no measure 'colour'"),
        ({"max": None}, "min or max"),
        ({"one_of": [1]}, "min or max"),
        ({"level": "fatal"}, "'error' or 'warning'"),
        ({"source": ""}, "at least 1 character"),
        ({"id": "other.y"}, "begin with 'x.'"),
        ({"maximum": 1}, "Extra inputs"),
    ],
)
def test_a_rule_that_is_wrong_is_refused_in_words(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Rules.model_validate({"platform": "x", "version": "2026-01-01", "rules": [RULE | change]})


def test_a_rule_stands_once() -> None:
    rule = Rule.model_validate(RULE)
    with pytest.raises(ValidationError, match="unique"):
        Rules(platform="x", version="2026-01-01", rules=(rule, rule))
