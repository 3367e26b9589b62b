"""What shipping costs, and which ways there are.

A country belongs to the zones that list it, or, when none does, to the zones that list `*`
(everywhere else). A rate fits when the order's weight, or its subtotal, lies in the rate's band
(`at_least` included, `below` not). Where several rates of a method fit, the cheapest applies:
that is how "free from 75 dollars" stands beside bands of weight.

All of it is kept in memory for a few seconds, because every checkout asks.
"""

from dataclasses import dataclass
from datetime import timedelta

from apps.shipping.errors import NotShippable
from apps.shipping.models import Method, Rate, Zone
from storefront.snapshot import Snapshot

EVERYWHERE_ELSE = "*"


@dataclass(frozen=True, slots=True)
class MethodQuote:
    """A way to ship with its price in minor units; days are business days."""

    code: str
    name: str
    price_amount: int
    currency: str
    min_days: int
    max_days: int


@dataclass(frozen=True, slots=True)
class Service:
    """Who carries a method's parcels and how long that takes, in business days."""

    carrier: str
    min_days: int
    max_days: int


@dataclass(frozen=True, slots=True)
class _Band:
    quote: MethodQuote
    by_weight: bool
    at_least: int
    below: int | None

    def fits(self, *, weight_grams: int, subtotal_amount: int, currency: str) -> bool:
        measure = weight_grams if self.by_weight else subtotal_amount
        return (
            self.quote.currency == currency
            and self.at_least <= measure
            and (self.below is None or measure < self.below)
        )


# Per method, in the shop's order of methods, its bands with the cheapest first.
_Bands = dict[str, tuple[_Band, ...]]


@dataclass(frozen=True, slots=True)
class _Tables:
    by_country: dict[str, _Bands]
    services: dict[str, Service]

    def bands(self, country: str) -> _Bands:
        found = self.by_country.get(country.upper())
        return self.by_country.get(EVERYWHERE_ELSE, {}) if found is None else found


def methods_for(
    *, country: str, weight_grams: int, subtotal_amount: int, currency: str
) -> list[MethodQuote]:
    """Every way to ship such an order there, in the shop's order; empty when there is none."""
    quotes = []
    for bands in _tables.get().bands(country).values():
        for band in bands:
            if band.fits(
                weight_grams=weight_grams, subtotal_amount=subtotal_amount, currency=currency
            ):
                quotes.append(band.quote)
                break
    return quotes


def price(
    method_code: str, *, country: str, weight_grams: int, subtotal_amount: int, currency: str
) -> MethodQuote:
    """The price of one method; raises `NotShippable` when it does not reach there."""
    for band in _tables.get().bands(country).get(method_code, ()):
        if band.fits(weight_grams=weight_grams, subtotal_amount=subtotal_amount, currency=currency):
            return band.quote
    raise NotShippable(method_code, country)


def service(method_code: str) -> Service | None:
    """How a method is carried, also one no longer offered: orders placed with it still ship."""
    return _tables.get().services.get(method_code)


def _load() -> _Tables:
    methods = {method.pk: method for method in Method.objects.order_by("position", "id")}
    countries_of = dict(Zone.objects.values_list("id", "countries"))
    rates = sorted(Rate.objects.all(), key=lambda rate: (rate.price_amount, rate.pk))
    by_country: dict[str, _Bands] = {
        country.upper(): {} for countries in countries_of.values() for country in countries
    }
    for method in methods.values():
        if not method.active:
            continue
        for rate in rates:
            if rate.method_id != method.pk:
                continue
            band = _Band(
                quote=MethodQuote(
                    code=method.code,
                    name=method.name,
                    price_amount=rate.price_amount,
                    currency=rate.currency,
                    min_days=method.min_days,
                    max_days=method.max_days,
                ),
                by_weight=rate.basis == Rate.Basis.WEIGHT,
                at_least=rate.at_least,
                below=rate.below,
            )
            for country in {code.upper() for code in countries_of.get(rate.zone_id, ())}:
                of_country = by_country[country]
                of_country[method.code] = (*of_country.get(method.code, ()), band)
    services = {
        method.code: Service(method.carrier, method.min_days, method.max_days)
        for method in methods.values()
    }
    return _Tables(by_country=by_country, services=services)


_tables = Snapshot(_load, max_age=timedelta(seconds=5))
forget = _tables.forget
