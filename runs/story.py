"""A run in words and pictures, for the staff's pages and the admin. Reads rows, changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.db.models import Prefetch, QuerySet

from personas.registry import PERSONAS
from providers import renders

from .ideas import handed_over
from .models import Approval, Artifact, ProviderJob, Run, Step
from .money import dollars
from .states import ACTIVE_RUN, IN_FLIGHT_JOB, JobStatus, RunStatus, SpendStatus, StepStatus, Verdict

if TYPE_CHECKING:
    from datetime import datetime

STORY_ARTIFACTS = ("kieai.clip", "poster", "ffmpeg.normalized", "publish.url")

_AT_WORK = {
    "iggy": "Iggy is thinking up the ideas",
    "riley": "Riley is writing the prompts",
    "alex": "Alex is cutting the film",
    "morgan": "Morgan is mixing the sound",
    "quinn": "Quinn is writing the caption",
}
_UNDER_WAY = {
    "clips": (
        "The clips are being filmed",
        "The video model films every prompt; a clip shows up here when it is ready.",
    ),
    "render": ("The film is being rendered", "Clips, titles and sound become one film."),
    "publish": ("The film is on its way", "It is posted with exactly the text that was approved."),
}
_WAITS = {"clips": ("Clips", "Video model"), "render": ("Render", "Renderer"), "publish": ("Publish", "Platform")}
_RENDERING = {
    "queued": "Waits for a free renderer",
    "fetching": "Fetching the clips",
    "preprocessing": "Drawing titles and mixing the sound",
    "rendering": "Rendering",
    "generating": "Joining the pieces",
    "saving": "Saving the film",
}
# What becomes of an order that is held up, by its state.
_OUTLOOKS = {
    JobStatus.INTENT: "Nothing is ordered or billed meanwhile; it is tried again by itself.",
    JobStatus.UNKNOWN: "It may have been taken all the same, so it is not sent again before that is known.",
    JobStatus.SUBMITTED: "The order stands, and is asked about again by itself.",
}
_REMEDIES = {
    "clips": "Retry orders what failed again; every finished clip is kept. For another prompt, fork from riley.",
    "render": "Retry orders the same cut again; every clip is kept. For another cut, fork from alex.",
    "publish": "Retry sends the film with the text that was approved.",
}
_ENDED = {RunStatus.CANCELLED: "Cancelled", RunStatus.REJECTED: "Rejected"}
_VERDICTS = {Verdict.APPROVE: "approved", Verdict.REJECT: "rejected", Verdict.REVISE: "sent back"}


@dataclass(frozen=True)
class Station:
    """One step of the pipeline. ``since`` is set while it is under way, ``took`` when it has ended."""

    kind: str
    name: str
    portrait: str
    role: str
    status: str
    word: str
    since: datetime | None = None
    took: str = ""


@dataclass(frozen=True)
class Shot:
    """One clip of the film, from its idea to its file. ``clip`` is a path below the media root."""

    number: int
    state: str
    word: str
    header: str
    title: str
    concept: str
    prompt: str
    error: str
    since: datetime | None
    clip: str


@dataclass(frozen=True)
class Film:
    """The finished film; ``path`` and ``poster`` are paths below the media root."""

    path: str
    poster: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Rendering:
    """How far our own renderer is with the film; ``percent`` is None while nothing is rendered."""

    word: str
    percent: int | None
    facts: tuple[str, ...]


@dataclass(frozen=True)
class Fault:
    """What went wrong, and with what. ``outlook``: what it costs, or what happens next."""

    what: str
    error: str
    outlook: str = ""


def with_standing(runs: QuerySet[Run]) -> QuerySet[Run]:
    """Loads what a list of runs tells: as many queries for one run as for many."""
    return runs.select_related("project").prefetch_related(
        Prefetch("steps", Step.objects.defer("output")),
        Prefetch("jobs", ProviderJob.objects.defer("request", "report")),
        Prefetch("artifacts", Artifact.objects.filter(type="poster")),
        "approvals",
        "spends",
    )


def with_story(runs: QuerySet[Run]) -> QuerySet[Run]:
    """Loads everything that a :class:`Story` tells."""
    artifacts = Artifact.objects.filter(type__in=STORY_ARTIFACTS)
    return runs.select_related("project").prefetch_related(
        "steps", "jobs", Prefetch("artifacts", artifacts), "approvals", "spends"
    )


class Story:
    """One run, told from the rows that :func:`with_story` or :func:`with_standing` has loaded.

    It asks for no more, except how far a render is.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.steps: list[Step] = list(run.steps.all())
        self._decided: dict[Any, Approval] = {approval.step_id: approval for approval in run.approvals.all()}

    # --- Where it stands

    @cached_property
    def standing(self) -> Step | None:
        """The run's cursor."""
        return next((step for step in self.steps if step.status in Step.UNDONE), None)

    @property
    def gate_open(self) -> bool:
        return self._stands_at("gate", StepStatus.WAITING)

    @property
    def can_retry(self) -> bool:
        return self.run.status == RunStatus.FAILED

    @property
    def can_retry_clips(self) -> bool:
        """Whether a single clip that failed can be ordered anew."""
        return self.can_cancel and self.standing is not None and self.standing.name == "clips"

    @property
    def can_cancel(self) -> bool:
        return self.run.active or self.can_retry

    @cached_property
    def planned(self) -> list[Step]:
        """The steps without those that a revision has replaced."""
        last = {(step.kind, step.name): step.position for step in self.steps}
        return [
            step
            for step in self.steps
            if step.status != StepStatus.CANCELLED or step.position == last[step.kind, step.name]
        ]

    @property
    def done(self) -> int:
        return sum(step.status == StepStatus.SUCCEEDED for step in self.planned)

    @property
    def total(self) -> int:
        return len(self.planned)

    @cached_property
    def headline(self) -> str:
        """The run's state as a sentence without its full stop."""
        step = self.standing
        if self.run.status == RunStatus.SUCCEEDED:
            return "Published" if self._ordered("publish") else "Finished"
        if self.run.status == RunStatus.FAILED:
            return f"Stopped at {_name(step) if step else 'its end'}"
        if step is None or self.run.status not in ACTIVE_RUN:
            return _ENDED.get(RunStatus(self.run.status), "Finished")
        return {"gate": self._at_gate, "wait": self._at_wait, "stage": self._at_stage}[step.kind](step)

    def _at_gate(self, step: Step) -> str:
        if step.repairing:
            return "The film is being repaired"
        title = self._gate_title(step)
        return f"Waiting for you: {title[:1].lower()}{title[1:]}"

    def _at_wait(self, step: Step) -> str:
        jobs = self._ordered(step.name)
        if step.name != "clips" or not jobs:
            put_off = any(job.error and job.status == JobStatus.INTENT for job in jobs)
            way = f"Waiting for the {_WAITS[step.name][1].lower()}"
            return way if put_off else _UNDER_WAY[step.name][0]
        ready = sum(job.status == JobStatus.SUCCEEDED for job in jobs)
        return f"{ready} of {len(jobs)} clips are ready"

    def _at_stage(self, step: Step) -> str:
        return _AT_WORK.get(step.name, f"{step.name.capitalize()} is at work")

    @cached_property
    def detail(self) -> str:
        """A second sentence, or nothing."""
        step = self.standing
        if step is None or not self.run.active:
            return self.run.reason if self.run.status in _ENDED else ""
        if step.kind == "gate":
            gate = self.run.project.spec.gate(step.name)
            return gate.ask if gate else ""
        if step.kind == "wait":
            return _UNDER_WAY.get(step.name, ("", ""))[1]
        return PERSONAS[step.name].summary if step.name in PERSONAS else ""

    def _stands_at(self, kind: str, status: StepStatus) -> bool:
        step = self.standing
        return self.run.active and step is not None and (step.kind, step.status) == (kind, status)

    # --- The pipeline

    @cached_property
    def stations(self) -> list[Station]:
        """The crew in the order of its work, Brendan first."""
        brendan = Station("stage", "Brendan", "brendan", "Producer", StepStatus.SUCCEEDED, "took the brief")
        return [brendan, *(self.station(step) for step in self.planned)]

    def station(self, step: Step) -> Station:
        under_way = step.status in {StepStatus.RUNNING, StepStatus.WAITING}
        return Station(
            kind=step.kind,
            name=_name(step),
            portrait="you" if step.kind == "gate" else step.name,
            role=self._role(step),
            status=step.status,
            word=self._word(step),
            since=step.started_at if under_way else None,
            took=took(step),
        )

    def _role(self, step: Step) -> str:
        if step.kind == "gate":
            return self._gate_title(step)
        if step.kind == "wait":
            return _WAITS.get(step.name, ("", "Provider"))[1]
        return PERSONAS[step.name].title if step.name in PERSONAS else ""

    def _word(self, step: Step) -> str:
        decision = self._decided.get(step.id)
        if decision:
            return f"{_VERDICTS[Verdict(decision.verdict)]} by {decision.actor}"
        words = {
            StepStatus.PENDING: "next" if step == self.standing and self.run.active else "to come",
            StepStatus.RUNNING: "at work",
            StepStatus.WAITING: "waits for you" if step.kind == "gate" else "under way",
            StepStatus.SUCCEEDED: "done",
        }
        return words.get(StepStatus(step.status), step.status)

    def _gate_title(self, step: Step) -> str:
        gate = self.run.project.spec.gate(step.name)
        return gate.title if gate else step.name

    # --- What comes of it

    @cached_property
    def shots(self) -> list[Shot]:
        """One per planned clip, from the start on; they fill in as the crew works."""
        ideas = {idea["index"]: idea for idea in handed_over(self.steps).get("iggy", {}).get("ideas", [])}
        jobs = {job.index: job for job in self._ordered("clips")}
        return [self._shot(index, ideas.get(index, {}), jobs.get(index)) for index in range(self._shot_count)]

    @property
    def _shot_count(self) -> int:
        return self.run.payload.specs.video_count if any(step.name == "clips" for step in self.steps) else 0

    def _shot(self, index: int, idea: dict[str, Any], job: ProviderJob | None) -> Shot:
        made = self._made("kieai.clip", job)
        clip = next((each for each in reversed(made) if each.metadata.get("index") == index), None)
        state, word = _shot_state(idea, job, clip)
        return Shot(
            number=index + 1,
            state=state,
            word=word,
            header=idea.get("header", ""),
            title=idea.get("title") or idea.get("subject", ""),
            concept=idea.get("concept", ""),
            prompt=job.request.get("prompt", "") if job else "",
            error=job.error if job and job.status == JobStatus.FAILED else "",
            since=job.submitted_at if job and state == "filming" else None,
            clip=clip.path if clip else "",
        )

    @cached_property
    def film(self) -> Film | None:
        """The film of the newest render, with the sound that was designed for it since."""
        job = next(iter(self._ordered("render")), None)
        films, posters = self._made_since("ffmpeg.normalized", job), self._made("poster", job)
        if not films:
            return None
        return Film(films[-1].path, posters[-1].path if posters else "", _film_facts(films[-1]))

    @property
    def rendering(self) -> bool:
        step = self.standing
        return self.run.active and self.film is None and step is not None and step.name == "render"

    @cached_property
    def progress(self) -> Rendering | None:
        """How far the render is, when it is our own renderer's."""
        job = next(iter(self._ordered("render")), None)
        seen = renders.progress(job.reference) if job and self.rendering else None
        if seen is None:
            return None
        pace = f"{seen.fps:.0f} fps" if seen.fps else ""
        left = f"{clock(seen.left_s)} left" if seen.left_s else ""
        working = seen.status != renders.Status.QUEUED
        facts = tuple(filter(None, (pace, left))) if working else ()
        return Rendering(seen.reason or _RENDERING[seen.status], seen.percent if working else None, facts)

    @cached_property
    def poster(self) -> str:
        """Path of the newest poster, for lists."""
        return next((each.path for each in reversed(self.run.artifacts.all()) if each.type == "poster"), "")

    @cached_property
    def draft(self) -> dict[str, Any]:
        """What is, or would be, published: title, caption, tags, account, platform."""
        job = next(iter(self._ordered("publish")), None)
        if job is None:
            return {}
        return {**job.request, "platform": platform(job.request["platform"])}

    @cached_property
    def publish_urls(self) -> list[str]:
        return [each.url for each in self.run.artifacts.all() if each.type == "publish.url"]

    @cached_property
    def cost(self) -> str:
        """What was spent, and what is held for orders under way, in dollars; empty before the first order."""
        spent, held = self._money(SpendStatus.SETTLED), self._money(SpendStatus.RESERVED)
        parts = [dollars(spent)] if spent else []
        return " + ".join([*parts, f"{dollars(held)} held"] if held else parts)

    @cached_property
    def faults(self) -> list[Fault]:
        """Why the run has stopped."""
        step = self.standing
        if self.run.status != RunStatus.FAILED or step is None:
            return []
        failed = [job for job in self._ordered(step.name) if job.status == JobStatus.FAILED]
        if step.kind == "wait" and failed:
            return [_fault(job, self._bill(job)) for job in failed]
        return [Fault(_name(step), _sentence(step.error or self.run.reason))]

    @property
    def remedy(self) -> str:
        """What a retry would do about :attr:`faults`, and what else can be done."""
        step = self.standing
        if step is None or step.kind != "wait":
            return "Retry sends only this to work again; everything that is finished is kept."
        out = step.name == "publish" and any(job.status in IN_FLIGHT_JOB for job in self._ordered("publish"))
        return "Retry sends nothing a second time; it goes on asking." if out else _REMEDIES[step.name]

    @cached_property
    def delays(self) -> list[Fault]:
        """What holds up the wait at which the run stands, and needs nobody yet."""
        step = self.standing
        if step is None or not self._stands_at("wait", StepStatus.WAITING):
            return []
        late = [job for job in self._ordered(step.name) if job.error and job.status in _OUTLOOKS]
        until = f" Nothing needs to be done until {step.deadline:%H:%M} UTC." if step.deadline else ""
        return [_fault(job, f"{_OUTLOOKS[JobStatus(job.status)]}{until}") for job in late]

    def _bill(self, job: ProviderJob) -> str:
        """What a failed order costs, and what another would; empty when both are free."""
        spend = next((each for each in self.run.spends.all() if each.key == job.key), None)
        if spend is None or not spend.reserved_microusd:
            return ""
        billed = f"{dollars(spend.microusd)} counts as spent, because it may have been billed."
        again = f"Another order is about {dollars(spend.reserved_microusd)}."
        return f"{billed if spend.microusd else 'Nothing was billed.'} {again}"

    @property
    def film_length(self) -> str:
        """How many clips of what length."""
        spec, options = self.run.payload.specs, self.run.payload.options
        return f"{spec.video_count} × {options.duration or spec.video_duration_s:g} s"

    @property
    def aspect_ratio(self) -> str:
        return str(self.run.payload.options.aspect_ratio or self.run.payload.specs.aspect_ratio)

    @property
    def wall_time(self) -> str:
        """From the brief to the end, people's time included; empty before the end."""
        ended = self.run.finished_at
        return clock((ended - self.run.created_at).total_seconds()) if ended else ""

    # --- Rows

    def _money(self, status: SpendStatus) -> int:
        return sum(spend.microusd for spend in self.run.spends.all() if spend.status == status)

    def _ordered(self, kind: str) -> list[ProviderJob]:
        """The newest stage's orders of ``kind``, by index; older ones were revised away."""
        positions = {step.id: step.position for step in self.steps}
        jobs = [job for job in self.run.jobs.all() if job.kind == kind]
        newest = max((positions[job.step_id] for job in jobs), default=0)
        return sorted((job for job in jobs if positions[job.step_id] == newest), key=lambda job: job.index)

    def _made(self, kind: str, job: ProviderJob | None) -> list[Artifact]:
        """The artifacts of ``kind`` that came of the stage which placed ``job``."""
        return [each for each in self.run.artifacts.all() if job and each.type == kind and each.step_id == job.step_id]

    def _made_since(self, kind: str, job: ProviderJob | None) -> list[Artifact]:
        """The artifacts of ``kind`` that came of that stage or a later one."""
        positions = {step.id: step.position for step in self.steps}
        since = {step.id for step in self.steps if job and step.position >= positions[job.step_id]}
        return [each for each in self.run.artifacts.all() if each.type == kind and each.step_id in since]


