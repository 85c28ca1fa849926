"""What people are told about a run, in words that every channel can carry."""

from __future__ import annotations

from dataclasses import dataclass

from runs.models import Run, Step
from runs.states import RunStatus

from . import links


@dataclass(frozen=True)
class Message:
    """One piece of news. ``step`` is the gate that waits for a decision, if any; ``text`` is plain, without links."""

    run: Run
    subject: str
    text: str
    action: str = ""
    step: Step | None = None
    page: str = ""

    def url(self, recipient: str) -> str:
        """Where the action leads: for a gate, a link of the recipient's own; empty when there is nowhere to go."""
        return links.approval_url(self.step, recipient=recipient) if self.step else self.page


def invitation(step: Step) -> Message:
    """Asks for a decision at ``step``."""
    run = step.run
    gate = run.project.spec.gate(step.name)
    return Message(
        run=run,
        subject=f"{gate.title if gate else step.name}: {brief_of(run)}",
        text=f"{gate.ask if gate else 'A decision is needed.'}\n\n{run.project.title}\n“{run.payload.input.brief}”",
        action="Look and decide",
        step=step,
    )


def ending(run: Run) -> Message:
    """Tells how ``run`` ended."""
    urls = run.result.publish_urls
    subject, text = _ENDINGS[RunStatus(run.status)]
    return Message(
        run=run,
        subject=f"{subject}: {brief_of(run)}",
        text="\n\n".join(filter(None, (text, run.reason, *urls))),
        action="Watch it" if urls else "",
        page=urls[0] if urls else "",
    )


def brief_of(run: Run, length: int = 60) -> str:
    """The brief as one short line."""
    brief = " ".join(run.payload.input.brief.split())
    return brief if len(brief) <= length else f"{brief[: length - 1].rstrip()}…"


_ENDINGS = {
    RunStatus.SUCCEEDED: ("Finished", "The film is done."),
    RunStatus.FAILED: ("Stopped", "The crew could not go on. Somebody has to look at the run and retry it."),
    RunStatus.CANCELLED: ("Cancelled", "The run was cancelled. Nothing more happens."),
    RunStatus.REJECTED: ("Rejected", "The run was rejected. Nothing was published."),
}
