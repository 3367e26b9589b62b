"""Shipping methods and their prices.

A country belongs to the zones that list it, or, when none does, to the zones that list `*`
(everywhere else). A rate fits when the order's weight, or its subtotal, lies in the rate's band
(`at_least` included, `below` not). Where several rates of a method fit, the cheapest applies:
so "free from 75 dollars" can be combined with bands of weight.

The tables are cached in memory for a few seconds, because every checkout reads them.
"""

from dataclasses import dataclass
from datetime import timedelta

from apps.core.ttl_cache import TTLCache
from apps.shipping.errors import NotShippable
from apps.shipping.models import Method, Rate, Zone

EVERYWHERE_ELSE = "*"


@dataclass(frozen=True, slots=True)
class MethodQuote:
    """A method with its price in minor units; days are business days."""

    code: str
    name: str
    price_amount: int
    currency: str
    min_days: int
    max_days: int


@dataclass(frozen=True, slots=True)
class Service:
    """The carrier of a method's parcels, and how long it takes in business days."""

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


# By method code, in the shop's order of methods: its bands, the cheapest first.
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
    """The methods for such an order to `country`, in the shop's order; empty when there is none.

    `subtotal_amount` is in minor units.
    """
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
    """The price of one method. Raises `NotShippable` when none of its rates fits."""
    for band in _tables.get().bands(country).get(method_code, ()):
        if band.fits(weight_grams=weight_grams, subtotal_amount=subtotal_amount, currency=currency):
            return band.quote
    raise NotShippable(method_code, country)


def service(method_code: str) -> Service | None:
    """How a method is carried, also an inactive one: orders placed with it still ship."""
    return _tables.get().services.get(method_code)


def _load() -> _Tables:
    methods = {method.pk: method for method in Method.objects.order_by("position", "id")}
    countries_of = {
        zone_id: {code.upper() for code in codes}
        for zone_id, codes in Zone.objects.values_list("id", "countries")
    }
    by_country: dict[str, _Bands] = {
        country: {} for countries in countries_of.values() for country in countries
    }
    rates = sorted(Rate.objects.all(), key=lambda rate: (rate.price_amount, rate.pk))
    for method in methods.values():
        if not method.active:
            continue
        for rate in rates:
            if rate.method_id == method.pk:
                band = _band(method, rate)
                for country in countries_of.get(rate.zone_id, ()):
                    bands = by_country[country]
                    bands[method.code] = (*bands.get(method.code, ()), band)
    services = {
        method.code: Service(method.carrier, method.min_days, method.max_days)
        for method in methods.values()
    }
    return _Tables(by_country=by_country, services=services)


def _band(method: Method, rate: Rate) -> _Band:
    return _Band(
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


_tables = TTLCache(_load, max_age=timedelta(seconds=5))
forget = _tables.forget
