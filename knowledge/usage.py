"""What searches tell about the documents: which of them are found, and what they lack."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from .models import Document, Gap

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

MAX_GAPS = 1_000
# A document that is found all the time is not written all the time.
PRECISION = timedelta(hours=1)


def note_found(documents: Iterable[UUID]) -> None:
    """These have just been found. One that somebody else is writing to is left out rather than waited for."""
    now = timezone.now()
    stale = Document.objects.order_by().filter(Q(found_at=None) | Q(found_at__lt=now - PRECISION), pk__in=documents)
    with transaction.atomic():
        free = stale.select_for_update(skip_locked=True).values_list("pk", flat=True)
        if found := list(free):
            Document.objects.filter(pk__in=found).update(found_at=now)


def note_gap(query: str, *, project: str, persona: str) -> None:
    """Nothing good was found for ``query``. The questions asked longest ago make room."""
    now = timezone.now()
    gap = {"query": " ".join(query.lower().split())[:400], "project": project, "persona": persona}
    if Gap.objects.filter(**gap).update(times=F("times") + 1, asked_at=now):
        return
    Gap.objects.bulk_create([Gap(**gap, asked_at=now)], ignore_conflicts=True)
    oldest = Gap.objects.order_by("-asked_at").values("pk")[MAX_GAPS:]
    Gap.objects.filter(pk__in=list(oldest.values_list("pk", flat=True))).delete()
