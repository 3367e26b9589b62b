"""Orders, their events, their sagas and returns. What these rows say is the truth."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from apps.orders.status import OrderStatus


class Order(models.Model):
    """What a shopper bought. `status` changes only in transitions.py, with one event row each."""

    Status = OrderStatus

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    number = models.CharField(max_length=16, unique=True)
    status = models.CharField(max_length=20, choices=Status, default=Status.PENDING)
    seq = models.PositiveIntegerField(default=1, help_text="of the last event")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="orders",
        db_index=False,  # the index below begins with it
    )
    email = models.EmailField()
    mailbox = models.CharField(
        max_length=254, blank=True, db_default="", help_text="the customer (customers/mailbox.py)"
    )
    client = models.CharField(
        max_length=32,
        blank=True,
        db_default="",
        help_text="keyed digest of the address it came from, until it is paid or cancelled",
    )
    cart_id = models.UUIDField(null=True, blank=True)
    currency = models.CharField(max_length=3)
    subtotal_amount = models.BigIntegerField()
    discount_amount = models.BigIntegerField()
    shipping_amount = models.BigIntegerField()
    # Null: accepted by the release before the lines kept their parts (paid.py).
    shipping_tax_amount = models.BigIntegerField(
        null=True, blank=True, help_text="the part of tax_amount that is for shipping"
    )
    tax_amount = models.BigIntegerField()
    total_amount = models.BigIntegerField()
    shipping_address = models.JSONField()
    billing_address = models.JSONField(null=True, blank=True)
    shipping_method = models.CharField(max_length=40)  # "" where nothing of it is shipped
    promo_codes = models.JSONField(default=list, blank=True)
    placed_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    total_amount=F("subtotal_amount")
                    - F("discount_amount")
                    + F("shipping_amount")
                    + F("tax_amount")
                ),
                name="order_total_adds_up",
            ),
            models.CheckConstraint(
                condition=Q(subtotal_amount__gte=0)
                & Q(discount_amount__gte=0)
                & Q(discount_amount__lte=F("subtotal_amount"))
                & Q(shipping_amount__gte=0)
                & Q(tax_amount__gte=0),
                name="order_amounts_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(shipping_tax_amount__gte=0)
                & Q(shipping_tax_amount__lte=F("tax_amount")),
                name="order_shipping_tax_within_tax",
            ),
            # Two tabs, one cart: one live order.
            models.UniqueConstraint(
                "cart_id", condition=~Q(status="CANCELLED"), name="one_live_order_per_cart"
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-id"], name="order_by_user"),
            models.Index(fields=["mailbox", "-id"], name="order_by_mailbox"),
            # Only as large as the number of orders that are not paid yet.
            models.Index(fields=["client"], condition=~Q(client=""), name="order_unpaid_client"),
        ]
        # One right for each thing that staff do to an order (admin/actions/permissions.py).
        permissions = [
            ("ship_order", "Can hand orders to the carrier and mark them delivered"),
            ("cancel_order", "Can cancel orders"),
        ]

    def __str__(self) -> str:
        return self.number


class OrderLine(models.Model):
    """One SKU of an order, at the price it was bought for.

    What was paid for it is `line_amount - discount_amount + tax_amount`, and refunds are made of
    that. Both are null in lines of the release that did not keep them; paid.py reads either kind.
    """

    id = models.BigAutoField(primary_key=True)
    # The constraint below is the index by order and SKU.
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines", db_index=False)
    sku = models.CharField(max_length=255)
    name = models.CharField(max_length=600)
    quantity = models.PositiveIntegerField()
    unit_amount = models.BigIntegerField()
    line_amount = models.BigIntegerField()
    discount_amount = models.BigIntegerField(null=True, blank=True)
    tax_amount = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["order", "sku"], name="one_line_per_order_and_sku"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="line_quantity_positive"),
            models.CheckConstraint(
                condition=Q(line_amount=F("quantity") * F("unit_amount")), name="line_adds_up"
            ),
            models.CheckConstraint(
                condition=Q(discount_amount__isnull=True, tax_amount__isnull=True)
                | Q(
                    discount_amount__isnull=False,
                    discount_amount__gte=0,
                    discount_amount__lte=F("line_amount"),
                    tax_amount__isnull=False,
                    tax_amount__gte=0,
                ),
                name="line_discount_and_tax",
            ),
        ]
        indexes = [models.Index(fields=["sku"], name="line_by_sku")]  # staff search by SKU

    def __str__(self) -> str:
        return f"{self.quantity} × {self.sku}"


class OrderEvent(models.Model):
    """One move of an order, as shoppers and staff read it. Append-only."""

    id = models.BigAutoField(primary_key=True)
    # The constraint below is the index by order and seq.
    order = models.ForeignKey(
        Order, on_delete=models.CASCADE, related_name="events", db_index=False
    )
    seq = models.PositiveIntegerField()
    status = models.CharField(max_length=20, choices=Order.Status)
    message = models.CharField(max_length=255)
    next_action = models.JSONField(null=True, blank=True)
    actor = models.CharField(max_length=254, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["order", "seq"]
        constraints = [
            models.UniqueConstraint(fields=["order", "seq"], name="one_event_per_seq"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.status}"


class IdempotencyKey(models.Model):
    """An accepted checkout's key, the fingerprint of its body, and the answer to replay."""

    id = models.BigAutoField(primary_key=True)
    scope = models.CharField(max_length=40, help_text="user:<id>, or guest")
    key = models.CharField(max_length=255)
    fingerprint = models.BinaryField(max_length=32)
    order = models.OneToOneField(Order, on_delete=models.CASCADE, related_name="key")
    answer = models.TextField(help_text="the body of the 202, as it was sent")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["scope", "key"], name="one_order_per_key"),
        ]

    def __str__(self) -> str:
        return self.key


