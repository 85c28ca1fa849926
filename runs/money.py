"""Money: held before an order is sent, settled at what it came to, and past no cap without a person's word.

Locks are taken in this order: run, step, money. The money lock is one for all, because the cap of a day counts every
run, and is kept until the transaction that asked has ended; whoever asks next sees what was held before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, QuerySet, Sum
from django.utils import timezone

from myloware.kernel.errors import BudgetExceeded
from personas.prices import is_priced, stage_microusd, tokens_microusd
from providers import registry

from .models import Project, ProviderJob, Run, Spend, Step
from .schemas import BUDGET, Cap, MoneyAsked, PaidCall
from .states import SpendStatus, StepStatus

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from personas.base import ModelCall

# Key of the advisory lock: "money" in ASCII.
_LOCK = 0x6D6F6E6579


@dataclass(frozen=True)
class Cost:
    """What something costs, in micro-dollars. ``key`` names it: what is asked for twice is held once.

    ``calls`` are what a stage's cost is made of, so far.
    """

    key: str
    step: Step
    what: str
    provider: str
    microusd: int
    job: ProviderJob | None = None
    calls: tuple[PaidCall, ...] = ()


# --- What things cost


def estimate(job: ProviderJob) -> int:
    """What the provider will charge for the order, in micro-dollars."""
    return registry.adapter(job.provider).estimate(job.request)


def cost_of(job: ProviderJob, microusd: int | None = None) -> Cost:
    """The cost of this try of an order: the estimate, unless it is known."""
    return Cost(job.key, job.step, job.what, job.provider, estimate(job) if microusd is None else microusd, job)


def _cost_of_stage(step: Step, microusd: int, calls: tuple[PaidCall, ...] = ()) -> Cost:
    # One for the thread: a stage that is taken over goes on where it was, and its limits count from the start.
    what = f"{step.name}, {settings.CREW.model_of(step.name)}"
    return Cost(f"stage-{step.id}-{step.retries}", step, what[:128], "llm", microusd, calls=calls)


def _paid(call: ModelCall, expected: str) -> PaidCall:
    """A call at the price of the model that answered; of the one that was asked, should the answer's be unknown."""
    model = call.model if is_priced(call.model) else expected
    cost = tokens_microusd(model, call.input_tokens, call.output_tokens)
    return PaidCall(**(call.model_dump() | {"model": call.model or expected}), microusd=cost)


# --- Holding and settling


@transaction.atomic
def reserve(cost: Cost, *, beside: Sequence[Cost] = ()) -> None:
    """Holds the money until it is settled or released; what is held already is not held again.

    ``beside`` is what the run wants to order right after it: should people be asked, they are asked for all at once.
    Raises ``BudgetExceeded`` when a cap would break; then nothing is held.
    """
    _lock()
    held = Spend.objects.filter(key=cost.key).first()
    if held and held.microusd >= cost.microusd:
        return
    today = timezone.now().date()
    _check(cost, beside, today)
    wanted = {
        "day": today,
        "status": SpendStatus.RESERVED,
        "reserved_microusd": cost.microusd,
        "settled_microusd": None,
        "settled_at": None,
    }
    Spend.objects.update_or_create(key=cost.key, defaults=wanted, create_defaults=wanted | _identity(cost))


@transaction.atomic
def settle(cost: Cost) -> None:
    """Puts the real cost into the place of what was held."""
    now = timezone.now()
    real: dict[str, Any] = {"status": SpendStatus.SETTLED, "settled_microusd": cost.microusd, "settled_at": now}
    real["calls"] = [call.model_dump(mode="json") for call in cost.calls]
    unheld = {"day": now.date(), "reserved_microusd": 0}
    Spend.objects.update_or_create(key=cost.key, defaults=real, create_defaults=real | unheld | _identity(cost))


def release(key: str) -> None:
    """Gives back what was held: nothing was made, and nothing is billed."""
    Spend.objects.filter(key=key, status=SpendStatus.RESERVED).update(
        status=SpendStatus.RELEASED, settled_microusd=0, settled_at=timezone.now()
    )


def settle_held(spends: QuerySet[Spend]) -> None:
    """Settles at what was held: an order that is out is billed whether or not anybody waits for it."""
    spends.filter(status=SpendStatus.RESERVED).update(
        status=SpendStatus.SETTLED, settled_microusd=F("reserved_microusd"), settled_at=timezone.now()
    )


