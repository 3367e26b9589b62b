"""Flash sales: for which SKUs high demand is expected, when, and what protects their checkout.

A sale changes no price (a promo or the price itself does). It sets the time during which the stock
gate and the waiting room are in front of the checkout of its SKUs.
"""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from apps.catalog.models import Variant


class FlashSale(models.Model):
    """One sale. Switched on and off in the admin; its times are by the database's clock."""

    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=80, unique=True)
    variants = models.ManyToManyField(Variant, related_name="flash_sales")
    queue_opens_at = models.DateTimeField(
        "doors at", help_text="from here on one can queue, and the pages are kept warm"
    )
    starts_at = models.DateTimeField(help_text="from here on one can buy")
    ends_at = models.DateTimeField()
    active = models.BooleanField(default=True)
    stock_gate = models.BooleanField(
        default=True, help_text="who comes too late hears so from Redis, not from the database"
    )
    waiting_room = models.BooleanField(
        default=False, help_text="first come, first served, at the pace below"
    )
    admit_per_second = models.PositiveIntegerField(
        default=100,
        validators=[MinValueValidator(1), MaxValueValidator(10_000)],
        help_text="how many the waiting room lets go on to the checkout",
    )
    units_per_line = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="of one SKU in one order; empty: as without the sale",
    )
    units_per_order = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="of one product in one order; empty: as without the sale",
    )
    units_per_customer = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="of one product in all of a customer's orders since the doors opened",
    )

    class Meta:
        ordering = ["-starts_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(queue_opens_at__lte=F("starts_at")) & Q(starts_at__lt=F("ends_at")),
                name="sale_queue_start_end_in_order",
            ),
            models.CheckConstraint(
                condition=Q(admit_per_second__gt=0), name="sale_admits_somebody"
            ),
        ]
        indexes = [
            models.Index(fields=["ends_at"], condition=Q(active=True), name="sale_active"),
        ]

    def __str__(self) -> str:
        return self.name
