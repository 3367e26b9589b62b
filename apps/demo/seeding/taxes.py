"""Tax rates."""

from apps.demo.seeding.seeded import Seeded
from apps.taxes.models import TaxRate

# Country, region, name, basis points, whether shipping is taxed.
TAXES = (
    ("US", "CA", "California sales tax", 725, False),
    ("US", "NY", "New York sales tax", 400, True),
    ("US", "TX", "Texas sales tax", 625, True),
    ("US", "WA", "Washington sales tax", 650, True),
    ("US", "IL", "Illinois sales tax", 625, False),
    ("CA", "", "Goods and services tax", 500, True),
    ("GB", "", "VAT", 2000, True),
    ("DE", "", "VAT", 1900, True),
    ("FR", "", "VAT", 2000, True),
)


def create_taxes(seeded: Seeded) -> None:
    """Create the missing tax rates."""
    known = set(TaxRate.objects.values_list("country", "region"))
    rates = [
        TaxRate(country=country, region=region, name=name, rate_bp=bp, taxes_shipping=shipping)
        for country, region, name, bp, shipping in TAXES
        if (country, region) not in known
    ]
    TaxRate.objects.bulk_create(rates)
    seeded.count("tax rates", len(rates))
