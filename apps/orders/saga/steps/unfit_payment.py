"""Money that the gateway took or holds on other terms than the order's: staff decide, at once.

Staff work at the gateway's dashboard: they take a part of what is authorized, or more than it, or
change the amount. Such an order is never confirmed by itself, and not undone by itself either
where our books cannot say what there is to give back.
"""

from apps.core.money import for_people
from apps.orders.saga.outcomes import Review
from apps.payments.charging import GatewayResult
from apps.payments.models import Payment


def partly_captured(payment: Payment) -> Review:
    """The gateway took less than the order costs. It takes from an authorization only once."""
    taken = for_people(payment.captured_amount, payment.currency)
    ordered = for_people(payment.amount, payment.currency)
    return Review(
        f"Only {taken} of {ordered} was taken, and the rest cannot be taken any more."
        f" Undo the order: {taken} goes back. Or accept the part: it goes on for {taken}."
    )


def contradicted(result: GatewayResult | None) -> Review | None:
    """What the gateway has does not fit our payment; None where it does."""
    if result is None or not result.contradiction:
        return None
    return Review(
        f"{result.contradiction}. Nothing was done. Give back at the gateway what was taken there,"
        " then undo the order."
    )
