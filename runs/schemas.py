"""Shapes of the JSON columns of a run and its project.

``runs.payload`` and ``runs.result`` keep the keys of the architecture document.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from providers.shotstack.template import Look, Motion


class Shape(BaseModel):
    """Ours: immutable, nothing unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


# --- A project file (fixtures/projects/*.json)


class Question(Shape):
    """What people are asked at a gate; ``ask`` is the question they read."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{1,31}$")
    title: str
    ask: str


# The engine's own gate: it opens wherever an order would break a cap.
BUDGET = Question(
    id="budget", title="More money", ask="What comes next would pass a cap on spending. May this run spend more?"
)


class Policy(Shape):
    """Who decides at a gate, how many, and what becomes of it when nobody does. Times are hours since it opened.

    Names are what decisions are recorded under: mail addresses, user names, ``telegram_ID``, names of API keys.
    """

    approvers: tuple[str, ...] = Field((), description="who may decide; empty: whoever has a link")
    quorum: int = Field(
        1, ge=1, le=10, description="how many different people have to approve; one is enough to refuse"
    )
    requester_may_approve: bool = Field(True, description="whether who asked for the film may approve here")
    group: str = Field("", description="group of users that one has to be logged in as a member of; empty: no login")
    expires_h: float | None = Field(None, gt=0, le=24 * 365)
    on_expiry: Literal["approve", "reject"] = "reject"
    remind_h: tuple[float, ...] = Field((), max_length=10, description="when who may decide is asked again")
    escalate_h: float | None = Field(None, gt=0, le=24 * 365)
    escalate_to: tuple[str, ...] = Field((), description="who may decide as well from then on, and is asked to")

    @model_validator(mode="after")
    def _possible(self) -> Policy:
        people = {name.casefold() for name in (*self.approvers, *self.escalate_to)}
        if self.quorum > 1 and len({name.casefold() for name in self.approvers}) < self.quorum:
            raise ValueError(f"a quorum of {self.quorum} needs as many names under 'approvers', to tell people apart")
        if (self.escalate_h is None) != (not self.escalate_to):
            raise ValueError("'escalate_h' and 'escalate_to' belong together")
        if self.escalate_to and not self.approvers:
            raise ValueError("without 'approvers' everybody may decide, so there is nobody to escalate to")
        if "" in people:
            raise ValueError("a name is empty")
        return self


class Gate(Question):
    """A human decision. It stands before or after a persona."""

    before: str | None = None
    after: str | None = None
    policy: Policy | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Gate:
        if (self.before is None) == (self.after is None):
            raise ValueError("a gate needs exactly one of 'before' and 'after'")
        if self.id == BUDGET.id:
            raise ValueError(f"'{BUDGET.id}' is the engine's own gate; choose another id")
        return self


class Resolution(Shape):
    width: int = Field(ge=16, le=4096)
    height: int = Field(ge=16, le=4096)
    fps: int = Field(ge=1, le=120)


class Length(BaseModel):
    """How long a film of the project is, in seconds."""

    model_config = ConfigDict(frozen=True, extra="allow")

    min: float = Field(gt=0)
    max: float = Field(gt=0)


_SECONDS = frozenset({"min", "max", "target"})


class Specs(BaseModel):
    """The film's numbers; a project may add its own (``whisperTiming``, ``maxHands``).

    ``look`` and ``motion`` are of the standard timeline: its colours, and how each clip moves.
    """

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)

    video_count: int = Field(alias="videoCount", ge=1, le=20)
    video_duration_s: float = Field(alias="videoDuration", gt=0, le=60)
    aspect_ratio: Literal["9:16", "16:9", "1:1"] = Field(alias="aspectRatio")
    resolution: Resolution
    compilation_length: Length | None = Field(None, alias="compilationLength")
    look: Look = "none"
    motion: Motion = "zoomInSlow"

    def with_clips(self, count: int) -> Specs:
        """The numbers of the same film with ``count`` clips: each that is left out takes one interval with it."""
        length = self.compilation_length
        less_s = (self.video_count - count) * float((self.model_extra or {}).get("clipInterval", self.video_duration_s))
        update: dict[str, Any] = {"video_count": count}
        if length and less_s:
            seconds = {name: value - less_s for name, value in length.model_dump().items() if name in _SECONDS}
            update["compilation_length"] = length.model_copy(update=seconds)
        return self.model_copy(update=update)


class PersonaExpectations(BaseModel):
    """What a project expects of one persona; ``tools`` is its allowlist."""

    model_config = ConfigDict(frozen=True, extra="allow")

    deliverable: str
    requirements: tuple[str, ...] = ()
    handoff: tuple[str, ...] = ()
    knowledge: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()


class ProjectSpec(BaseModel):
    """A project file. ``workflow`` is the order of the personas after Brendan's proposal."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    slug: str = Field(pattern=r"^[a-z][a-z0-9_]{1,63}$")
    title: str
    description: str
    workflow: tuple[str, ...] = Field(min_length=1)
    optional_steps: tuple[str, ...] = ()
    gates: tuple[Gate, ...]
    specs: Specs
    settings: dict[str, Any] = {}
    guardrails: tuple[dict[str, Any], ...] = ()
    personas: dict[str, PersonaExpectations]

    @model_validator(mode="after")
    def _consistent(self) -> ProjectSpec:
        known = {*self.workflow, *self.optional_steps}
        for gate in self.gates:
            place = gate.before or gate.after
            if place not in known:
                raise ValueError(f"gate '{gate.id}' stands next to '{place}', which is not in the workflow")
        missing = [name for name in (*self.workflow, *self.optional_steps) if name not in self.personas]
        if missing:
            raise ValueError(f"no expectations for {', '.join(missing)} under 'personas'")
        return self

    def gate(self, gate_id: str) -> Question | None:
        return next((gate for gate in (*self.gates, BUDGET) if gate.id == gate_id), None)

    def tools(self, persona: str) -> tuple[str, ...]:
        expectations = self.personas.get(persona)
        return expectations.tools if expectations else ()


