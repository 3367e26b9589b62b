"""Units per SKU and warehouse, the holds on them, and a ledger of every change.

`on_hand` counts the units in the warehouse, `reserved` those of them that running orders hold;
`on_hand - reserved` is for sale, or below zero what is owed (policy.py). `on_hand` changes together
with a StockMovement or not at all.
"""

import uuid

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now


class Warehouse(models.Model):
    """A place that ships. Units are reserved from the lowest `priority` first."""

    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    priority = models.PositiveSmallIntegerField(default=0)
    is_default = models.BooleanField(default=False)

    class Meta:
        ordering = ["priority", "id"]
        constraints = [
            models.UniqueConstraint(
                "is_default", condition=Q(is_default=True), name="one_default_warehouse"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class StockItem(models.Model):
    """One SKU in one warehouse. Concurrent orders compete for these rows: see strategies/."""

    warehouse = models.ForeignKey(Warehouse, on_delete=models.PROTECT, related_name="stock")
    # By name: catalog's lists and importer read stock, so inventory must not import catalog.
    variant = models.ForeignKey("catalog.Variant", on_delete=models.PROTECT, related_name="stock")
    on_hand = models.IntegerField(default=0)
    reserved = models.IntegerField(default=0)
    # Of the variant's inventory policy what the statement that reserves has to see: whether it is
    # sold beyond what is there. Triggers write it and nothing else does: whatever is assigned, what
    # the variant says is stored.
    sells_on = models.BooleanField(default=False, db_default=False, editable=False)
    version = models.BigIntegerField(default=0, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["variant", "warehouse"], name="one_stock_item_per_variant_and_warehouse"
            ),
            models.CheckConstraint(
                condition=Q(reserved__gte=0) & (Q(reserved__lte=F("on_hand")) | Q(sells_on=True)),
                name="stock_reserved_between_zero_and_on_hand",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.variant.sku} in {self.warehouse}"


class Hold(models.Model):
    """Units of one stock item kept for one order until it is confirmed, released or expires."""

    class State(models.TextChoices):
        ACTIVE = "active"
        CONFIRMED = "confirmed"  # the units left `on_hand`
        RELEASED = "released"  # the units went back on sale without having left
        RESTOCKED = "restocked"  # the units had left and came back

    id = models.BigAutoField(primary_key=True)
    order_id = models.UUIDField()
    # Only active holds are looked up by stock item; their partial index stands below.
    stock_item = models.ForeignKey(
        StockItem, on_delete=models.PROTECT, related_name="holds", db_index=False
    )
    quantity = models.IntegerField()
    state = models.CharField(max_length=12, choices=State, default=State.ACTIVE)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["order_id", "stock_item"], name="one_hold_per_order_and_stock_item"
            ),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="hold_quantity_positive"),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"], condition=Q(state="active"), name="hold_active_expiry"
            ),
            models.Index(
                fields=["stock_item"], condition=Q(state="active"), name="hold_active_item"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} of {self.stock_item_id} for {self.order_id} ({self.state})"


class StockMovement(models.Model):
    """One line of the ledger: Σ quantity per stock item is its `on_hand`. Append-only (trigger)."""

    class Kind(models.TextChoices):
        INITIAL = "initial"
        RECEIVED = "received"
        RETURNED = "returned"
        ADJUSTED = "adjusted"
        CONFIRMED = "confirmed"  # sold; negative
        RESTOCKED = "restocked"  # a confirmed sale undone

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    # An index of its own stands below.
    stock_item = models.ForeignKey(
        StockItem, on_delete=models.PROTECT, related_name="movements", db_index=False
    )
    kind = models.CharField(max_length=12, choices=Kind)
    quantity = models.IntegerField(help_text="change of on_hand, signed")
    reason = models.CharField(max_length=255, blank=True)
    actor = models.CharField(max_length=254, blank=True)
    order_id = models.UUIDField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["stock_item", "-created_at"], name="movement_by_item")]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="confirmed", quantity__lt=0)
                | Q(kind="adjusted")
                | (~Q(kind__in=["confirmed", "adjusted"]) & Q(quantity__gte=0)),
                name="movement_sign_fits_kind",
            ),
            # A sale leaves `on_hand` once and comes back at most once, whatever runs twice.
            models.UniqueConstraint(
                fields=["order_id", "stock_item", "kind"],
                condition=Q(kind__in=["confirmed", "restocked"]),
                name="one_sale_movement_per_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.quantity:+d}"
