"""What the approval page tells: the rows of a gate, put into a reviewer's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.urls import reverse

from personas.registry import PERSONAS
from runs import forecast, preflight, services
from runs.models import Artifact, Run, Step
from runs.money import dollars
from runs.policies import policy_of
from runs.services import shown_at
from runs.states import RunStatus, Verdict
from runs.story import platform

from .messages import PAST

if TYPE_CHECKING:
    from providers.media.preflight.check import Comparison, Finding
    from runs.schemas import PlannedStep

# What a stage makes, as the object of "do ... again".
_WORK = {
    "iggy": "the ideas",
    "riley": "the clips",
    "alex": "the edit",
    "morgan": "the sound",
    "quinn": "title, caption and tags",
}
_PRIVACY = {
    "SELF_ONLY": "Only the account itself",
    "MUTUAL_FOLLOW_FRIENDS": "Friends",
    "FOLLOWER_OF_CREATOR": "Followers",
    "PUBLIC_TO_EVERYONE": "Everyone",
}


@dataclass(frozen=True)
class Line:
    """One line of the call sheet."""

    kind: str
    name: str
    title: str
    detail: str


@dataclass(frozen=True)
class Film:
    """The film to be judged. ``url`` is a path on this site."""

    url: str
    poster: str
    duration_s: float | None
    width_px: int | None
    height_px: int | None


@dataclass(frozen=True)
class Preflight:
    """What the rules say of the film and its draft.

    ``blocked``: there are errors that no other text mends. ``repair`` is what the button says, empty where there is
    nothing to repair, and ``mendable`` how many findings it mends; ``mended`` are the rules that the film was repaired
    for, ``fault`` is why the last repair failed.
    """

    checks: int
    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    passed: tuple[Comparison, ...]
    rules: tuple[str, ...]
    blocked: bool
    repair: str
    mendable: int
    mended: tuple[str, ...]
    fault: str

    @property
    def found(self) -> int:
        return len(self.errors) + len(self.warnings)


@dataclass(frozen=True)
class Redo:
    """A stage that a revision can go back to."""

    stage: str
    work: str


def page_of(step: Step) -> dict[str, Any]:
    """The template context of a gate: ``kind`` is money, plan, ideas, draft or facts, by what is shown."""
    run, shown = step.run, shown_at(step)
    gate = run.project.spec.gate(step.name)
    kind = next((kind for kind in ("money", "draft", "ideas", "plan") if kind in shown), "facts")
    return {
        "run": run,
        "step": step,
        "title": gate.title if gate else step.name,
        "ask": gate.ask if gate else "",
        "brief": run.payload.input.brief,
        "kind": kind,
        # A gate may bring a preview of its own.
        "preview": (f"hitl/gates/{step.name}.html", f"hitl/shown/{kind}.html"),
        "shown": shown,
        "numbers": numbers(run),
        "lines": call_sheet(run),
        "requirements": requirements(run),
        "estimate": estimate(run) if kind == "plan" else None,
        "film": film_of(run, shown.get("film", "")),
        "draft": _draft(shown.get("draft", {})),
        # After the decision: as they were approved.
        "ideas": (step.output or {}).get("ideas") or shown.get("ideas", []),
        "preflight": preflight_of(step, shown["draft"]) if kind == "draft" else None,
        "money": _money(shown.get("money", {})),
        "spent": spent(run),
        "redo": redo_of(step),
    }


def numbers(run: Run) -> dict[str, Any]:
    """What will be made: ``clips``, ``clip_s``, ``film_s`` (seconds), ``format``."""
    specs, options = run.payload.specs, run.payload.options
    return {
        "clips": specs.video_count,
        "clip_s": forecast.clip_s(run),
        "film_s": forecast.film_s(run),
        "format": options.aspect_ratio or specs.aspect_ratio,
    }


def requirements(run: Run) -> list[tuple[str, str]]:
    """What the person asked for beyond the project: a label, and their words."""
    said = run.payload.graph_spec.requirements
    rows = {
        "Language": said.language,
        "Must have": "; ".join(said.must_have),
        "Must not have": "; ".join(said.avoid),
        "Length": said.length,
    }
    return [(label, words) for label, words in rows.items() if words]


def estimate(run: Run) -> dict[str, Any]:
    """What the plan is likely to cost: ``lines`` of a title and dollars, what is ``free``, the ``total``."""
    prices = [(_line(run, planned).title, microusd) for planned, microusd in forecast.forecast(run)]
    return {
        "lines": [(title, dollars(microusd)) for title, microusd in prices if microusd],
        "free": [title for title, microusd in prices if not microusd],
        "total": dollars(sum(microusd for _, microusd in prices)),
    }


def call_sheet(run: Run) -> list[Line]:
    """The approved plan, line by line."""
    return [_line(run, planned) for planned in run.payload.graph_spec.steps]


def _line(run: Run, planned: PlannedStep) -> Line:
    return {"stage": _stage, "gate": _gate, "wait": _wait}[planned.kind](run, planned.name)


def _stage(run: Run, name: str) -> Line:
    persona = PERSONAS.get(name)
    title = f"{name.capitalize()}, {persona.title.lower()}" if persona else name.capitalize()
    return Line("stage", name, title, persona.summary if persona else "")


def _gate(run: Run, name: str) -> Line:
    gate = run.project.spec.gate(name)
    return Line("gate", name, "You decide", gate.title if gate else name)


def _wait(run: Run, name: str) -> Line:
    count, social = numbers(run), run.project.primary_social()
    account = f"{platform(social.provider)}, @{social.account_id}" if social else "no account yet"
    titles = {
        "clips": (f"{count['clips']} clips of {count['clip_s']:g} s", "The video model films them."),
        "render": ("The film", "Clips, titles and sound become one film."),
        "publish": ("The publication", f"The film is posted: {account}."),
    }
    title, detail = titles.get(name, (name.capitalize(), ""))
    return Line("wait", name, title, detail)


def film_of(run: Run, checksum: str) -> Film | None:
    """The stored film with this checksum, which is what the draft names; None when there is none."""
    film = run.artifacts.filter(checksum=checksum).exclude(path="").last() if checksum else None
    if film is None:
        return None
    poster = run.artifacts.filter(type="poster").exclude(path="").last()
    seen = film.metadata.get("probe", {})
    return Film(
        url=_media(film),
        poster=_media(poster) if poster else "",
        duration_s=seen.get("duration_s"),
        width_px=seen.get("width_px"),
        height_px=seen.get("height_px"),
    )


def preflight_of(step: Step, draft: dict[str, Any]) -> Preflight:
    """The pre-flight of what a gate shows, as it is now."""
    report = preflight.report_of(step.run, draft)
    errors = tuple(report.errors)
    mendable = sum(finding.repair is not None for finding in report.findings)
    return Preflight(
        checks=report.checks,
        errors=errors,
        warnings=tuple(finding for finding in report.findings if finding not in errors),
        passed=report.passed,
        rules=report.rules_version,
        blocked=not all(finding.in_text for finding in errors),
        repair="Repair the film" if mendable else "Check the film" if preflight.can_mend(report) else "",
        mendable=mendable,
        mended=tuple(preflight.repaired_for(step.run, draft["film"])),
        fault=step.error,
    )


def _media(artifact: Artifact) -> str:
    # Through our own origin, which is all that the page's content policy lets it load from.
    folder, _, name = artifact.path.partition("/")
    return reverse("media", args=[folder, name])


def _draft(draft: dict[str, Any]) -> dict[str, Any]:
    if not draft:
        return {}
    privacy = draft.get("privacy", "")
    return {
        **draft,
        "tags": " ".join(f"#{tag}" for tag in draft.get("tags", ())),
        "platform": platform(draft.get("platform", "")),
        "privacy": _PRIVACY.get(privacy, privacy),
    }


def with_edits(ideas: list[dict[str, Any]], wishes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The cards with what was typed into them, faults and all; ``typed`` marks those."""
    typed = {wish["index"]: {**wish, "typed": True} for wish in wishes}
    return [idea | typed.get(idea["index"], {}) for idea in ideas]


