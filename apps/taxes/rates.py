"""What tax an order owes: the rate of its destination, most specific first.

Prices are net; the quote adds what `tax_for` answers. A destination without a rate is not taxed:
the shop charges tax only where it is registered. The table is kept in memory for a few seconds,
because every checkout asks.
"""

from dataclasses import dataclass
from datetime import timedelta

from apps.taxes.models import TaxRate
from apps.taxes.regions import canonical
from storefront.money import percent_of
from storefront.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class RateView:
    """`basis_points` are hundredths of a percent: 825 is 8.25 %."""

    name: str
    basis_points: int
    taxes_shipping: bool


def rate_for(*, country: str, region: str = "") -> RateView | None:
    """The region's rate, else its country's, else None."""
    rates = _rates.get()
    country = country.upper()
    if region:
        regional = rates.get((country, canonical(country, region)))
        if regional is not None:
            return regional
    return rates.get((country, ""))


def tax_for(*, country: str, region: str, taxable_amount: int, shipping_amount: int) -> int:
    """Tax in minor units, rounded half up once for the whole order.

    `taxable_amount` is what taxable lines cost after discounts. Shipping is taxed only where the
    rate says so.
    """
    rate = rate_for(country=country, region=region)
    if rate is None:
        return 0
    base = taxable_amount + (shipping_amount if rate.taxes_shipping else 0)
    return percent_of(base, rate.basis_points)


def _load() -> dict[tuple[str, str], RateView]:
    rows = TaxRate.objects.values_list("country", "region", "name", "rate_bp", "taxes_shipping")
    table: dict[tuple[str, str], RateView] = {}
    for country, region, name, rate_bp, taxes_shipping in rows.order_by("id"):
        country = country.upper()
        table[country, canonical(country, region)] = RateView(name, rate_bp, taxes_shipping)
    return table


_rates = Snapshot(_load, max_age=timedelta(seconds=5))
forget = _rates.forget
