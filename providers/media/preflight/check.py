"""Compares what was measured with the rules."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from providers.media.preflight.facts import Facts
from providers.media.preflight.measures import MEASURES, OF_THE_DRAFT, Draft, Measure, Value
from providers.media.preflight.rules import Level, Repair, Rule, Rules


class Comparison(BaseModel):
    """One rule in words: ``what`` was ``measured``, and what is ``allowed``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: str
    what: str
    measured: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.rule} ({self.what}: {self.measured}; allowed: {self.allowed})"


class Finding(Comparison):
    """A rule that is broken. ``fix`` is what a person can do; ``in_text`` when they can do it at the gate itself."""

    level: Level
    fix: str
    repair: Repair | None = None
    in_text: bool = False


class Report(BaseModel):
    """Errors come first in ``findings``. ``rules_version`` names the sets of rules."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules_version: tuple[str, ...]
    findings: tuple[Finding, ...]
    passed: tuple[Comparison, ...]

    @property
    def checks(self) -> int:
        return len(self.findings) + len(self.passed)

    @property
    def errors(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.level == "error"]


def check(facts: Facts, draft: Draft, rules: Iterable[Rules]) -> Report:
    """Reads no file. A rule whose measure has no value here is left out."""
    sets = tuple(rules)
    values = {name: measure.of(facts, draft) for name, measure in MEASURES.items()}
    judged = [(rule, value) for each in sets for rule in each.rules if (value := values[rule.measure]) is not None]
    findings = [_finding(rule, value) for rule, value in judged if not _keeps(rule, value)]
    return Report(
        rules_version=tuple(f"{each.platform} {each.version}" for each in sets),
        findings=tuple(sorted(findings, key=lambda finding: finding.level)),
        passed=tuple(Comparison(**_words(rule, value)) for rule, value in judged if _keeps(rule, value)),
    )


def _keeps(rule: Rule, value: Value) -> bool:
    if rule.one_of:
        return value in rule.one_of
    number = float(value or 0)
    return (rule.min is None or number >= rule.min) and (rule.max is None or number <= rule.max)


def _finding(rule: Rule, value: Value) -> Finding:
    return Finding(
        **_words(rule, value),
        level=rule.level,
        fix=rule.fix,
        repair=rule.repair,
        in_text=rule.measure in OF_THE_DRAFT,
    )


def _words(rule: Rule, value: Value) -> dict[str, str]:
    measure = MEASURES[rule.measure]
    return {
        "rule": rule.id,
        "what": measure.words,
        "measured": _told(value, measure),
        "allowed": allowed(rule),
    }


def allowed(rule: Rule) -> str:
    """What a rule allows, in words."""
    measure = MEASURES[rule.measure]
    if rule.one_of:
        return " or ".join(_told(each, measure) for each in rule.one_of)
    if rule.min is None:
        return f"at most {_told(rule.max, measure)}"
    if rule.max is None:
        return f"at least {_told(rule.min, measure)}"
    return f"{_number(rule.min)} to {_told(rule.max, measure)}"


def _told(value: Value, measure: Measure) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = value if isinstance(value, str) else _number(value or 0)
    return f"{text} {measure.unit}".rstrip()


def _number(value: float) -> str:
    """With two decimals at most, and none that say nothing."""
    return f"{value:,.2f}".rstrip("0").rstrip(".") if value % 1 else f"{value:,.0f}"
