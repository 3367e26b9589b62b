"""Refunds of payments."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from apps.payments.models.payment import Payment

REFUND_ATTEMPTS_MAX = 20  # without a known outcome; attempts in an outage are not counted


class Refund(models.Model):
    """A refund. Written before the gateway is asked, so that a crash cannot lose it."""

    class Status(models.TextChoices):
        REQUESTED = "requested"
        SUCCEEDED = "succeeded"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    amount = models.BigIntegerField()
    status = models.CharField(max_length=12, choices=Status, default=Status.REQUESTED)
    purpose = models.CharField(
        max_length=80, help_text="what it is for: cancellation, return:<id>, admin:<id>"
    )
    reason = models.CharField(max_length=255, blank=True)
    actor = models.CharField(max_length=254, blank=True)
    gateway_id = models.CharField(max_length=120, null=True, blank=True, unique=True)
    generation = models.PositiveSmallIntegerField(
        default=1,
        db_default=1,  # code of before this column can still insert
        help_text="part of the gateway's key; rises only when nothing was found there",
    )
    message = models.CharField(max_length=255, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    crashed_claims = models.PositiveSmallIntegerField(
        db_default=0, help_text="claims in a row that ended without a result: its worker died"
    )
    due_at = models.DateTimeField(db_default=Now())
    created_at = models.DateTimeField(db_default=Now())
    settled_at = models.DateTimeField(null=True, blank=True)
    came_back_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="when the gateway said that a refund which had succeeded failed after all",
    )
    resolution = models.CharField(max_length=255, blank=True, db_default="")
    resolved_by = models.CharField(max_length=254, blank=True, db_default="")
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_amount_positive"),
            # A double click on "refund" makes one refund.
            models.UniqueConstraint(fields=["payment", "purpose"], name="one_refund_per_purpose"),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(status="requested"), name="refund_due"),
            models.Index(
                fields=["created_at"],
                condition=Q(resolved_at__isnull=True, status__in=["requested", "failed"]),
                name="refund_not_settled",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} ({self.status})"

    def key(self) -> str:
        """The gateway's idempotency key: the same for every repeated call."""
        return f"refund:{self.id}" + (f":{self.generation}" if self.generation > 1 else "")
