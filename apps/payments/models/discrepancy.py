"""Differences between the gateway's books and ours."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from apps.payments.models.payment import Payment


class Discrepancy(models.Model):
    """A difference between the gateway's books and ours, for staff or for the reconciler itself.

    One row for each subject and kind of difference, for ever: a difference that is found again
    opens its row again. The row is written before anything is done about it at the gateway, and the
    idempotency key of that call comes from the row.
    """

    class Kind(models.TextChoices):
        NO_PAYMENT = "no_payment", "a charge without a payment"
        SECOND_CHARGE = "second_charge", "a second charge for a payment"
        GIVEN_UP = "given_up", "given up here, alive there"
        OTHER_TERMS = "other_terms", "another amount or currency"
        OTHER_CAPTURE = "other_capture", "another amount taken"
        UNKNOWN_THERE = "unknown_there", "the gateway does not know it"
        CANCELLED_THERE = "cancelled_there", "taken here, cancelled there"
        REFUNDED_THERE = "refunded_there", "refunded there, by no refund of ours"
        REFUND_LOST = "refund_lost", "refunded here, not there"
        DISPUTED = "disputed", "disputed by the card holder"

    class State(models.TextChoices):
        OPEN = "open"
        RESOLVED = "resolved"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=20, choices=Kind)
    subject = models.CharField(
        max_length=120, help_text="the gateway's id of the payment, or ours when it has none"
    )
    payment = models.ForeignKey(
        Payment, on_delete=models.PROTECT, null=True, blank=True, related_name="discrepancies"
    )
    why = models.CharField(max_length=255)
    evidence = models.JSONField(default=dict, help_text="both sides as they were seen")
    history = models.JSONField(default=list, help_text="what was done about it, oldest first")
    tries = models.PositiveSmallIntegerField(
        default=0, help_text="how often its money was sent back; part of the gateway's key"
    )
    asked_at = models.DateTimeField(
        null=True, blank=True, help_text="when the gateway was last asked to give the money back"
    )
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    resolution = models.CharField(max_length=255, blank=True)
    resolved_by = models.CharField(max_length=254, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    first_seen_at = models.DateTimeField(db_default=Now())
    last_seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "discrepancies"
        constraints = [
            # Two runs that find the same difference use one row and one idempotency key.
            models.UniqueConstraint(fields=["subject", "kind"], name="one_discrepancy_per_kind"),
            models.CheckConstraint(
                condition=Q(state="open", resolved_at__isnull=True, resolved_by="", resolution="")
                | (
                    Q(state="resolved", resolved_at__isnull=False)
                    & ~Q(resolved_by="")
                    & ~Q(resolution="")
                ),
                name="discrepancy_open_or_resolved_by_somebody",
            ),
        ]
        indexes = [
            models.Index(
                fields=["last_seen_at"], condition=Q(state="open"), name="discrepancy_open"
            ),
            models.Index(
                fields=["first_seen_at"], condition=Q(state="open"), name="discrepancy_oldest"
            ),
            models.Index(fields=["asked_at"], name="discrepancy_asked"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.subject}"