def spent(run: Run) -> str:
    """What the run has spent, and what is held for orders that are out, in dollars."""
    return dollars(sum(spend.microusd for spend in run.spends.all()))


def _money(asked: dict[str, Any]) -> dict[str, Any]:
    """What a budget gate asks for, in dollars: ``what``, ``asked``, ``over``, ``spent`` by the run, ``caps``."""
    if not asked:
        return {}
    caps = [
        {"name": cap["name"], "limit": dollars(cap["limit_microusd"]), "spent": dollars(cap["spent_microusd"])}
        for cap in asked["caps"]
    ]
    return {
        "what": asked["what"],
        "asked": dollars(asked["asked_microusd"]),
        "over": dollars(asked["over_microusd"]),
        "spent": dollars(asked["run_spent_microusd"]),
        "caps": caps,
    }


def redo_of(step: Step) -> list[Redo]:
    """The stages before this gate, latest first: where a revision can start."""
    steps = step.run.payload.graph_spec.steps
    at = next((index for index, planned in enumerate(steps) if planned.name == step.name), 0)
    stages = [planned.name for planned in steps[:at] if planned.kind == "stage"]
    return [Redo(stage, _WORK.get(stage, f"the work of {stage}")) for stage in reversed(stages)]


def standing_of(step: Step, recipient: str) -> dict[str, Any]:
    """What the gate's policy says to who looks at it.

    How many have to approve (``wanted``, ``missing``), who has (``voted``; ``mine``: this person), and what happens at
    ``expires_at`` (``on_expiry``).
    """
    policy = policy_of(step)
    voted = sorted(services.voters(step)) if policy.quorum > 1 else []
    return {
        "wanted": policy.quorum,
        "missing": policy.quorum - len(voted),
        "voted": voted,
        "mine": recipient.casefold() in voted,
        "expires_at": step.deadline,
        "on_expiry": policy.on_expiry,
    }


def outcome_of(step: Step) -> dict[str, Any]:
    """What was decided at a gate and what became of the run since."""
    run, approval = step.run, step.approval
    return {
        "approval": approval,
        "past": PAST[Verdict(approval.verdict)],
        "actor": approval.actor,
        "since": _since(run),
        "publish_urls": run.result.publish_urls,
    }


def _since(run: Run) -> str:
    """Where the run stands, as a sentence."""
    if run.status == RunStatus.SUCCEEDED:
        return "The film is published." if run.result.publish_urls else "The film is finished."
    ended = {
        RunStatus.FAILED: "The run has stopped and needs somebody to look at it.",
        RunStatus.CANCELLED: "The run was cancelled. Nothing more happens.",
        RunStatus.REJECTED: "The run has ended. Nothing is published.",
    }
    return ended.get(RunStatus(run.status)) or _under_way(run)


def _under_way(run: Run) -> str:
    step = run.cursor()
    if step is None:
        return "The crew is at work."
    if step.kind == "gate":
        gate = run.project.spec.gate(step.name)
        return f"The next decision is open: {gate.title if gate else step.name}."
    if step.kind == "stage":
        return f"{step.name.capitalize()} is at work now."
    return {
        "clips": "The clips are being filmed.",
        "render": "The film is being rendered.",
        "publish": "The film is on its way to the platform.",
    }.get(step.name, "The crew is at work.")
