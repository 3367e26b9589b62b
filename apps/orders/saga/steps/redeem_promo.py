"""Promo codes are redeemed while the checkout is accepted, and released when it is cancelled."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from apps.orders.saga.step import Claimed, Outcomes, all_done, ids
from apps.payments.charging import GatewayResult
from apps.promos import redeem
from apps.promos.redeem import RedeemRequest

if TYPE_CHECKING:
    from apps.orders.intake.pending import Pending


def do(checkouts: Sequence["Pending"]) -> Sequence[Exception | None]:
    """Decide, in the order of `checkouts`, whose codes still have uses left: lock and count.

    Returns for each the PromoError that refuses it, or None. The intake writes the redemptions
    (`request`) together with the orders.
    """
    return redeem.decide([request(checkout) for checkout in checkouts])


def request(checkout: "Pending") -> RedeemRequest:
    """The codes of a priced checkout, and whose use of them counts."""
    return RedeemRequest(
        checkout.order_id, checkout.mailbox, checkout.priced.promos, checkout.request.user_id
    )


def undo(claimed: Claimed, results: list[GatewayResult]) -> Outcomes:
    """The codes may be used again."""
    redeem.release(ids(claimed))
    return all_done(claimed)
