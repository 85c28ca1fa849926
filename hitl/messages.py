"""What people are told about a run, in words that every channel can carry."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone

from runs.models import Approval, Run, Step
from runs.policies import deciders
from runs.states import RunStatus, Verdict

from . import links


@dataclass(frozen=True)
class Message:
    """One piece of news. ``step`` is the gate that waits for a decision, if any; ``text`` is plain, without links.

    ``to`` are the names it is for; empty: whoever a channel reaches. ``decided`` is the gate that was decided, and
    ``event`` what programs call the news.
    """

    run: Run
    subject: str
    text: str
    action: str = ""
    step: Step | None = None
    page: str = ""
    to: tuple[str, ...] = ()
    event: str = "run.ended"
    decided: Step | None = None

    def url(self, recipient: str) -> str:
        """Where the action leads: for a gate, a link of the recipient's own; empty when there is nowhere to go."""
        return links.approval_url(self.step, recipient=recipient) if self.step else self.page


def invitation(step: Step, *, again: str = "") -> Message:
    """Asks for a decision at ``step``, or ``again``, with a word that says why."""
    run = step.run
    gate = run.project.spec.gate(step.name)
    subject = f"{gate.title if gate else step.name}: {brief_of(run)}"
    return Message(
        run=run,
        subject=f"{again}: {subject}" if again else subject,
        text=f"{gate.ask if gate else 'A decision is needed.'}\n\n{run.project.title}\n“{run.payload.input.brief}”",
        action="Look and decide",
        step=step,
        to=deciders(step, timezone.now()),
        event="gate.reminder" if again else "gate.opened",
    )


def outcome(step: Step) -> Message:
    """Tells what became of a gate that people were invited to."""
    run, approval = step.run, Approval.objects.filter(step=step).first()
    gate = run.project.spec.gate(step.name)
    told = f"{PAST[Verdict(approval.verdict)]} by {approval.actor}" if approval else f"The run is {run.status}"
    when = f", {approval.created_at:%Y-%m-%d %H:%M} UTC" if approval else ""
    return Message(
        run=run,
        subject=f"{gate.title if gate else step.name}: {brief_of(run)}",
        text="\n\n".join(filter(None, (f"{told}{when}.", approval.comment if approval else ""))),
        event="gate.decided",
        decided=step,
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


PAST = {Verdict.APPROVE: "Approved", Verdict.REJECT: "Rejected", Verdict.REVISE: "Sent back"}
_ENDINGS = {
    RunStatus.SUCCEEDED: ("Finished", "The film is done."),
    RunStatus.FAILED: ("Stopped", "The crew could not go on. Somebody has to look at the run and retry it."),
    RunStatus.CANCELLED: ("Cancelled", "The run was cancelled. Nothing more happens."),
    RunStatus.REJECTED: ("Rejected", "The run was rejected. Nothing was published."),
}
