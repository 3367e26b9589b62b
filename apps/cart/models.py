"""A signed-in customer's cart. Guests' carts live in Redis (see carts.py)."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Cart(models.Model):
    """At most one open cart per customer; an ordered cart is closed, the next change opens one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="carts"
    )
    open = models.BooleanField(default=True)
    promo_codes = models.JSONField(default=list, blank=True)
    version = models.PositiveBigIntegerField(
        default=0, db_default=0, help_text="counts changes; an order knows which cart it has read"
    )
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint("user", condition=Q(open=True), name="one_open_cart_per_user"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class CartLine(models.Model):
    """One SKU of a cart."""

    cart = models.ForeignKey(Cart, on_delete=models.CASCADE, related_name="lines")
    sku = models.CharField(max_length=255)
    quantity = models.PositiveIntegerField()
    position = models.BigAutoField(primary_key=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["cart", "sku"], name="one_line_per_sku"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="cart_quantity_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.sku}"
