"""Recognises card data, so that API and pages can refuse it before it is stored or logged.

Card numbers never reach this server: clients exchange them with the gateway for a token. A body
that holds one all the same is a client's mistake, refused as a whole.

What counts: 13 to 19 digits, in groups or not, with a valid check digit (ISO/IEC 7812) and the
first digits of an issuer; and fields that are named for card data whatever they hold. What must
not be matched: phone numbers, ids, and bar codes as SKUs, a tenth of which pass the check digit by
chance.
"""

import re
from functools import lru_cache
from typing import Any

from apps.core import clean_text

# Twelve digits and one more, with at most two separators between any two of them.
CANDIDATE = re.compile(r"(?<!\d)\d(?:[ .\-_/·–]{0,2}\d){12,18}(?!\d)")
# As CANDIDATE but without its ends: a quick check that excludes most bodies.
SUSPICIOUS = re.compile(r"(?:\d[ .\-_/·–]{0,2}){12}\d")
UUID = re.compile(r"[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")
# Issuer identification: first digits and lengths of Visa, Mastercard, American Express, Diners,
# Discover, JCB, UnionPay, Maestro.
ISSUER = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"
    r"|3[47]\d{13}"
    r"|(?:30[0-5]|309|36\d|3[89]\d)\d{11,16}"
    r"|(?:6011|64[4-9]\d|65\d\d)\d{12,15}"
    r"|35(?:2[89]|[3-8]\d)\d{12,15}"
    r"|62\d{14,17}"
    r"|(?:50|5[6-9]|6\d)\d{11,17}"
)
CARD_FIELDS = frozenset(
    {
        *("cardnumber", "ccnumber", "creditcard", "creditcardnumber", "pan", "accountnumber"),
        *("cvc", "cvv", "cvc2", "cvv2", "cid", "cardcvc", "cardcvv", "securitycode", "cardcode"),
        *("trackdata", "track1", "track2"),
    }
)
FIELDS_OF_A_CARD = CARD_FIELDS | {"number", "expmonth", "expyear", "expiry", "exp"}
PHONE_FIELDS = frozenset({"phone", "mobile", "tel", "telephone", "fax"})


def plain(name: str) -> str:
    """A field's name without case and separators: `Card-Number` is `cardnumber`."""
    return _plain_cached(name) if len(name) <= SHORT_NAME else _plain(name)


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").replace(" ", "").lower()


# Clients use the same dozen names in every body. Long names come from no known client and would
# only fill the cache.
SHORT_NAME = 32
_plain_cached = lru_cache(maxsize=1024)(_plain)


def names_card_data(fields: dict[str, Any]) -> bool:
    """Whether an object's own field names ask for card data."""
    names = {plain(name) for name in fields}
    if not names.isdisjoint(CARD_FIELDS):
        return True
    card = fields.get("card")
    return isinstance(card, dict) and not FIELDS_OF_A_CARD.isdisjoint(map(plain, card))


def is_card_number(text: str, *, field: str = "") -> bool:
    """Whether there is a card number in `text`, the value of a field called `field`."""
    # As it would be kept: an invisible character between two digits is removed there.
    text = clean_text.code(text)
    for match in CANDIDATE.finditer(UUID.sub(" ", text)):
        digits = "".join(character for character in match.group() if character.isdigit())
        digits = "".join(str(int(digit)) for digit in digits)  # full-width and other digits
        if not (ISSUER.fullmatch(digits) and luhn(digits) and len(set(digits)) > 1):
            continue
        if field in PHONE_FIELDS and _may_be_a_phone_number(text, digits):
            continue
        if field == "sku" and _is_a_bar_code(digits):
            continue
        return True
    return False


def luhn(digits: str) -> bool:
    """Whether `digits` ends with a valid check digit (ISO/IEC 7812)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit)
        if place % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0


def _may_be_a_phone_number(text: str, digits: str) -> bool:
    # E.164 ends at 15 digits; without the plus a number has at most 14.
    return len(digits) <= (15 if text.lstrip().startswith("+") else 14)


def _is_a_bar_code(digits: str) -> bool:
    """GTIN-13 or GTIN-14 with a valid check digit (GS1: weights 3 and 1 from the right)."""
    if len(digits) not in (13, 14):
        return False
    total = sum(
        int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(digits))
    )
    return total % 10 == 0
