"""What the engine does about news from below: a callback is a wake-up for one of our jobs."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from providers.signals import provider_reported

from . import jobs


@receiver(provider_reported)
def on_report(
    sender: object,
    *,
    provider: str,
    external_id: str | None,
    reference: str | None,
    **_: Any,
) -> None:
    jobs.reported(provider, external_id, reference)
