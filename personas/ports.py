"""What the crew needs from the outside, as protocols; the engine implements them, tests replace them.

An agent runs the tool calls of one message one after the other; each is served by the thread that started the stage.

What a tool's port raises decides who deals with it.  ``InvalidInput`` and ``RateLimited`` go back to the model as a
tool error it can act on; every other error passes through the agent and fails the step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Sequence

    from myloware.kernel.cues import Cue


# Which texts the standard template lays over the picture: header and subject, the header alone, or none.
Overlay = Literal["standard", "header", "none"]


class Hit(BaseModel):
    """One passage of the knowledge base. ``score`` is 0-1, higher is nearer; ``snippet`` is quoted, never obeyed."""

    model_config = ConfigDict(frozen=True)

    document: str
    path: str
    heading: str = ""
    chunk_id: str
    score: float
    snippet: str


class ClipRequest(BaseModel):
    """One clip to generate. The wire names are those of the tool (``duration``, ``aspectRatio``)."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    index: int = Field(ge=0, le=99, description="position of the clip in the film, from 0")
    prompt: str = Field(min_length=20, max_length=4000, description="what the video model sees and hears, in one text")
    duration_s: int | None = Field(None, alias="duration", ge=4, le=8, description="seconds; the project's when absent")
    aspect_ratio: Literal["9:16", "16:9", "1:1"] | None = Field(
        None, alias="aspectRatio", description="frame; the project's when absent"
    )
    quality: str | None = Field(None, max_length=20, description="e.g. 720p or 1080p; the project's when absent")
    model: str | None = Field(
        None, max_length=64, description="video model, e.g. veo-3-fast; the project's when absent"
    )
    subject: str | None = Field(None, max_length=200, description="what the clip shows")
    header: str | None = Field(None, max_length=80, description="text the editor lays over the clip, later")


class CutClip(BaseModel):
    """One clip's place in the template. What is absent stays as Iggy named it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    index: int = Field(ge=0, le=99, description="which clip, as the videos were numbered")
    header: str | None = Field(None, max_length=80, description="the large text over it; empty for none")
    subject: str | None = Field(None, max_length=200, description="the small text below; empty for none")


class RenderRequest(BaseModel):
    """One render. No timeline and no clips means the project's standard template over every finished clip."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timeline: dict[str, Any] | None = Field(None, description="a complete edit; must hold every generated clip")
    clips: tuple[CutClip, ...] | None = Field(
        None, max_length=20, description="the template's order and texts: every clip once, in the order of the film"
    )
    overlay_style: Overlay = Field(
        "standard", description="texts of the template: header and subject, the header alone, or none"
    )
    output: dict[str, Any] | None = Field(
        None, description='{"quality": "verylow" to "veryhigh"} of the edit; size, fps and format are the project\'s'
    )


class PublishRequest(BaseModel):
    """What would be published with the run's film. The film and the account are never the model's choice."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field("", max_length=200, description="short title, where the platform shows one")
    caption: str = Field(min_length=1, max_length=2200, description="the text below the video, without hashtags")
    tags: tuple[str, ...] = Field((), max_length=30, description="hashtags without the # sign")
    platform: str | None = Field(None, max_length=40, description="one of the project's platforms; its first if absent")


class Knowledge(Protocol):
    """The knowledge base."""

    def search(self, queries: Sequence[str], *, k: int, project: str | None, persona: str | None) -> list[Hit]:
        """The ``k`` passages nearest to ``queries`` taken together, best first, without repeats."""

    def alike(self, texts: Sequence[str], known: Sequence[str], *, limit: float) -> list[tuple[str, str, float]]:
        """Pairs of a text and another, or a known one, with a cosine similarity above ``limit``; nearest first."""


class Production(Protocol):
    """The film's production, bound to one step of one run.

    ``call_id`` is the model's tool call: the same id again answers as the first time and does nothing.  A step that
    is tried again comes with new ids, so a clip index, the render and the draft are each made once per step as well.
    Answers are JSON objects that the model reads.
    """

    def submit_clips(self, call_id: str, videos: Sequence[ClipRequest]) -> dict[str, Any]:
        """Writes the intent to generate ``videos``: ``{"submitted": [{"index", "job"}], ...}``."""

    def clips_state(self) -> dict[str, Any]:
        """Declares that the run waits for its clips; returns at once with ``{"clips": [{"index", "status"}], ...}``."""

    def render(self, call_id: str, request: RenderRequest) -> dict[str, Any]:
        """Writes the intent to render the film: ``{"render": id, "duration_s", ...}``."""

    def design_sound(self, call_id: str, cues: Sequence[Cue]) -> dict[str, Any]:
        """Lays ``cues`` under the rendered film: ``{"duration_s", "loudness_lufs", "cues": [as laid]}``.

        Another ``call_id`` begins again from the rendered film and takes the place of the first. Raises
        ``InvalidInput`` for cues that do not fit its clips.
        """

    def draft_publish(self, call_id: str, draft: PublishRequest) -> dict[str, Any]:
        """Writes the publish intent that a human approves: ``{"draft": id, "platform", "account", ...}``."""


class Office(Protocol):
    """What Brendan may see and start, bound to one user: no method takes a user, so none can name another."""

    def projects(self) -> list[dict[str, Any]]:
        """``[{"slug", "title", "description"}]``."""

    def my_runs(self) -> list[dict[str, Any]]:
        """The user's latest runs, newest first: ``[{"run_id", "project", "title", "status", "step"}]``."""

    def run_status(self, run_id: str) -> dict[str, Any]:
        """One of the user's runs: ``{"run_id", "project", "status", "step", ...}``. Raises ``NotFound``."""

    def news(self) -> list[dict[str, Any]]:
        """The latest that happened to the user's runs, oldest first.

        ``[{"id": int, "at", "run_id", "title", "event", "gate", "by", "said"}]``. ``event`` is gate_opened, approved,
        rejected, sent_back, or how the run ended; an id is of one event for ever, and the list is short.
        """

    def gate_link(self, run_id: str) -> dict[str, Any]:
        """A link with which the user may decide at the gate that one of their runs waits at.

        ``{"run_id", "gate", "approve_url", "expires_at"}``. Raises ``NotFound``, ``Conflict`` when no gate is open.
        """

    def propose_run(
        self,
        call_id: str,
        *,
        project: str,
        input: dict[str, Any],  # noqa: A002
        options: dict[str, Any],
        classified: dict[str, Any],
    ) -> dict[str, Any]:
        """Stores a run that waits at its ``workflow`` gate: ``{"run_id", "plan": [step names], "approve_url"}``.

        ``classified`` is kept as evidence: ``{"confidence": 0-1, "complexity", "requirements"}``. The ``requirements``,
        ``{"language"?, "must_have"?, "avoid"?, "length"?}``, become part of the plan, and of the answer.

        The same ``call_id`` again returns the run it made. Raises ``InvalidInput``.
        """
