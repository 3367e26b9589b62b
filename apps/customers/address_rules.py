"""The rules for every address in the shop.

`clean_address` is the only check: the API, the checkout page, the back office and the address book
all call it. The rules are those of kept data: what a country's addresses need (postal_codes.py),
its regions (taxes/regions.py), its telephone numbers (phones.py).
"""

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from apps.core import clean_text
from apps.customers import countries, phones, postal_codes
from apps.customers.errors import AddressInvalid, FieldError
from apps.taxes import regions

UNKNOWN_REGION = {
    "US": "We do not know this state. Its name or its two letters, please: California, or CA.",
    "CA": "We do not know this province. Its name or its two letters, please: Ontario, or ON.",
}
POSTAL_CODE = {
    "US": "A ZIP code has five digits, or nine: 97214, or 97214-1234.",
    "CA": "A postal code in Canada looks like K1A 0B1.",
}
NO_POSTAL_CODE = "This postal code is not one of that country."


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    max_length: int
    required: bool
    clean: Callable[[str], str] = clean_text.line


_FIELDS = (
    _Field("name", 120, required=True),
    _Field("line1", 200, required=True),
    _Field("line2", 200, required=False),
    _Field("city", 100, required=True),
    _Field("region", 100, required=False, clean=clean_text.code),
    _Field("postal_code", 20, required=False, clean=clean_text.code),
    _Field("country", 2, required=True, clean=clean_text.code),
    _Field("phone", 40, required=False, clean=clean_text.code),
)
FIELDS = tuple(field.name for field in _FIELDS)

_LINE_BREAKS_AND_TABS = "\t\n\r"


def clean_address(data: Mapping[str, Any]) -> dict[str, str]:
    """The address in `data` with exactly the keys of `FIELDS`, all strings; "" where absent.

    Invisible characters are removed (clean_text.py), whitespace is trimmed and runs of it become
    one space; unicode is NFC; the country is an ISO code in capitals; region, postal code and
    telephone number are in their normal form (regions.py, postal_codes.py, phones.py). What is
    clean stays as it is. Other keys are ignored.

    Raises `AddressInvalid` with all wrong fields; codes: `required`, `invalid`, `max_length`,
    `unknown_country`, `region_unknown`, `postal_code_of_another_region`.
    """
    clean: dict[str, str] = {}
    errors: list[FieldError] = []
    for field in _FIELDS:
        try:
            clean[field.name] = _clean_text(field, data.get(field.name))
        except AddressInvalid as refused:
            errors += refused.errors
    country = clean.get("country", "").upper()
    if country and country not in countries.names():
        errors.append(FieldError("country", "unknown_country", "Choose a country."))
        country = ""
    if "country" in clean:
        clean["country"] = country
    errors += _of_region(country, clean)
    errors += _of_postal_code(country, clean)
    errors += _of_phone(country, clean)
    if errors:
        raise AddressInvalid(sorted(errors, key=lambda error: FIELDS.index(error.field)))
    return clean


def _of_region(country: str, clean: dict[str, str]) -> Iterator[FieldError]:
    """Where the region decides the tax: its code in `clean`, or what is wrong with it."""
    typed = clean.get("region")
    if typed is None or country not in regions.DECIDES_TAX:
        return
    if not typed:
        yield FieldError("region", "required", "Enter the state or province.")
        return
    known = regions.known(country, typed)
    if known is None:
        yield FieldError("region", "region_unknown", UNKNOWN_REGION[country])
    clean["region"] = known or ""


def _of_postal_code(country: str, clean: dict[str, str]) -> Iterator[FieldError]:
    """The postal code in its normal form in `clean`, or what is wrong with it."""
    typed = clean.get("postal_code")
    if typed is None or not country:
        return
    if not typed:
        if postal_codes.is_required(country):
            yield FieldError("postal_code", "required", "Enter the postal code.")
        return
    code = clean["postal_code"] = postal_codes.tidy(country, typed)
    if not postal_codes.is_possible(country, code):
        yield FieldError("postal_code", "invalid", POSTAL_CODE.get(country, NO_POSTAL_CODE))
    elif other := postal_codes.contradicts(country, clean.get("region", ""), code):
        message = f"{code} is in {other}. Please look at both, state and postal code."
        yield FieldError("postal_code", "postal_code_of_another_region", message)


def _of_phone(country: str, clean: dict[str, str]) -> Iterator[FieldError]:
    """The telephone number in its normal form in `clean`, or what is wrong with it."""
    if not (typed := clean.get("phone")):
        return
    try:
        clean["phone"] = phones.tidy(typed, country)
    except phones.NotAPhone:
        message = "Enter a telephone number, or leave it empty."
        yield FieldError("phone", "invalid", message)


def _clean_text(field: _Field, value: object) -> str:
    if value is None:
        value = ""
    if not isinstance(value, str) or _has_forbidden(value):
        raise _refused(field, "invalid", "Use letters, digits and punctuation only.")
    text = field.clean(value)
    if len(text) > field.max_length:
        if field.name == "country":
            raise _refused(field, "unknown_country", "Choose a country.")
        raise _refused(field, "max_length", f"Use at most {field.max_length} characters.")
    if field.required and not any(character.isalnum() for character in text):
        if text:
            raise _refused(field, "invalid", "This needs a letter or a digit.")
        raise _refused(field, "required", "This field is needed.")
    return text


def _has_forbidden(value: str) -> bool:
    """Control characters (PostgreSQL refuses NUL) and surrogates."""
    if value.isascii() and value.isprintable():
        return False  # the usual case, without a look at each character
    return any(
        unicodedata.category(character) in ("Cc", "Cs") and character not in _LINE_BREAKS_AND_TABS
        for character in value
    )


def _refused(field: _Field, code: str, message: str) -> AddressInvalid:
    return AddressInvalid([FieldError(field.name, code, message)])