def took(step: Step) -> str:
    """How long a finished step took: ``0.4 s``, from a minute on ``m:ss``; empty before its end."""
    seconds = step.seconds(step.finished_at) if step.finished_at else None
    if seconds is None:
        return ""
    return f"{seconds:.1f}\N{NO-BREAK SPACE}s" if seconds < 60 else clock(seconds)


def platform(name: str) -> str:
    """``tiktok`` as its owners write it."""
    return {"tiktok": "TikTok", "youtube": "YouTube"}.get(name, name.capitalize())


def clock(seconds: float) -> str:
    """A duration as ``m:ss`` or ``h:mm:ss``."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


def _name(step: Step) -> str:
    if step.kind == "gate":
        return "You"
    return _WAITS[step.name][0] if step.name in _WAITS else step.name.capitalize()


def _fault(job: ProviderJob, outlook: str) -> Fault:
    return Fault(job.what.capitalize(), _sentence(job.error), outlook)


def _sentence(words: str) -> str:
    """The words with a capital at their beginning and a full stop at their end."""
    return f"{words[:1].upper()}{words[1:]}".removesuffix(".") + "." if words else ""


def _shot_state(idea: dict[str, Any], job: ProviderJob | None, clip: Artifact | None) -> tuple[str, str]:
    if clip:
        return "ready", "ready"
    if job is None:
        return ("idea", "idea") if idea else ("blank", "to come")
    if job.status in IN_FLIGHT_JOB:
        return "filming", "filming"
    if job.status == JobStatus.INTENT:
        return "queued", "queued"
    return ("failed", "failed") if job.status == JobStatus.FAILED else ("idea", job.status)


def _film_facts(film: Artifact) -> tuple[tuple[str, str], ...]:
    probe, loudness = film.metadata.get("probe", {}), film.metadata.get("loudness", {})
    facts = (
        ("Length", f"{probe['duration_s']:.1f} s" if "duration_s" in probe else ""),
        ("Frame", f"{probe['width_px']} × {probe['height_px']}, {probe['fps']:g} fps" if "width_px" in probe else ""),
        ("Loudness", _loudness(loudness["integrated_lufs"]) if "integrated_lufs" in loudness else ""),
    )
    return tuple((name, value) for name, value in facts if value)


def _loudness(lufs: float | None) -> str:
    return "silent" if lufs is None else f"{lufs:.1f} LUFS"
