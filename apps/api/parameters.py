"""Reads query parameters as strictly as contract.reading reads bodies.

Each function takes the parsed query and the name of one parameter, and raises Problem 400 with that
name in `errors`. Invisible characters count nowhere (clean_text.py): a parameter that has nothing
else is absent.
"""

import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any, NoReturn

from django.conf import settings
from django.http import QueryDict
from pydantic import TypeAdapter

from apps.api.contract.checkout import METHOD_CODE
from apps.api.contract.fields import Country, Text
from apps.api.contract.money import AMOUNT
from apps.api.contract.reading import read_value
from apps.core import clean_text
from apps.core.money import to_minor
from apps.core.problems import Problem

SLUG = re.compile(r"[A-Za-z0-9_-]{1,255}")
SWITCH = {"true": True, "1": True, "false": False, "0": False}
SEQ_MAX = 2**31 - 1
NAMED_MAX = 50  # parameters that are looked at: no call has so many
COUNTRY: TypeAdapter[Any] = TypeAdapter(Country)
DESTINATION: dict[str, TypeAdapter[Any]] = {
    "region": TypeAdapter(Annotated[str, Text(most=100, blank=True)]),
    "shipping_method": TypeAdapter(Annotated[str, METHOD_CODE]),
}


def refuse(name: str, message: str) -> NoReturn:
    """Raise Problem 400 that names the parameter."""
    raise Problem(
        400,
        "invalid",
        "Some parameters are not valid.",
        errors=[{"field": name, "code": "invalid", "message": message}],
    )


def refuse_unknown(query: QueryDict, known: Collection[str]) -> None:
    """Raise Problem 400 for parameters that are not in `known`, and for one that comes twice.

    A client that writes `catgory=mugs` must not believe that it got mugs. Of two values a proxy
    might read one, and this server the other.
    """
    errors = []
    for name, values in list(query.lists())[:NAMED_MAX]:
        if name not in known:
            message = f"There is no such parameter here; known: {', '.join(known) or 'none'}."
            errors.append({"field": name[:100], "code": "unknown", "message": message})
        elif len(values) > 1:
            errors.append({"field": name, "code": "repeated", "message": "Send this once."})
    if errors:
        raise Problem(400, "invalid", "Some parameters are not valid.", errors=errors)


def text(query: Mapping[str, str], name: str, *, most: int) -> str | None:
    """A text of at most `most` characters; None when absent or blank."""
    value = _value(query, name).strip()
    if len(value) > most:
        refuse(name, f"At most {most} characters.")
    return value or None


def slug(query: Mapping[str, str], name: str) -> str | None:
    """A slug; None when absent."""
    value = _value(query, name) or None
    if value is not None and not SLUG.fullmatch(value):
        refuse(name, "Expected a slug.")
    return value


def switch(query: Mapping[str, str], name: str) -> bool | None:
    """true, false, 1 or 0; None when absent."""
    value = _value(query, name) or None
    if value is None:
        return None
    if value.lower() not in SWITCH:
        refuse(name, "Expected true or false.")
    return SWITCH[value.lower()]


def amount(query: Mapping[str, str], name: str) -> int | None:
    """Minor units (cents) of a decimal string such as 19.99; None when absent."""
    value = _value(query, name) or None
    if value is None:
        return None
    if not AMOUNT.fullmatch(value):
        refuse(name, "Expected a price such as 19.99.")
    return to_minor(value, settings.SHOP_CURRENCY)


def choice(query: Mapping[str, str], name: str, choices: Collection[str]) -> str | None:
    """One of `choices`; None when absent."""
    value = _value(query, name) or None
    if value is not None and value not in choices:
        refuse(name, f"Expected one of {', '.join(choices)}.")
    return value


def seq(query: Mapping[str, str], name: str) -> int:
    """A whole number from 0; 0 when absent."""
    value = _value(query, name) or "0"
    if not (value.isascii() and value.isdigit() and len(value) <= 10 and int(value) <= SEQ_MAX):
        refuse(name, "Expected a whole number.")
    return int(value)


def country(query: Mapping[str, str]) -> str:
    """The ISO 3166-1 alpha-2 code in `country`, which is required."""
    found: str | None
    found, wrong = read_value(COUNTRY, _value(query, "country") or None)
    if found is None:
        refuse("country", wrong)
    return found


def destination(query: Mapping[str, str]) -> dict[str, Any]:
    """`country`, `region` and `shipping_method`, for a price with shipping and tax."""
    found: dict[str, Any] = {}
    if _value(query, "country"):
        found["country"] = country(query)
    for name, kind in DESTINATION.items():
        if value := _value(query, name):
            found[name], wrong = read_value(kind, value)
            if wrong:
                refuse(name, wrong)
    return found


def _value(query: Mapping[str, str], name: str) -> str:
    return clean_text.clean(query.get(name, ""))
