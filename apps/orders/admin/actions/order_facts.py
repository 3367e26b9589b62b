"""What every form shows of its order, and the refusal for an order without a saga."""

from typing import Any

from apps.backoffice.formatting import amount
from apps.orders.models import Order

NO_SAGA = "This order has no saga: nothing carries it."


def facts(order: Order) -> list[tuple[str, Any]]:
    """Which order it is, as (name, value)."""
    return [
        ("Order", order.number),
        ("Status", order.get_status_display()),
        ("Total", amount(order.total_amount, order.currency)),
        ("Customer", order.email),
    ]
