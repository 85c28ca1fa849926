"""What the providers announce upwards."""

from __future__ import annotations

from django.dispatch import Signal

# provider: str, external_id: str | None, reference: str | None (our job id). A provider called: ask it what happened.
provider_reported = Signal()
