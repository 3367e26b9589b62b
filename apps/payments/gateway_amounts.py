"""Amounts at Stripe: converted from and to the shop's minor units where payments leave the shop.

The shop counts by ISO 4217 (apps/core/money.py). Stripe counts some currencies otherwise, and takes
some only in steps (https://docs.stripe.com/currencies#special-cases, #three-decimal):

* without decimals: the currencies of NO_DECIMALS, Malagasy ariary among them (ISO: two)
* with two decimals that must be 00: ISK and UGX, kept so for old integrations (ISO: none)
* with three decimals of which the last must be 0: BHD, JOD, KWD, OMR, TND

Amounts between two steps are rounded down: no shopper is charged more than the total that they saw,
and parts that are sent back never add up to more than was taken.
"""

from functools import lru_cache

from moneyed import CurrencyDoesNotExist

from apps.core import money

NO_DECIMALS = frozenset(
    ("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF",
     "XOF", "XPF")
)  # fmt: skip
WHOLE_WITH_TWO_DECIMALS = frozenset(("ISK", "UGX"))
THREE_DECIMALS = frozenset(("BHD", "JOD", "KWD", "OMR", "TND"))
# The smallest charge, in Stripe's units (#minimum-and-maximum-charge-amounts of the same page).
# What is not listed is limited by the account's own currency, which only Stripe can convert.
SMALLEST_CHARGE = {
    "USD": 50, "AED": 200, "AUD": 50, "BRL": 50, "CAD": 50, "CHF": 50, "CZK": 1500, "DKK": 250,
    "EUR": 50, "GBP": 30, "HKD": 400, "HUF": 17500, "INR": 50, "JPY": 50, "MXN": 1000, "MYR": 200,
    "NOK": 300, "NZD": 50, "PLN": 200, "RON": 200, "SEK": 300, "SGD": 50, "THB": 1000,
}  # fmt: skip


def to_gateway(minor: int, currency: str) -> int:
    """The gateway's number for `minor` units of the shop: 5 ISK are 500, 1.239 BHD are 1230."""
    ours, theirs, step = _units(currency)
    return minor * theirs // (ours * step) * step


def from_gateway(amount: int, currency: str) -> int:
    """The shop's minor units for the gateway's number, to the nearest where it falls between."""
    ours, theirs, _ = _units(currency)
    return (2 * amount * ours + theirs) // (2 * theirs)


def same(there: int, here: int, currency: str) -> bool:
    """Whether the gateway's amount is ours, both in the shop's minor units.

    Where the gateway takes an amount only in steps, less than a step between the two is no
    difference. In most currencies a step is one minor unit, and this is equality.
    """
    ours, theirs, step = _units(currency)
    return there == here or abs(there - here) * theirs < ours * step


def smallest_charge(currency: str) -> int:
    """The least that a card can be charged, in the shop's minor units; a step where none is named.

    Nothing at all needs no charge, and is never too little.
    """
    _, _, step = _units(currency)
    return from_gateway(SMALLEST_CHARGE.get(currency, step), currency)


@lru_cache(maxsize=512)
def _units(currency: str) -> tuple[int, int, int]:
    """(the shop's units, the gateway's units) of one whole, and the gateway's step.

    A currency that the shop does not know belongs to another system of the account: as it is.
    """
    try:
        ours = money.units(currency)
    except CurrencyDoesNotExist:
        return 1, 1, 1
    if currency in NO_DECIMALS:
        return ours, 1, 1
    if currency in THREE_DECIMALS:
        return ours, 1000, 10
    return ours, 100, 100 if currency in WHOLE_WITH_TWO_DECIMALS else 1
