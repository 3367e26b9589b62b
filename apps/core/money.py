"""Money: integer minor units in the database, `Money` where people read it, one rounding rule.

The rule is half up (away from zero at exactly half), as merchants and tax offices round.
"""

from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from moneyed import Currency, Money, get_currency
from moneyed.l10n import format_money


def to_minor(amount: Decimal | str, currency: str) -> int:
    """Minor units (cents) of `amount`, rounded half up. `"19.995"` USD is 2000."""
    return round_half_up(Decimal(amount) * units(currency))


def from_minor(minor: int, currency: str) -> Money:
    """`Money` of a whole number of minor units: 1999 USD is $19.99."""
    return Money(Decimal(minor) / units(currency), currency)


def round_half_up(value: Decimal) -> int:
    """The nearest whole minor unit; exactly half goes away from zero."""
    return int(value.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def percent_of(minor: int, basis_points: int) -> int:
    """`basis_points` (1/100 %) of an amount in minor units, rounded half up."""
    return round_half_up(Decimal(minor) * basis_points / 10_000)


def share_out(total: int, weights: list[int]) -> list[int]:
    """Split `total` minor units in proportion to `weights`; the parts add up to `total` exactly.

    Largest remainders get the cents left over; all-zero weights share nothing.
    """
    whole = sum(weights)
    if whole == 0:
        return [0] * len(weights)
    shares = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in by_remainder[: total - sum(shares)]:
        shares[i] += 1
    return shares


def payload(minor: int, currency: str) -> dict[str, str]:
    """The API's shape of money: `{"amount": "19.99", "currency": "USD"}`."""
    return {"amount": decimal_string(minor, currency), "currency": currency}


def decimal_string(minor: int, currency: str) -> str:
    """`"19.99"`: as many decimals as the currency has."""
    whole = units(currency)
    if whole == 1:
        return str(minor)
    digits = len(str(whole)) - 1
    sign = "-" if minor < 0 else ""
    return f"{sign}{abs(minor) // whole}.{abs(minor) % whole:0{digits}d}"


@lru_cache(maxsize=4096)
def for_people(minor: int, currency: str) -> str:
    """`"$19.99"`: as a shopper reads it."""
    return format_money(from_minor(minor, currency), locale="en_US")


def units(currency: str) -> int:
    """Minor units in one whole by ISO 4217: 100 for USD, 1 for JPY, 1000 for KWD."""
    known: Currency = get_currency(currency)
    return known.sub_unit