class Saga(models.Model):
    """At which step an order is: the row that a worker claims.

    `epoch` rises with every claim: a write of an earlier claim names an older epoch and changes no
    row. `due_at` null: nothing to do until an event makes the saga due.
    """

    class State(models.TextChoices):
        FORWARD = "forward"
        UNDOING = "undoing"
        DONE = "done"
        UNDONE = "undone"
        REVIEW = "review"

    order = models.OneToOneField(
        Order, on_delete=models.CASCADE, primary_key=True, related_name="saga"
    )
    state = models.CharField(max_length=8, choices=State, default=State.FORWARD)
    step = models.CharField(max_length=32)
    attempts = models.PositiveSmallIntegerField(default=0)
    crashed_claims = models.PositiveSmallIntegerField(
        db_default=0, help_text="claims in a row that ended without a result: its worker died"
    )
    epoch = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    waiting_for = models.CharField(max_length=40, blank=True)
    deadline_at = models.DateTimeField(help_text="the hold's; past it the order is called off")
    cancel_reason = models.CharField(max_length=40, blank=True, help_text="why it turned back")
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_by = models.CharField(max_length=254, blank=True, db_default="")
    last_error = models.CharField(max_length=255, blank=True)
    updated_at = models.DateTimeField(db_default=Now())
    review_reason = models.CharField(max_length=255, blank=True)
    reviewed_from = models.CharField(max_length=8, blank=True, help_text="state before review")

    class Meta:
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=Q(state__in=["forward", "undoing"]),
                name="saga_due",
            ),
            models.Index(fields=["updated_at"], condition=Q(state="review"), name="saga_in_review"),
        ]

    def __str__(self) -> str:
        return f"{self.state} at {self.step}"


class SagaStep(models.Model):
    """The log of a saga: every outcome of every step, forward and undo."""

    id = models.BigAutoField(primary_key=True)
    saga = models.ForeignKey(Saga, on_delete=models.CASCADE, related_name="steps")
    step = models.CharField(max_length=32)
    direction = models.CharField(max_length=8, choices=[("do", "do"), ("undo", "undo")])
    outcome = models.CharField(max_length=8)
    attempt = models.PositiveSmallIntegerField()
    epoch = models.PositiveIntegerField()
    detail = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["saga", "step", "direction"],
                condition=Q(outcome="done"),
                name="step_done_once_per_direction",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.direction} {self.step}: {self.outcome}"


class Return(models.Model):
    """Goods that the shopper sends back."""

    class State(models.TextChoices):
        REQUESTED = "requested"
        RECEIVED = "received"  # accepted, all of it or a part
        REFUSED = "refused"  # nothing of it is accepted, no money goes back

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="returns")
    # Null: announced with the release before.
    sequence = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="which return of the order it is, from 1"
    )
    state = models.CharField(max_length=12, choices=State, default=State.REQUESTED)
    reason = models.CharField(max_length=500)
    created_at = models.DateTimeField(db_default=Now())
    received_at = models.DateTimeField(null=True, blank=True)
    refused_at = models.DateTimeField(null=True, blank=True)
    answer = models.CharField(
        max_length=300,
        blank=True,
        db_default="",
        default="",
        help_text="what the shopper is told: why it is refused, or accepted in part",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["order", "sequence"], name="one_return_per_order_and_sequence"
            ),
        ]
        permissions = [("receive_return", "Can receive returns and refuse them")]

    def __str__(self) -> str:
        return f"return of {self.order_id}"

    @property
    def number(self) -> str:
        """What the shopper writes on the parcel: the order's number, and which return it is."""
        return f"{self.order.number}-R{self.sequence}" if self.sequence else self.order.number


class ReturnLine(models.Model):
    """How many units of one order line are returned, and how many of them were accepted.

    `accepted` is null until the return has arrived, and for one that the release before received:
    that accepted all. Damaged units are accepted and refunded, and do not go back on the shelf.
    """

    id = models.BigAutoField(primary_key=True)
    of_return = models.ForeignKey(Return, on_delete=models.CASCADE, related_name="lines")
    line = models.ForeignKey(OrderLine, on_delete=models.PROTECT, related_name="returned")
    quantity = models.PositiveIntegerField()
    accepted = models.PositiveIntegerField(null=True, blank=True)
    damaged = models.PositiveIntegerField(db_default=0, default=0)
    # Null: not received yet, or received by the release before.
    refund_amount = models.BigIntegerField(
        null=True, blank=True, help_text="what was paid for these units, as owed at their receipt"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["of_return", "line"], name="one_line_per_return"),
            models.CheckConstraint(
                condition=Q(refund_amount__gte=0), name="return_refund_not_negative"
            ),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="return_quantity_positive"),
            models.CheckConstraint(
                condition=Q(accepted__isnull=True, damaged=0)
                | Q(accepted__lte=F("quantity"), damaged__lte=F("accepted")),
                name="return_accepted_and_damaged",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.line.sku}"

    @property
    def units_accepted(self) -> int | None:
        """How many were accepted; None until staff have decided."""
        if self.accepted is None and self.of_return.state == Return.State.RECEIVED:
            return self.quantity
        return self.accepted
