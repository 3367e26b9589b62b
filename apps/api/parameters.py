"""Reads query parameters as strictly as shapes.py reads bodies; raises Problem 400 naming them."""

import re
from collections.abc import Mapping
from typing import Any, NoReturn

from django.conf import settings

from apps.api import bodies
from apps.api.shapes import AMOUNT, INVALID, Errors, Text
from storefront.money import to_minor
from storefront.problems import Problem

SLUG = re.compile(r"[A-Za-z0-9_-]{1,255}")
REGION = Text(most=100, blank=True)
SWITCH = {"true": True, "1": True, "false": False, "0": False}
SEQ_MAX = 2**31 - 1


def refuse(name: str, message: str) -> NoReturn:
    raise Problem(
        400,
        "invalid",
        "Some parameters are not valid.",
        errors=[{"field": name, "code": "invalid", "message": message}],
    )


def text(query: Mapping[str, str], name: str, *, most: int) -> str | None:
    """A free text, None when absent or blank."""
    value = query.get(name, "").strip()
    if len(value) > most:
        refuse(name, f"At most {most} characters.")
    return value or None


def slug(query: Mapping[str, str], name: str) -> str | None:
    value = query.get(name) or None
    if value is not None and not SLUG.fullmatch(value):
        refuse(name, "Expected a slug.")
    return value


def switch(query: Mapping[str, str], name: str) -> bool | None:
    value = query.get(name) or None
    if value is None:
        return None
    if value.lower() not in SWITCH:
        refuse(name, "Expected true or false.")
    return SWITCH[value.lower()]


def amount(query: Mapping[str, str], name: str) -> int | None:
    """Minor units of a decimal string such as 19.99."""
    value = query.get(name) or None
    if value is None:
        return None
    if not AMOUNT.fullmatch(value):
        refuse(name, "Expected a price such as 19.99.")
    return to_minor(value, settings.SHOP_CURRENCY)


def choice(query: Mapping[str, str], name: str, choices: Any) -> str | None:
    value = query.get(name) or None
    if value is not None and value not in choices:
        refuse(name, f"Expected one of {', '.join(choices)}.")
    return value


def seq(query: Mapping[str, str], name: str) -> int:
    """A whole number from 0; 0 when absent."""
    value = query.get(name) or "0"
    if not (value.isascii() and value.isdigit() and len(value) <= 10 and int(value) <= SEQ_MAX):
        refuse(name, "Expected a whole number.")
    return int(value)


def country(query: Mapping[str, str]) -> str:
    value = bodies.COUNTRY.read(query.get("country"), "country", [])
    if value is INVALID:
        refuse("country", "Expected a country code (ISO 3166-1 alpha-2).")
    return value


def destination(query: Mapping[str, str]) -> dict[str, Any]:
    """`country`, `region` and `shipping_method`, for a price with shipping and tax."""
    found: dict[str, Any] = {}
    errors: Errors = []
    if query.get("country"):
        found["country"] = country(query)
    for name, shape in (("region", REGION), ("shipping_method", bodies.METHOD_CODE)):
        if query.get(name):
            found[name] = shape.read(query[name], name, errors)
    if errors:
        refuse(errors[0]["field"], errors[0]["message"])
    return found
