"""The sales tax of an order: the most specific rate for its destination.

Prices are net; the quote adds what `tax_for` returns. A destination without a rate is not taxed:
the shop charges tax only where it is registered. The table is cached in memory for a few seconds,
because every checkout reads it.

Tax is rounded once for the whole order, and then shared out, to the cent, over what it was computed
on: every line keeps its own part, and so does shipping. What goes back later is made of these.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from apps.core.money import percent_of, share_out
from apps.core.ttl_cache import TTLCache
from apps.taxes.models import TaxRate
from apps.taxes.regions import canonical


@dataclass(frozen=True, slots=True)
class RateView:
    """A rate. `basis_points` are hundredths of a percent: 825 is 8.25 %."""

    name: str
    basis_points: int
    taxes_shipping: bool


def rate_for(*, country: str, region: str = "") -> RateView | None:
    """The rate of the region, else of the country, else None."""
    rates = _rates.get()
    country = country.upper()
    if region:
        regional = rates.get((country, canonical(country, region)))
        if regional is not None:
            return regional
    return rates.get((country, ""))


@dataclass(frozen=True, slots=True)
class Tax:
    """The tax of an order in minor units: `total` is the sum of `per_line` and `shipping`."""

    total: int
    per_line: tuple[int, ...]
    shipping: int


def tax_for(
    *, country: str, region: str, taxable_amounts: Sequence[int], shipping_amount: int
) -> Tax:
    """Tax, rounded half up once for the whole order, and each line's part of it.

    `taxable_amounts`: of each line what is taxable of it after discounts, in minor units; 0 for a
    line that is not taxed. Shipping is taxed only where the rate's `taxes_shipping` is set.
    """
    rate = rate_for(country=country, region=region)
    if rate is None:
        return untaxed(len(taxable_amounts))
    return tax_at(rate, taxable_amounts=taxable_amounts, shipping_amount=shipping_amount)


def tax_at(rate: RateView, *, taxable_amounts: Sequence[int], shipping_amount: int) -> Tax:
    """The tax at this rate; amounts as in `tax_for`."""
    shipping_base = shipping_amount if rate.taxes_shipping else 0
    total = percent_of(sum(taxable_amounts) + shipping_base, rate.basis_points)
    if total == 0:
        return untaxed(len(taxable_amounts))
    # What was not taxed has the weight 0 and gets no cent, also none that is left over.
    *per_line, shipping = share_out(total, [*taxable_amounts, shipping_base])
    return Tax(total, tuple(per_line), shipping)


def untaxed(lines: int) -> Tax:
    """No tax on an order of so many lines."""
    return Tax(0, (0,) * lines, 0)


def _load() -> dict[tuple[str, str], RateView]:
    rows = TaxRate.objects.values_list("country", "region", "name", "rate_bp", "taxes_shipping")
    table: dict[tuple[str, str], RateView] = {}
    for country, region, name, rate_bp, taxes_shipping in rows.order_by("id"):
        country = country.upper()
        table[country, canonical(country, region)] = RateView(name, rate_bp, taxes_shipping)
    return table


_rates = TTLCache(_load, max_age=timedelta(seconds=5))
forget = _rates.forget
