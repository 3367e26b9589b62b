"""Our side of every payment; the gateway has the other, and the reconciler compares the two."""

import uuid

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7


class Payment(models.Model):
    """The one payment of an order. Amounts in minor units; statuses move forward only."""

    class Status(models.TextChoices):
        CREATED = "created"  # nothing is known to have reached the gateway
        REQUIRES_ACTION = "requires_action"
        AUTHORIZED = "authorized"
        CAPTURED = "captured"
        FAILED = "failed"  # declined; no money moved, none can
        VOIDED = "voided"  # authorization cancelled, or never came to be
        REFUNDED = "refunded"  # everything captured went back

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    order_id = models.UUIDField(unique=True)
    status = models.CharField(max_length=16, choices=Status, default=Status.CREATED)
    amount = models.BigIntegerField()
    captured_amount = models.BigIntegerField(default=0)
    refunded_amount = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    payment_method = models.CharField(max_length=120, help_text="the gateway's token")
    return_url = models.CharField(
        max_length=500, blank=True, help_text="where the bank sends the shopper back to"
    )
    intent_id = models.CharField(max_length=120, null=True, blank=True, unique=True)
    next_action_url = models.CharField(max_length=1000, blank=True)
    decline_code = models.CharField(max_length=80, blank=True)
    message = models.CharField(max_length=255, blank=True)
    generation = models.PositiveSmallIntegerField(
        default=1, help_text="part of the gateway's key; rises only when nothing was found there"
    )
    asked_at = models.DateTimeField(
        null=True, blank=True, help_text="when the gateway was first asked; before that, nothing is"
    )
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gte=0), name="payment_amount"),
            models.CheckConstraint(
                condition=Q(captured_amount__gte=0) & Q(captured_amount__lte=F("amount")),
                name="payment_captured_within_amount",
            ),
            models.CheckConstraint(
                condition=Q(refunded_amount__gte=0) & Q(refunded_amount__lte=F("captured_amount")),
                name="payment_refunded_within_captured",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.amount} {self.currency}"

    def key(self, purpose: str) -> str:
        """The gateway's idempotency key: from our own row, the same however often we ask."""
        return f"{self.id}:{purpose}:{self.generation}"


class Refund(models.Model):
    """Money going back. Written before the gateway is asked, so that a crash cannot forget it."""

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
    message = models.CharField(max_length=255, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(db_default=Now())
    created_at = models.DateTimeField(db_default=Now())
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_amount_positive"),
            # A double click on "refund" is one refund.
            models.UniqueConstraint(fields=["payment", "purpose"], name="one_refund_per_purpose"),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(status="requested"), name="refund_due"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} ({self.status})"


class GatewayCall(models.Model):
    """One question to the gateway and what came of it: the evidence when money is in doubt."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    payment = models.ForeignKey(Payment, on_delete=models.CASCADE, related_name="calls")
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


class WebhookInbox(models.Model):
    """Every verified event, once. Stored by the view, applied by a worker, mirrored at leisure."""

    class State(models.TextChoices):
        RECEIVED = "received"
        APPLIED = "applied"
        IGNORED = "ignored"  # nothing of ours
        QUARANTINED = "quarantined"  # contradicts our books: a person decides
        DEAD = "dead"

    event_id = models.CharField(max_length=120, primary_key=True)
    type = models.CharField(max_length=80)
    payload = models.JSONField()
    state = models.CharField(max_length=12, choices=State, default=State.RECEIVED)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(db_default=Now())
    error = models.CharField(max_length=255, blank=True)
    received_at = models.DateTimeField(db_default=Now())
    processed_at = models.DateTimeField(null=True, blank=True)
    mirrored_at = models.DateTimeField(null=True, blank=True)
    mirror_attempts = models.PositiveSmallIntegerField(default=0)
    resolution = models.CharField(max_length=255, blank=True)
    resolved_by = models.CharField(max_length=254, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "webhook inbox"
        indexes = [
            models.Index(fields=["due_at"], condition=Q(state="received"), name="inbox_due"),
            models.Index(
                fields=["received_at"],
                condition=Q(mirrored_at__isnull=True),
                name="inbox_unmirrored",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"