def reserve_stage(step: Step) -> None:
    """Holds what the model of a stage may cost. Raises ``BudgetExceeded``."""
    cost = _cost_of_stage(step, stage_microusd(settings.CREW.model_of(step.name)))
    if cost.microusd:
        reserve(cost)


def settle_stage(step: Step, calls: Sequence[ModelCall]) -> None:
    """Settles a stage at the calls that its thread has made so far; all of them, each time."""
    paid = tuple(_paid(call, settings.CREW.model_of(step.name)) for call in calls)
    cost = _cost_of_stage(step, sum(call.microusd for call in paid), paid)
    if any(call.input_tokens or call.output_tokens for call in calls):
        settle(cost)
    else:
        release(cost.key)


def _lock() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def _identity(cost: Cost) -> dict[str, Any]:
    return {
        "run_id": cost.step.run_id,
        "step": cost.step,
        "job": cost.job,
        "what": cost.what,
        "provider": cost.provider,
    }


# --- Caps


def spent(scope: Run | Project | date) -> int:
    """Micro-dollars spent or held: by a run, by all runs of a project, or by all that was asked for on a UTC day."""
    return _total(_within(scope))


def allowance(run: Run, cap: str, today: date) -> int:
    """Micro-dollars by which people have let the run pass a cap; that of a day only on the day they said so."""
    gates = run.steps.filter(kind="gate", name=BUDGET.id, status=StepStatus.SUCCEEDED)
    if cap == "day":
        gates = gates.filter(finished_at__date=today)
    asked = [MoneyAsked.model_validate(output["asked"]) for output in gates.values_list("output", flat=True) if output]
    return sum(broken.over_microusd for each in asked for broken in each.caps if broken.name == cap)


def _total(spends: QuerySet[Spend]) -> int:
    total: int | None = spends.aggregate(total=Sum(Spend.COUNTS))["total"]
    return total or 0


def _within(scope: Run | Project | date) -> QuerySet[Spend]:
    if isinstance(scope, Run):
        return Spend.objects.filter(run=scope)
    if isinstance(scope, Project):
        return Spend.objects.filter(run__project=scope)
    return Spend.objects.filter(day=scope)


def _check(cost: Cost, beside: Sequence[Cost], today: date) -> None:
    """Raises ``BudgetExceeded`` when a cap would break. What costs nothing breaks none."""
    if cost.microusd and _broken(cost, cost.microusd, today):
        raise _exceeded(cost, beside, today)


def _broken(cost: Cost, asked: int, today: date) -> tuple[Cap, ...]:
    """The caps that ``asked`` micro-dollars on top of all but ``cost`` would break."""
    run, limits = cost.step.run, settings.RUNS
    scopes: list[tuple[Any, Decimal, Run | Project | date]] = [
        ("run", limits.run_cap_usd, run),
        ("project", limits.project_cap_usd, run.project),
        ("day", limits.day_cap_usd, today),
    ]
    caps = []
    for name, limit, scope in scopes:
        counted = _total(_within(scope).exclude(key=cost.key))
        over = counted + asked - _microusd(limit) - allowance(run, name, today)
        if limit and over > 0:
            caps.append(Cap(name=name, limit_microusd=_microusd(limit), spent_microusd=counted, over_microusd=over))
    return tuple(caps)


def _exceeded(cost: Cost, beside: Sequence[Cost], today: date) -> BudgetExceeded:
    asked = cost.microusd + sum(other.microusd for other in beside)
    broken = _broken(cost, asked, today)
    first = broken[0]
    detail = MoneyAsked(
        what=f"{cost.what} and {len(beside)} more" if beside else cost.what,
        asked_microusd=asked,
        over_microusd=max(cap.over_microusd for cap in broken),
        run_spent_microusd=spent(cost.step.run),
        caps=broken,
    )
    return BudgetExceeded(
        f"The cap of {dollars(first.limit_microusd)} per {first.name} would break: {dollars(first.spent_microusd)} is "
        f"spent or held, and {dollars(asked)} is asked for {detail.what}.",
        **detail.model_dump(mode="json"),
    )


def _microusd(usd: Decimal) -> int:
    return int(usd * 1_000_000)


def dollars(microusd: int) -> str:
    """Micro-dollars as ``$1.20``; a fraction of a cent shows all its digits."""
    cents, rest = divmod(microusd, 10_000)
    return f"${cents // 100}.{cents % 100:02d}" + (f"{rest:04d}".rstrip("0") if rest else "")
