"""The payments of an order: one row for each card that was tried."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7


class Payment(models.Model):
    """One attempt to pay an order. Amounts in minor units; statuses move forward only.

    One attempt of an order is `live`: the payment that the order waits for, or is paid by. The
    others were declined before it, and nothing of them is reserved or kept (attempts.py).
    """

    class Status(models.TextChoices):
        CREATED = "created"  # nothing is known to have reached the gateway
        REQUIRES_ACTION = "requires_action"
        AUTHORIZED = "authorized"
        PARTLY_CAPTURED = "partly_captured"  # less was taken than ordered; the rest never can be
        CAPTURED = "captured"  # the whole amount, or the part that staff accepted for it
        FAILED = "failed"  # declined; no money moved, none can
        VOIDED = "voided"  # authorization cancelled, or never made
        REFUNDED = "refunded"  # everything captured is refunded

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    order_id = models.UUIDField()  # the constraints below are its index
    attempt = models.PositiveSmallIntegerField(default=1, db_default=1)
    live = models.BooleanField(
        default=True, db_default=True, help_text="the attempt that counts for the order"
    )
    status = models.CharField(max_length=16, choices=Status, default=Status.CREATED)
    amount = models.BigIntegerField()
    captured_amount = models.BigIntegerField(default=0)
    refunded_amount = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    payment_method = models.CharField(max_length=120, help_text="the gateway's token")
    return_url = models.CharField(
        max_length=500, blank=True, help_text="where the bank sends the shopper back to"
    )
    details = models.JSONField(
        default=dict,
        db_default=models.Value({}, models.JSONField()),
        help_text="what the gateway is told of the order; never changed, it is part of the request",
    )
    intent_id = models.CharField(max_length=120, null=True, blank=True, unique=True)
    next_action_url = models.CharField(max_length=1000, blank=True)
    card = models.CharField(
        max_length=64,
        blank=True,
        db_default="",
        help_text="the gateway's fingerprint of the card, known where the bank asks the shopper",
    )
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
            models.UniqueConstraint(
                fields=["order_id", "attempt"], name="payment_one_row_per_attempt"
            ),
            # Two tabs that pay again at once, or a bug: one of them fails here.
            models.UniqueConstraint(
                fields=["order_id"], condition=Q(live=True), name="payment_one_live_attempt"
            ),
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
        indexes = [
            # Payments that the reconciler looks up one by one: no more than are under way.
            models.Index(
                fields=["id"],
                condition=Q(status__in=["created", "requires_action", "authorized"]),
                name="payment_open",
            ),
            models.Index(
                fields=["card"],
                condition=Q(status="requires_action"),
                name="payment_waiting_card",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.amount} {self.currency}"

    def key(self, purpose: str) -> str:
        """The gateway's idempotency key: from our own row, the same for every repeated call."""
        return f"{self.id}:{purpose}:{self.generation}"
