"""The two steps of the saga's table that the intake runs: redeem_promo, then reserve_stock."""

from collections.abc import Sequence

from apps.orders.intake.pending import Outcomes, Pending
from apps.orders.saga.steps import redeem_promo, reserve_stock
from apps.promos import redeem


def reserve(running: Sequence[Pending], outcomes: Outcomes) -> list[Pending]:
    """Those that get their codes and their units. The others get their refusal.

    A use that was given to a checkout whose units turn out to be sold out is free again, and goes
    to the next one that asked for it: "used up" is never answered while a use is left.
    """
    holding: list[Pending] = []
    asking = list(running)
    while asking:
        granted, refused = _redeem_codes(holding, asking, outcomes)
        reserved = _reserve_units(granted, outcomes)
        holding += reserved
        freed = _promo_ids([pending for pending in granted if pending.order_id in outcomes])
        asking = [pending for pending in refused if freed & _promo_ids([pending])]
    return holding


def record_redemptions(accepted: Sequence[Pending]) -> None:
    """Write the redemptions of checkouts that are going to be written, under the promos' locks."""
    redeem.record(redeem_promo.request(pending) for pending in accepted if pending.priced.promos)


def _promo_ids(some: Sequence[Pending]) -> set[int]:
    return {applied.promo_id for pending in some for applied in pending.priced.promos}


def _redeem_codes(
    holding: list[Pending], asking: list[Pending], outcomes: Outcomes
) -> tuple[list[Pending], list[Pending]]:
    """The step redeem_promo for `asking`, counted after `holding`: those granted, those refused."""
    granted, refused = [], []
    refusals = redeem_promo.do([*holding, *asking])[len(holding) :]
    for pending, refusal in zip(asking, refusals, strict=True):
        if refusal is None:
            outcomes.pop(pending.order_id, None)
            granted.append(pending)
        else:
            outcomes[pending.order_id] = refusal
            refused.append(pending)
    return granted, refused


def _reserve_units(running: list[Pending], outcomes: Outcomes) -> list[Pending]:
    """The step reserve_stock: those of `running` that hold all their units."""
    reserved = []
    for pending, refusal in zip(running, reserve_stock.do(running), strict=True):
        if refusal is None:
            reserved.append(pending)
        else:
            outcomes[pending.order_id] = refusal
    return reserved
