"""Our side of every payment; the gateway has the other, and the reconciler compares the two.

What stopped and waits for a person (a refund, an event, an event's mirror) is open until its
`…resolved_at` says when somebody decided; who and why is in the log of decisions (apps/desk).
"""

import uuid

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

REFUND_ATTEMPTS_MAX = 20  # that ended without a word; an outage is not counted
MIRROR_ATTEMPTS_MAX = 8  # over some two hours


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
        indexes = [
            # Those that the reconciler looks up one by one: under load as few as are under way.
            models.Index(
                fields=["id"],
                condition=Q(status__in=["created", "requires_action", "authorized"]),
                name="payment_open",
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
    generation = models.PositiveSmallIntegerField(
        default=1,
        db_default=1,  # whoever still runs the code before this column can write
        help_text="part of the gateway's key; rises only when nothing was found there",
    )
    message = models.CharField(max_length=255, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(db_default=Now())
    created_at = models.DateTimeField(db_default=Now())
    settled_at = models.DateTimeField(null=True, blank=True)
    resolution = models.CharField(max_length=255, blank=True, db_default="")
    resolved_by = models.CharField(max_length=254, blank=True, db_default="")
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_amount_positive"),
            # A double click on "refund" is one refund.
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
        """The gateway's idempotency key: the same however often we ask."""
        return f"refund:{self.id}" + (f":{self.generation}" if self.generation > 1 else "")


class GatewayCall(models.Model):
    """One question to the gateway and what came of it: the evidence when money is in doubt."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    # An index of its own stands below.
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
    mirror_error = models.CharField(max_length=255, blank=True, db_default="")
    mirror_resolved_at = models.DateTimeField(
        null=True, blank=True, help_text="given up on by a person"
    )
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
            models.Index(
                fields=["received_at"],
                condition=Q(state__in=["dead", "quarantined"], resolved_at__isnull=True),
                name="inbox_undecided",
            ),
            models.Index(
                fields=["received_at"],
                condition=Q(
                    mirrored_at__isnull=True,
                    mirror_resolved_at__isnull=True,
                    mirror_attempts__gte=MIRROR_ATTEMPTS_MAX,
                ),
                name="inbox_mirror_failed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"


class Discrepancy(models.Model):
    """Where the gateway's books and ours do not agree, for a person, or for the reconciler itself.

    One row per thing and kind of difference, for ever: seen again, it is opened again. The row is
    there before anything is done about it at the gateway, and the key of what is done comes from
    it.
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
            # Two runs that see the same act on one row, under one key.
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


class Reconciliation(models.Model):
    """How far a comparison with the gateway has come, so that whoever dies is gone on from there.

    Three rows: what is open here and what was listed lately, every minute; everything, every day.
    """

    class Scope(models.TextChoices):
        OPEN = "open"
        RECENT = "recent"
        ALL = "all"

    class Phase(models.TextChoices):
        IDLE = "idle"  # nothing is under way
        PAYMENTS = "payments"  # our open payments, one by one
        DOUBTS = "doubts"  # open discrepancies, one by one
        CHANGED = "changed"  # what the gateway says has changed out of turn
        LISTED = "listed"  # the gateway's list, newest first
        OURS = "ours"  # payments of ours that the list did not show

    scope = models.CharField(primary_key=True, max_length=8, choices=Scope)
    phase = models.CharField(max_length=8, choices=Phase, default=Phase.IDLE)
    cursor = models.CharField(
        max_length=120, blank=True, help_text="the last one compared in this phase"
    )
    since = models.DateTimeField(null=True, blank=True, help_text="the listed span begins")
    until = models.DateTimeField(null=True, blank=True, help_text="the listed span ends")
    changed_since = models.DateTimeField(
        null=True, blank=True, help_text="changes up to here are known"
    )
    compared = models.PositiveIntegerField(default=0)
    settled = models.PositiveIntegerField(default=0)
    untold = models.JSONField(
        default=list, help_text="orders whose payment was settled and whose saga does not know yet"
    )
    failures = models.PositiveIntegerField(default=0, help_text="in a row")
    error = models.CharField(max_length=255, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True, help_text="the last whole run")

    def __str__(self) -> str:
        return f"{self.scope} {self.phase}"

    @property
    def is_under_way(self) -> bool:
        return self.phase != self.Phase.IDLE


class SeenIntent(models.Model):
    """What the gateway's list has shown in the comparison of everything that is under way."""

    intent_id = models.CharField(primary_key=True, max_length=120)

    def __str__(self) -> str:
        return self.intent_id
