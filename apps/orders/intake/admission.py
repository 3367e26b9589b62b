"""Limits that are checked when the stock is reserved: may this order have what it holds?

A hold costs nothing. Without a cap a stranger could hold all units of a SKU without paying, again
and again. The limits are checked in the intake's transaction after the units were reserved, in the
statement that draws the orders' numbers:

    of one address    units of a SKU that are held and not paid: a share of the units on hand.
                      Its first order of a SKU is always accepted (unpaid_limits.py)
    of one customer   unpaid orders (unpaid_limits.py); and units of a product in all orders, where
                      that is limited (customer_limits.py)

The stock rows are locked by then, so the share of a SKU is exact whatever other processes do. The
number of unpaid orders may exceed its cap by what another process commits at the same moment. A
customer's units are exact over all SKUs of a product, because whoever orders a limited product has
their mailbox and account locked (`customer_limits.lock_customers`).

Why units of an address are limited and not its orders, and the figures: ADR 33.
"""

from collections.abc import Sequence
from uuid import UUID

from apps.orders.errors import NotAccepted
from apps.orders.intake.customer_limits import Bought
from apps.orders.intake.pending import Pending
from apps.orders.intake.unpaid_limits import Unpaid


class LimitsExceeded(Exception):
    """Some of a batch may not have what they hold: roll back and start again without them.

    `refused` is each one's refusal, by order id.
    """

    def __init__(self, refused: dict[UUID, NotAccepted]) -> None:
        super().__init__(f"{len(refused)} exceed their limits")
        self.refused = refused


def admit(batch: Sequence[Pending]) -> list[int]:
    """A sequence number for each order of a batch whose units are held. Raises LimitsExceeded."""
    unpaid, bought = Unpaid(batch), Bought(batch)
    refused: dict[UUID, NotAccepted] = {}
    for pending in batch:
        refusal = bought.refusal(pending) or unpaid.refusal(pending)
        if refusal is not None:
            refused[pending.order_id] = refusal
            continue
        bought.add(pending)
        unpaid.add(pending)
    if refused:
        raise LimitsExceeded(refused)
    return unpaid.numbers
