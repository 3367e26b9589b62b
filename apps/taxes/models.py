"""Sales tax by destination. Prices are net; tax is added at the quote."""

from django.db import models
from django.db.models import Q


class TaxRate(models.Model):
    """Rate for a country or one of its regions; the most specific one applies."""

    country = models.CharField(max_length=2, help_text="ISO 3166-1 alpha-2")
    region = models.CharField(max_length=100, blank=True, help_text="blank: the whole country")
    name = models.CharField(max_length=80)
    rate_bp = models.PositiveIntegerField(help_text="basis points: 825 is 8.25 %")
    taxes_shipping = models.BooleanField(default=False)

    class Meta:
        ordering = ["country", "region"]
        constraints = [
            models.UniqueConstraint(fields=["country", "region"], name="one_rate_per_region"),
            models.CheckConstraint(condition=Q(rate_bp__lte=10_000), name="tax_rate_max"),
        ]

    def __str__(self) -> str:
        return self.name