# --- runs.payload


class RunInput(Shape):
    """The brief. The prompt is the first present of prompt, title, topic, object, subject."""

    prompt: str | None = Field(None, min_length=3, max_length=400)
    title: str | None = Field(None, min_length=3, max_length=200)
    topic: str | None = Field(None, min_length=1, max_length=200)
    object: str | None = Field(None, min_length=1, max_length=200)
    subject: str | None = Field(None, min_length=1, max_length=200)
    modifiers: tuple[str, ...] = Field((), max_length=20)

    @field_validator("prompt", "title", "topic", "object", "subject", mode="before")
    @classmethod
    def _strip(cls, value: Any) -> Any:
        return (value.strip() or None) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _something(self) -> RunInput:
        if not self.brief:
            raise ValueError("give at least one of prompt, title, topic, object, subject")
        return self

    @property
    def brief(self) -> str:
        return next(filter(None, (self.prompt, self.title, self.topic, self.object, self.subject)), "")


class RunOptions(Shape):
    """Knobs of one run."""

    seed: int = Field(0, ge=0, le=2**31 - 1)
    skip_steps: tuple[str, ...] = ()
    optional_personas: tuple[str, ...] = ()
    duration: int | None = Field(None, ge=4, le=8, description="seconds of one clip")
    quality: str | None = Field(None, max_length=20)
    aspect_ratio: Literal["9:16", "16:9", "1:1"] | None = Field(None, alias="aspectRatio")
    model: str | None = Field(None, max_length=64)

    @property
    def clip_model(self) -> str:
        """The video model that films the clips."""
        return self.model or "veo-3-fast"


Wish = Annotated[str, Field(min_length=1, max_length=160)]
StepKind = Literal["stage", "gate", "wait"]


class PlannedStep(Shape):
    """One step of the approved plan. ``name`` is a persona, a gate id, or what is waited for."""

    kind: StepKind
    name: str
    policy: Policy | None = Field(None, description="of a gate that has one")


class Requirements(Shape):
    """What a person asked of the film beyond its project, in their words. Guardrails and specs overrule it."""

    language: str = Field("", max_length=40)
    must_have: tuple[Wish, ...] = Field((), max_length=8)
    avoid: tuple[Wish, ...] = Field((), max_length=8)
    length: str = Field("", max_length=80, description="a hint")

    @property
    def said(self) -> dict[str, Any]:
        """Without what was left open."""
        return self.model_dump(mode="json", exclude_defaults=True)


class GraphSpec(Shape):
    """What was approved and is executed exactly so. ``steps`` is the full order; the first two are views of it."""

    pipeline: tuple[str, ...]
    hitl_gates: tuple[str, ...]
    steps: tuple[PlannedStep, ...]
    requirements: Requirements = Requirements()


class RunPayload(Shape):
    """``runs.payload``."""

    project: str
    input: RunInput
    graph_spec: GraphSpec
    specs: Specs
    user_id: str | None = None
    options: RunOptions = RunOptions()
    metadata: dict[str, Any] = {}


class RunResult(Shape):
    """``runs.result``: a projection for API consumers, rebuilt from rows, never read as truth."""

    status: str = "pending"
    publish_urls: tuple[str, ...] = ()
    artifacts: tuple[dict[str, Any], ...] = ()
    extra: dict[str, Any] = {}


# --- What a budget gate asks for


class Cap(Shape):
    """A limit on spending: per ``run``, ``project`` or ``day``.

    ``spent_microusd`` counts what is reserved, too; ``over_microusd`` is by how much it would be passed.
    """

    name: Literal["run", "project", "day"]
    limit_microusd: int
    spent_microusd: int
    over_microusd: int


class PaidCall(Shape):
    """One call of a chat model, as its stage paid for it."""

    model: str
    input_tokens: int
    output_tokens: int
    microusd: int


class MoneyAsked(Shape):
    """Evidence of ``BudgetExceeded``, and what a person decides upon; amounts in micro-dollars.

    ``over_microusd`` is how far the ``caps`` would have to be passed at most.
    """

    what: str
    asked_microusd: int
    over_microusd: int
    run_spent_microusd: int
    caps: tuple[Cap, ...]


# --- Iggy's ideas, as a reviewer may change them


class IdeaEdit(Shape):
    """What becomes of one idea; what is left out stays as it is. The bounds are those of Iggy's own ideas."""

    index: int = Field(ge=0)
    drop: bool = False
    subject: str | None = Field(None, min_length=1, max_length=120)
    header: str | None = Field(None, min_length=1, max_length=60)
    title: str | None = Field(None, min_length=1, max_length=120)
    concept: str | None = Field(None, min_length=20, max_length=800)


# --- Quinn's draft, as a reviewer sees and may edit it


class PublishDraft(Shape):
    """Exactly what would be sent to the platform."""

    title: str = Field("", max_length=200)
    caption: str = Field(min_length=1, max_length=2200)
    tags: tuple[str, ...] = Field((), max_length=30)
    platform: str = "tiktok"
    account: str
    privacy: str = "SELF_ONLY"
    is_aigc: bool = True
    film: str
