"""Stock is reserved while the checkout is accepted, and released when it is cancelled."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.conf import settings

from apps.inventory import holds
from apps.inventory.allocation import ReserveRequest, Wanted
from apps.orders.errors import OutOfStock
from apps.orders.saga.step import Claimed, Outcomes, all_done, ids
from apps.payments.charging import GatewayResult

if TYPE_CHECKING:
    from apps.orders.intake.pending import Pending


def do(checkouts: Sequence["Pending"]) -> Sequence[Exception | None]:
    """Hold every line of each checkout for HOLD_TIME, or none of its lines.

    One conditional UPDATE for the whole batch. Returns for each checkout OutOfStock with the lines
    that are short, or None.
    """
    if not checkouts:
        return []
    requests = [
        ReserveRequest(
            checkout.order_id,
            tuple(Wanted(ln.variant_id, ln.sku, ln.quantity) for ln in checkout.priced.lines),
        )
        for checkout in checkouts
    ]
    answers = holds.reserve(requests, hold_time=settings.HOLD_TIME)
    return [None if short is None else OutOfStock(short.lines) for short in answers]


def undo(claimed: Claimed, results: list[GatewayResult]) -> Outcomes:
    """Held units are available again."""
    holds.release(ids(claimed))
    return all_done(claimed)
