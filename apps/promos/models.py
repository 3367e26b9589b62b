"""Promos and their redemptions. `used` counts live redemptions and never exceeds `total_limit`."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from apps.catalog.models import Category, Product
from apps.promos.codes import normalise


class Promo(models.Model):
    """A code, what it gives, and when it applies."""

    class Kind(models.TextChoices):
        PERCENTAGE = "percentage", "percentage off"
        FIXED = "fixed", "fixed amount off"
        FREE_SHIPPING = "free_shipping", "free shipping"
        BUY_X_GET_Y = "buy_x_get_y", "buy X, get Y free"

    code = models.CharField(max_length=60, help_text="as shown to shoppers")
    normal_code = models.CharField(
        max_length=60, unique=True, editable=False, help_text="what is compared (promos/codes.py)"
    )
    description = models.CharField(max_length=200, blank=True)
    kind = models.CharField(max_length=16, choices=Kind)
    percent_bp = models.PositiveIntegerField(
        default=0, help_text="basis points: 1000 is 10 % (percentage)"
    )
    amount = models.BigIntegerField(default=0, help_text="minor units (fixed amount)")
    currency = models.CharField(max_length=3, default="USD")
    buy_quantity = models.PositiveIntegerField(default=0)
    get_quantity = models.PositiveIntegerField(default=0)
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    total_limit = models.PositiveIntegerField(null=True, blank=True)
    customer_limit = models.PositiveIntegerField(null=True, blank=True)
    min_subtotal_amount = models.BigIntegerField(default=0, help_text="minor units")
    stackable = models.BooleanField(default=False, help_text="may be combined with others")
    active = models.BooleanField(default=True)
    products = models.ManyToManyField(Product, blank=True, related_name="promos")
    categories = models.ManyToManyField(Category, blank=True, related_name="promos")
    used = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(total_limit__isnull=True) | Q(used__lte=F("total_limit")),
                name="promo_used_within_limit",
            ),
            models.CheckConstraint(condition=Q(percent_bp__lte=10_000), name="promo_percent_max"),
            models.CheckConstraint(condition=Q(amount__gte=0), name="promo_amount_not_negative"),
            models.CheckConstraint(
                condition=~Q(kind="percentage") | Q(percent_bp__gt=0), name="promo_percent_given"
            ),
            models.CheckConstraint(
                condition=~Q(kind="fixed") | Q(amount__gt=0), name="promo_amount_given"
            ),
            models.CheckConstraint(
                condition=~Q(kind="buy_x_get_y") | Q(buy_quantity__gt=0, get_quantity__gt=0),
                name="promo_buy_x_get_y_given",
            ),
        ]

    def __str__(self) -> str:
        return self.code

    def save(self, *args, **kwargs):
        self.code = self.code.strip()
        self.normal_code = normalise(self.code)
        super().save(*args, **kwargs)


class Redemption(models.Model):
    """One promo used by one order; `live` until the order is cancelled.

    It counts against `total_limit` from the start, and against `customer_limit` once the order is
    paid: `use_number` then says which of the customer's uses it is, from 1.
    """

    promo = models.ForeignKey(Promo, on_delete=models.PROTECT, related_name="redemptions")
    order_id = models.UUIDField()
    customer_key = models.CharField(
        max_length=254, help_text="mailbox of the order (customers/mailbox.py)"
    )
    user_id = models.BigIntegerField(null=True, blank=True, help_text="account of the order")
    use_number = models.PositiveIntegerField(
        null=True, blank=True, help_text="which of the customer's paid uses; empty until paid"
    )
    discount_amount = models.BigIntegerField(default=0)
    live = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["order_id", "promo"], name="one_redemption_per_order_and_promo"
            ),
            # Of two orders of one customer that are paid at the same moment, one gets this use.
            models.UniqueConstraint(
                fields=["promo", "customer_key", "use_number"],
                condition=Q(live=True),
                name="one_redemption_per_use",
            ),
        ]
        indexes = [
            models.Index(
                fields=["promo", "user_id"],
                condition=Q(live=True, user_id__isnull=False),
                name="redemption_of_account",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.promo_id} by {self.customer_key}"
