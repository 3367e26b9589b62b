"""Held units are sold: they leave the stock. Undone by putting them back."""

from apps.inventory import holds
from apps.orders.saga.outcomes import CancelReason, Done, Refused
from apps.orders.saga.step import Claimed, Outcomes, all_done, ids
from apps.payments.charging import GatewayResult

SOLD_OUT = CancelReason(
    "sold_out", "We are sorry: the items sold out before we could confirm the order."
)
REFUSES_FOR = (SOLD_OUT,)


def do(claimed: Claimed, results: list[GatewayResult]) -> Outcomes:
    """Turn each order's active holds into a sale."""
    confirmed = holds.confirm(ids(claimed))
    return {
        step.order_id: Done()
        if step.order_id in confirmed
        else Refused(SOLD_OUT, "The items are no longer held for this order.")
        for step in claimed
    }


def undo(claimed: Claimed, results: list[GatewayResult]) -> Outcomes:
    """Put sold units back into the stock."""
    holds.restock(ids(claimed), reason="order cancelled")
    return all_done(claimed)
