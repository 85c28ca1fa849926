"""What runs cost outside, in integer micro-dollars."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce

from runs.states import SpendStatus

from .artifact import ProviderJob
from .run import Run, Step


class Spend(models.Model):
    """One outside cost: held before the order is sent, settled at what it came to, or released at nothing."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="spends")
    step = models.ForeignKey(Step, on_delete=models.PROTECT, related_name="spends")
    job = models.ForeignKey(ProviderJob, null=True, blank=True, on_delete=models.PROTECT, related_name="spends")
    key = models.CharField(max_length=80, unique=True, help_text="one try of one order, or one stage's thread")
    what = models.CharField(max_length=128)
    provider = models.CharField(max_length=32)
    day = models.DateField(help_text="UTC day on which it was asked for")
    status = models.CharField(max_length=16, choices=[(status.value, status.value) for status in SpendStatus])
    reserved_microusd = models.BigIntegerField()
    settled_microusd = models.BigIntegerField(null=True, blank=True, help_text="empty while it is only held")
    # Their sum is what was settled: a row counts once, and its calls are not rows.
    calls = models.JSONField(
        default=list, blank=True, help_text="a stage's model calls, in order: model, tokens, micro-dollars"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    # In queries what ``microusd`` is on a row.
    COUNTS = Coalesce("settled_microusd", "reserved_microusd")

    class Meta:
        db_table = "spends"
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(reserved_microusd__gte=0), name="spend_reserved_not_negative"),
            models.CheckConstraint(
                condition=Q(status=SpendStatus.RESERVED, settled_microusd=None)
                | Q(status=SpendStatus.SETTLED, settled_microusd__gte=0)
                | Q(status=SpendStatus.RELEASED, settled_microusd=0),
                name="spend_settled_fits_status",
            ),
        ]
        indexes = [models.Index(fields=["day"], name="spend_day")]

    def __str__(self) -> str:
        return f"{self.what}: {self.microusd} micro-dollars"

    @property
    def microusd(self) -> int:
        """What counts: the real cost, or what is held until it is known."""
        return self.reserved_microusd if self.settled_microusd is None else self.settled_microusd
