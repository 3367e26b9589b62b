"""Orders of which nothing is shipped: vouchers, workshops, downloads.

They have no shipping method, no parcel and no date of delivery, and nothing is packed. From
CONFIRMED staff mark them as delivered when they are done. Here is what the statuses are called
then; status.py has the table for all others.
"""

from collections.abc import Mapping
from dataclasses import replace

from apps.orders.models import Order
from apps.orders.status import DONE, STAGES, STATUSES, OrderStatus, StatusRow

S = OrderStatus
STAGES_UNSHIPPED = (("received", "Received"), ("paid", "Paid"), ("done", "Done"))

STATUSES_UNSHIPPED: Mapping[str, StatusRow] = {
    **{
        status: replace(row, stages=(*row.stages[:2], row.stages[-1]))
        for status, row in STATUSES.items()
    },
    S.CONFIRMED: replace(
        STATUSES[S.CONFIRMED],
        message="Paid and confirmed. There is nothing to ship.",
        headline="It is yours.",
        short="confirmed",
        stages=(DONE, DONE, DONE),
        settled=True,
    ),
    S.SHIPPED: replace(STATUSES[S.SHIPPED], follows=(), stages=(DONE, DONE, DONE)),
    S.DELIVERED: replace(
        STATUSES[S.DELIVERED],
        follows=(S.CONFIRMED, S.RETURN_INITIATED),
        message="Your order is complete.",
        headline="All done.",
        short="complete",
        stages=(DONE, DONE, DONE),
    ),
}


def ships(order: Order) -> bool:
    """Whether anything of the order is shipped."""
    return bool(order.shipping_method)


def statuses_of(order: Order) -> Mapping[str, StatusRow]:
    """The statuses as they are called for this order."""
    return STATUSES if ships(order) else STATUSES_UNSHIPPED


def stages_of(order: Order) -> tuple[tuple[str, str], ...]:
    """The stages of its progress bar, as (code, name)."""
    return STAGES if ships(order) else STAGES_UNSHIPPED
