"""Shipping zones, methods and rates; and parcels."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now


class Zone(models.Model):
    """A set of countries with the same rates. `*` in `countries` is everywhere else."""

    name = models.CharField(max_length=80, unique=True)
    countries = ArrayField(models.CharField(max_length=2), help_text="ISO codes, or *")

    def __str__(self) -> str:
        return self.name


class Method(models.Model):
    """A shipping method, as the shopper chooses it."""

    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    carrier = models.CharField(max_length=40, default="local")
    min_days = models.PositiveSmallIntegerField(default=2)
    max_days = models.PositiveSmallIntegerField(default=5)
    position = models.PositiveSmallIntegerField(default=0)
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(min_days__lte=F("max_days")), name="method_days_in_order"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Rate(models.Model):
    """Price of a method in a zone, for a band of weight or of order value."""

    class Basis(models.TextChoices):
        WEIGHT = "weight", "weight in grams"
        TOTAL = "total", "subtotal in minor units"

    zone = models.ForeignKey(Zone, on_delete=models.CASCADE, related_name="rates")
    method = models.ForeignKey(Method, on_delete=models.CASCADE, related_name="rates")
    basis = models.CharField(max_length=8, choices=Basis, default=Basis.WEIGHT)
    at_least = models.BigIntegerField(default=0)
    below = models.BigIntegerField(null=True, blank=True, help_text="blank: no upper end")
    price_amount = models.BigIntegerField(help_text="minor units")
    currency = models.CharField(max_length=3, default="USD")

    class Meta:
        ordering = ["zone", "method", "at_least"]
        constraints = [
            models.UniqueConstraint(
                fields=["zone", "method", "basis", "at_least"], name="one_rate_per_band"
            ),
            models.CheckConstraint(
                condition=Q(price_amount__gte=0), name="rate_price_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(below__isnull=True) | Q(below__gt=F("at_least")), name="rate_band"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.method} to {self.zone}"


class Shipment(models.Model):
    """The parcel of one order. Its transitions are in parcels.py."""

    class State(models.TextChoices):
        LABELLED = "labelled"
        CANCELLED = "cancelled"
        HANDED_OVER = "handed_over"
        DELIVERED = "delivered"

    order_id = models.UUIDField(unique=True)
    carrier = models.CharField(max_length=40)
    service = models.CharField(max_length=40)
    tracking_number = models.CharField(max_length=60, unique=True)
    state = models.CharField(max_length=12, choices=State, default=State.LABELLED)
    estimated_from = models.DateField()
    estimated_to = models.DateField()
    created_at = models.DateTimeField(db_default=Now())
    handed_over_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.tracking_number
