"""Tax rates."""

from factory.django import DjangoModelFactory

from apps.taxes.models import TaxRate


class TaxRateFactory(DjangoModelFactory):
    class Meta:
        model = TaxRate
        django_get_or_create = ("country", "region")

    country = "US"
    region = ""
    name = "Sales tax"
    rate_bp = 825


def a_sales_tax(*, rate_bp: int = 825, country: str = "US", region: str = "") -> TaxRate:
    """A tax rate; 825 basis points are 8.25 %."""
    return TaxRateFactory(country=country, region=region, rate_bp=rate_bp)
