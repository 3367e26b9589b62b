"""The columns of the order list as a CSV file."""

from typing import Any

from apps.backoffice.csv_export import Column
from apps.core.money import decimal_string

AMOUNTS = ("subtotal", "discount", "shipping", "tax", "total")
ADDRESS_PARTS = ("name", "line1", "line2", "city", "region", "postal_code", "country", "phone")


def _money(field: str) -> Any:
    return lambda order: decimal_string(getattr(order, field), order.currency)


def _address(part: str) -> Any:
    return lambda order: order.shipping_address.get(part, "")


COLUMNS: list[Column] = [
    ("number", lambda order: order.number),
    ("status", lambda order: order.status),
    ("placed_at", lambda order: order.placed_at),
    ("email", lambda order: order.email),
    ("currency", lambda order: order.currency),
    *((name, _money(f"{name}_amount")) for name in AMOUNTS),
    ("promo_codes", lambda order: " ".join(order.promo_codes)),
    ("shipping_method", lambda order: order.shipping_method),
    *((f"ship_{part}", _address(part)) for part in ADDRESS_PARTS),
]
