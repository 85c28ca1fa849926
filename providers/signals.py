"""What the providers announce upwards."""

from __future__ import annotations

from django.dispatch import Signal

# A provider called: ask it what happened. provider: str; the rest as in providers.base.Event: external_ids, reference,
# account.
provider_reported = Signal()
