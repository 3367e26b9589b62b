"""The log of calls of the gateway."""

import uuid

from django.db import models
from django.db.models.functions import Now

from apps.payments.models.payment import Payment


class GatewayCall(models.Model):
    """One call of the gateway and its outcome: the evidence when it is unclear what was paid."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    # Covered by the index below.
    payment = models.ForeignKey(
        Payment, on_delete=models.CASCADE, related_name="calls", db_index=False
    )
    purpose = models.CharField(max_length=80)
    key = models.CharField(max_length=120, blank=True)
    outcome = models.CharField(max_length=40)
    detail = models.CharField(max_length=255, blank=True)
    duration_ms = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["created_at"]
        indexes = [models.Index(fields=["payment", "created_at"], name="call_by_payment")]

    def __str__(self) -> str:
        return f"{self.purpose}: {self.outcome}"
