"""Money: as a decimal string with its currency, never as a float."""

import re
from typing import Annotated, Any, cast

from django.conf import settings
from pydantic import Field
from typing_extensions import TypedDict

from apps.api.contract.fields import fields_refused, own, refused
from apps.api.contract.formats import said
from apps.core import money

AMOUNT = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,4})?")


class Money(TypedDict):
    amount: Annotated[str, Field(description="a decimal string", pattern=r"^-?\d+(\.\d+)?$")]
    currency: Annotated[str, said("ISO 4217")]


class Totals(TypedDict):
    subtotal: Money
    discount: Money
    shipping: Money
    tax: Money
    total: Money


def price(minor: int, currency: str) -> Money:
    """The answer's form of `minor` units (cents)."""
    return cast(Money, money.payload(minor, currency))


def optional_price(minor: int | None, currency: str) -> Money | None:
    """As `price`; None where there is none."""
    return None if minor is None else price(minor, currency)


def _price(value: Any) -> tuple[int, str]:
    """(minor units, currency) of `{"amount": "19.99", "currency": "USD"}`."""
    if type(value) is not dict:
        raise refused("invalid", 'Expected {"amount", "currency"}.')
    currency = settings.SHOP_CURRENCY
    if value.get("currency") != currency:
        raise fields_refused(value, ("currency", "invalid", f"This shop sells in {currency}."))
    amount = value.get("amount")
    if type(amount) is not str or not AMOUNT.fullmatch(amount):
        raise fields_refused(
            value, ("amount", "invalid", 'Expected a decimal string such as "19.99".')
        )
    return money.to_minor(amount, currency), currency


Price = Annotated[
    tuple[int, str],
    *own(
        _price,
        {
            "type": "object",
            "required": ["amount", "currency"],
            "properties": {
                "amount": {"type": "string", "pattern": f"^{AMOUNT.pattern}$", "example": "19.99"},
                "currency": {"type": "string", "enum": [settings.SHOP_CURRENCY]},
            },
        },
    ),
]
