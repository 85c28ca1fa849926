"""Who may decide at a gate. A run keeps the policies that its plan was made with."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from myloware.kernel.errors import Forbidden

from .schemas import Policy
from .states import Verdict

if TYPE_CHECKING:
    from datetime import datetime

    from .models import Run, Step
    from .services import Decision


class NotYours(Forbidden):
    """The gate's policy leaves the decision to others."""


# Who decides when nobody did.
NOBODY = "policy"


def policy_of(step: Step) -> Policy:
    """The policy of a gate."""
    planned = (each for each in step.run.payload.graph_spec.steps if (each.kind, each.name) == ("gate", step.name))
    found = next(planned, None)
    return (found.policy if found else None) or Policy()


def deadline_of(step: Step, opened_at: datetime) -> datetime | None:
    """When the gate is decided by itself."""
    hours = policy_of(step).expires_h
    return opened_at + timedelta(hours=hours) if hours else None


def deciders(step: Step, now: datetime) -> tuple[str, ...]:
    """Who may decide now; empty: whoever has a link."""
    policy = policy_of(step)
    return (*policy.approvers, *(policy.escalate_to if escalated(step, now) else ()))


def escalated(step: Step, now: datetime) -> bool:
    """Whether the gate has been open for so long that others may decide, too."""
    hours, opened_at = policy_of(step).escalate_h, step.started_at
    return hours is not None and opened_at is not None and now >= opened_at + timedelta(hours=hours)


def require_decider(run: Run, step: Step, decision: Decision, *, now: datetime) -> None:
    """Raises ``NotYours`` unless the policy lets this person decide so."""
    policy, actor = policy_of(step), decision.actor.casefold()
    may = deciders(step, now)
    if may and actor not in {name.casefold() for name in may}:
        raise NotYours(f"Here decide {', '.join(may)}. Ask one of them, or open the link that was sent to you by name.")
    if policy.group and policy.group not in decision.groups:
        raise NotYours(f"Here decide members of '{policy.group}': open the approval page, and log in.")
    if decision.verdict == Verdict.APPROVE and not policy.requester_may_approve and actor == run.user_id.casefold():
        raise NotYours("You have asked for this film, so somebody else has to approve it here.")
