"""Approval links: a signed token is all the authority a reviewer needs, for one gate and what it shows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from myloware.kernel.errors import Conflict, Forbidden, Gone, Misconfigured
from myloware.kernel.signing import short_mac, sign, unsign
from runs.models import Approval, Run, Step
from runs.services import digest_of
from runs.states import StepStatus

from .models import Revocation

if TYPE_CHECKING:
    from collections.abc import Mapping

PURPOSE = "hitl.approve"
# Between a token and the name of its key.
_NAMED = "~"
_NAME = re.compile(r"[0-9a-f]{8}")


@dataclass(frozen=True)
class Pass:
    """What a link proves: the gate's step, the digest of what it showed when it was made, and for whom it was made.

    Who had the film repaired has one that ``follows`` what comes of it.
    """

    step: Step
    digest: str
    recipient: str
    follows: bool = False

    @property
    def outdated(self) -> bool:
        """Whether the gate shows something else by now."""
        return self.digest != digest_of(self.step)

    @property
    def approval(self) -> Approval | None:
        """The decision, if it was taken."""
        return Approval.objects.filter(step=self.step).first()


def approval_url(step: Step, *, recipient: str = "") -> str:
    """The link to decide at ``step``, a gate. ``recipient`` is who the decision will be recorded for.

    Raises ``Misconfigured`` without HITL_SECRET.
    """
    return f"{settings.PUBLIC_BASE_URL}{approval_path(step, recipient=recipient)}"


def approval_path(step: Step, *, recipient: str = "", follows: bool = False) -> str:
    """The same on this site. A link that ``follows`` leads to whatever the gate shows when it is opened."""
    # A step belongs to one run and has one name: with the step, the token is bound to run and gate.
    value = {"step": step.id.hex, "digest": digest_of(step), "to": recipient, "at": timezone.now().timestamp()}
    key = _keys()[0]
    token = sign(value | ({"follows": True} if follows else {}), key=key, purpose=PURPOSE)
    return page_path(step.run_id, step.name, f"{token}{_NAMED}{_name(key)}")


def page_path(run_id: UUID, gate: str, token: str) -> str:
    """Path and query of the approval page."""
    return f"{reverse('hitl-approve', args=[run_id, gate])}?{urlencode({'token': token})}"


def expires_at(signed_at: datetime) -> datetime:
    """When a link signed at ``signed_at`` ends."""
    return signed_at + _life()


def open_gate(run: Run) -> Step | None:
    """The gate at which the run waits for a person now."""
    step = run.cursor()
    return step if step is not None and step.kind == "gate" and step.status == StepStatus.WAITING else None


def read(token: str, run_id: UUID, gate: str) -> Pass:
    """The pass behind ``token``, for exactly this run and gate. A gate that was decided still has its pass.

    Raises ``Gone`` when the link is too old, its key out of use, or it was revoked, ``Forbidden`` when it was not made
    for this gate, ``Conflict`` when the gate was closed without a decision, or shows something else by now and the link
    does not follow that.
    """
    signed, _, name = token.rpartition(_NAMED)
    value = unsign(signed, key=_key_named(name), purpose=PURPOSE, max_age=_life())
    found = Pass(
        _step(value, run_id, gate),
        digest=str(value.get("digest", "")),
        recipient=str(value.get("to", "")),
        follows=value.get("follows") is True,
    )
    if found.approval is None:
        _require_unrevoked(found.step, float(value.get("at", 0)))
        _require_open(found)
    return found


def _step(value: Mapping[str, Any], run_id: UUID, gate: str) -> Step:
    wanted = Step.objects.select_related("run__project").filter(id=str(value.get("step")), kind="gate")
    step = wanted.filter(run_id=run_id, name=gate).first()
    if step is None:
        raise Forbidden("This link belongs to another decision. Open it exactly as it was sent to you.")
    return step


def _require_open(found: Pass) -> None:
    step = found.step
    if step.status != StepStatus.WAITING:
        raise Conflict(f"Nobody has to decide here any more: the run is {step.run.status}.", status=step.run.status)
    if found.outdated and not found.follows:
        raise Conflict("What this link showed has changed since it was made. Ask for a new link.")


def strip_links(text: str) -> str:
    """``text`` with approval links replaced, for a channel that shows them as buttons."""
    start = re.escape(f"{settings.PUBLIC_BASE_URL}/v1/hitl/approve/")
    return re.sub(rf"{start}\S+", "use the button below.", text)


def revoke(step: Step, *, actor: str) -> None:
    """Makes all links to a gate void that were made until now. Raises ``Conflict`` when it is not open."""
    if open_gate(step.run) != step:
        raise Conflict(f"This gate is not open, so its links decide nothing: the run is {step.run.status}.")
    Revocation.objects.update_or_create(step=step, defaults={"actor": actor, "revoked_at": timezone.now()})


def _require_unrevoked(step: Step, made_at: float) -> None:
    revoked = Revocation.objects.filter(step=step).first()
    if revoked and made_at <= revoked.revoked_at.timestamp():
        raise Gone(f"This link was revoked by {revoked.actor}. Ask for a new one.")


def _keys() -> tuple[str, ...]:
    keys: tuple[str, ...] = settings.HITL.keys
    if not keys:
        raise Misconfigured("HITL_SECRET is empty, so no approval link can be signed. Set it to a long random value.")
    return keys


def _name(key: str) -> str:
    """Of a key, to tell a link of a former key from one that was tampered with."""
    return short_mac("name", key=key, purpose=PURPOSE)[:8]


def _key_named(name: str) -> str:
    """The key of that name; the newest for what is no name, under which nothing will prove valid."""
    keys = {_name(key): key for key in _keys()}
    if name not in keys and _NAME.fullmatch(name):
        raise Gone("This link was signed with a key that is no longer in use. Ask for a new one.")
    return keys.get(name, _keys()[0])


def _life() -> timedelta:
    return timedelta(hours=settings.HITL.hitl_link_hours)


def fresh_link(step: Step, *, recipient: str = "") -> tuple[str, datetime]:
    """A new link and when it ends."""
    return approval_url(step, recipient=recipient), expires_at(timezone.now())
