"""What the engine does about news from below: a callback is a wake-up for our jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.dispatch import receiver

from providers.signals import provider_reported

from . import jobs

if TYPE_CHECKING:
    from providers.base import Account


@receiver(provider_reported)
def on_report(
    sender: object,
    *,
    provider: str,
    external_ids: tuple[str, ...],
    reference: str | None,
    account: Account | None,
    **_: Any,
) -> None:
    jobs.reported(provider, external_ids, reference, account)
