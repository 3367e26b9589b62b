"""The request bodies of the contract, one shape each."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from apps.api.shapes import (
    INVALID,
    Country,
    Email,
    Errors,
    Flag,
    Id,
    ListOf,
    Optional,
    Price,
    Record,
    Secret,
    Shape,
    Text,
    Whole,
    refuse,
)
from apps.cart import carts
from apps.customers import addresses

QUANTITY_MAX = carts.QUANTITY_MAX
LINES_MAX = carts.LINES_MAX


@dataclass(frozen=True)
class PostalAddress(Shape):
    """An address by the one rule of the shop (customers.addresses.clean_address)."""

    def read(self, value: Any, path: str, errors: Errors) -> Any:
        if not isinstance(value, Mapping):
            return refuse(errors, path, "invalid", "Expected an object.")
        try:
            return addresses.clean_address(value)
        except addresses.AddressInvalid as refused:
            prefix = f"{path}." if path else ""
            for field, code, message in refused.errors:
                refuse(errors, prefix + field, code, message)
            return INVALID

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["name", "line1", "city", "country"],
            "properties": {
                name: {"type": "string", "maxLength": length}
                for name, length in (
                    *(("name", 120), ("line1", 200), ("line2", 200), ("city", 100)),
                    *(("region", 100), ("postal_code", 20), ("country", 2), ("phone", 40)),
                )
            },
            "description": (
                "`country` is ISO 3166-1 alpha-2. `region` is required in the US and Canada,"
                " `postal_code` wherever a country has them."
            ),
            "example": {
                "name": "Alice Archer",
                "line1": "12 Pine Street",
                "line2": "",
                "city": "Portland",
                "region": "OR",
                "postal_code": "97201",
                "country": "US",
                "phone": "+1 503 555 0100",
            },
        }


@dataclass(frozen=True)
class BookAddress(Shape):
    """An entry of the address book, whole or (`partial`) some fields of it.

    Only described here: customers.addresses reads it, because a part is checked with the rest.
    """

    partial: bool = False

    def schema(self) -> dict[str, Any]:
        schema = PostalAddress().schema()
        schema["properties"] = schema["properties"] | {"is_default": {"type": "boolean"}}
        if self.partial:
            del schema["required"]
        return schema


SKU = Text(most=120, example="STONEWARE-MUG-MOSS")
PROMO_CODE = Text(most=200, example="SLOWMORNING")
METHOD_CODE = Text(
    most=40,
    pattern=re.compile(r"[A-Za-z0-9_-]+"),
    hint="Expected a method's code.",
    example="standard",
)
PAYMENT_METHOD = Text(
    most=120,  # of the column
    pattern=re.compile(r"pm_[A-Za-z0-9_]+"),
    hint="Expected the gateway's token of a payment method (pm_…).",
    example="pm_card_visa",
)
ORDERED_LINE = Record({"sku": SKU, "quantity": Whole(1, QUANTITY_MAX)})
CHECKOUT = Record(
    {
        "cart": Optional(Id()),
        "lines": Optional(ListOf(ORDERED_LINE, LINES_MAX)),
        "promo_code": Optional(Text(most=200, blank=True, example="SLOWMORNING")),
        "email": Email(),
        "shipping_address": PostalAddress(),
        "billing_address": Optional(PostalAddress()),
        "shipping_method": METHOD_CODE,
        "payment_method": PAYMENT_METHOD,
        "expected_total": Optional(Price(settings.SHOP_CURRENCY)),
    }
)
CART_LINE = Record({"quantity": Whole(0, QUANTITY_MAX)})
PROMO = Record({"code": PROMO_CODE})
RETURN = Record({"lines": ListOf(ORDERED_LINE, LINES_MAX), "reason": Text(most=500, lines=True)})
REGISTER = Record(
    {
        "email": Text(most=254, example="alice@example.com"),
        "password": Secret(),
        "name": Optional(Text(most=120, blank=True), str),
    }
)
LOGIN = Record({"email": Text(most=254, example="alice@example.com"), "password": Secret()})
REFRESH = Record({"refresh": Text(most=2000)})
PROFILE = Record({"name": Text(most=120, blank=True)})
IS_DEFAULT = Record({"is_default": Optional(Flag())})
BOOK_ADDRESS = BookAddress()
SOME_OF_BOOK_ADDRESS = BookAddress(partial=True)
COUNTRY = Country()
