"""Telephone numbers, as they are pasted and as they are kept.

Kept is E.164 with the extension behind it, `+15035550100 ext. 12`, where libphonenumber knows the
number. A number that it does not know (its plan may be younger than the data, or a neighbour's
number stands there without a country) is kept as it was typed, cleaned: the number helps the
carrier, and no order is lost by it.
"""

import re
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat

from apps.core import clean_text

DIGITS_LEAST, DIGITS_MOST = 5, 20
_LABEL = re.compile(r"^(?:tel|phone)\b[.:]?\s*", re.IGNORECASE)
_EXTENSION = re.compile(
    r"[\s,;]*(?:;ext=|\bextension|\bextn?\b|x|#)[\s.:]*(\d{1,9})#?$", re.IGNORECASE
)
_TYPED = re.compile(r"[0-9+()./ -]+")


class NotAPhone(ValueError):
    """The text is no telephone number."""


@lru_cache(maxsize=4096)
def tidy(text: str, country: str) -> str:
    """The number in `text` as it is kept; "" for none. Raises NotAPhone.

    `country`: ISO code of the address, which a number without `+` belongs to; "" if unknown.
    """
    typed = _LABEL.sub("", clean_text.ascii_digits(clean_text.code(text)))
    if not typed:
        return ""
    number, extension = typed, ""
    if found := _EXTENSION.search(typed):
        number, extension = typed[: found.start()], found[1]
    digits = sum(character.isdigit() for character in number)
    if not _TYPED.fullmatch(number) or not DIGITS_LEAST <= digits <= DIGITS_MOST:
        raise NotAPhone
    suffix = f" ext. {extension}" if extension else ""
    return (_known(number, country) or number) + suffix


def _known(number: str, country: str) -> str:
    """`number` in E.164; "" where libphonenumber does not know it."""
    spellings = [number]
    if number.startswith("00"):
        spellings.append("+" + number[2:])  # as most of the world dials abroad
    for spelling in spellings:
        try:
            parsed = phonenumbers.parse(spelling, country or None)
        except NumberParseException:
            continue
        if phonenumbers.is_valid_number(parsed) or _names_its_country(spelling, parsed):
            return phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
    return ""


def _names_its_country(spelling: str, parsed: PhoneNumber) -> bool:
    """Whether it is a whole international number, of a range that the data does not have yet."""
    return spelling.startswith("+") and phonenumbers.is_possible_number(parsed)
