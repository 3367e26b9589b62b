"""Prices, as people and spreadsheets write them, in minor units of the shop's currency.

    1299.50   as it stands            1,299.00  1.299,50  1 299,50   with thousands apart
    .30       0.30                    58.120000000000005             a spreadsheet's 58.12
    $9  9 USD the shop's own currency 9,99                           a decimal comma

Refused: another currency, exponents, a price that is finer than the currency (9.999).
"""

import re
from decimal import Decimal

from babel.numbers import get_currency_symbol
from django.conf import settings

from apps.catalog.shopify_csv.rows import Row
from apps.catalog.shopify_csv.sheet import quoted
from apps.core import money

AMOUNT_MAX = 10_000_000_000  # minor units
NOISE = Decimal("0.000001")  # what binary fractions leave over

PLAIN = re.compile(r"[0-9]{1,15}(\.[0-9]+)?")
SPACES = re.compile(r"[\s\u00a0\u2009\u202f]+")
# Thousands apart by one sign, then at most one decimal sign of another kind.
GROUPED = re.compile(r"[0-9]{1,3}(?:([,.'’ ])[0-9]{3})(?:\1[0-9]{3})*(?:(?!\1)[.,][0-9]{1,15})?")


class CellRefused(Exception):
    """A cell or a row that cannot be used; the text is the reason."""


def amount(row: Row, column: str) -> int | None:
    """The cell in minor units; None when blank. Repairs are noted. Raises CellRefused."""
    text = row[column]
    if not text:
        return None
    what = column.removeprefix("Variant ").lower()
    currency = settings.SHOP_CURRENCY
    if text.startswith("-"):
        raise CellRefused(f"{what} is negative: {quoted(text)}")
    plain = _plain(text, currency)
    if plain is None:
        raise CellRefused(f"{what} is not an amount: {quoted(text)}")
    exact = Decimal(plain)
    minor = money.to_minor(plain, currency)
    made = money.decimal_string(minor, currency)
    if abs(Decimal(made) - exact) > NOISE:
        raise CellRefused(f"{what} has more decimals than {currency}: {quoted(text)}")
    if minor > AMOUNT_MAX:
        raise CellRefused(f"{what} is too large: {quoted(text)}")
    if plain != text or Decimal(made) != exact:
        row.note(column, f"read as {made}")
    return minor


def _plain(text: str, currency: str) -> str | None:
    """`text` with a decimal point and nothing else beside its digits; None: it is no amount."""
    bare = _without_currency(text, currency)
    if PLAIN.fullmatch(bare):
        return bare
    digits = SPACES.sub(" ", bare)
    if re.fullmatch(r"[.,][0-9]{1,15}", digits):
        return f"0.{digits[1:]}"
    if GROUPED.fullmatch(digits):
        return _grouped(digits, decimals=len(money.decimal_string(0, currency)[2:]))
    if re.fullmatch(r"[0-9]{1,15},[0-9]{1,15}", digits):
        return digits.replace(",", ".")
    return None


def _grouped(digits: str, *, decimals: int) -> str | None:
    signs = re.findall(r"[^0-9]", digits)
    if len(set(signs)) == 2:
        whole, _, rest = digits.rpartition(signs[-1])
        return f"{re.sub('[^0-9]', '', whole)}.{rest}"
    if len(signs) == 1 and signs[0] == "," and decimals == 3:
        return digits.replace(",", ".")  # 1,299 in a currency of three decimals
    return re.sub("[^0-9]", "", digits)


def _without_currency(text: str, currency: str) -> str:
    symbols = {currency, currency.lower(), get_currency_symbol(currency, "en_US")}
    symbols |= {get_currency_symbol(currency, "en")}
    for symbol in sorted(symbols, key=len, reverse=True):
        if text.startswith(symbol):
            return text.removeprefix(symbol).strip()
        if text.endswith(symbol):
            return text.removesuffix(symbol).strip()
    return text
