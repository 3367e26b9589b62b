"""Claims of due sagas under a lease, with the generic statements of apps/core/leases.py."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from apps.core import failpoints
from apps.core.leases import LeasedTable
from apps.orders.saga.step import Claimed, ClaimedStep

BATCH = 128
LEASE = timedelta(seconds=20)  # renewed every 5 s while a batch waits for the gateway
MAX_ATTEMPTS = 12  # claims of one step; with the next one the order goes to the review queue
PATIENCE = timedelta(hours=6)  # past the deadline; from then on an outage counts as attempts too
# Read at the claim, and again by `still_ours`: a cancellation may have been requested meanwhile.
CANCELLATION = ("t.cancel_requested_at IS NOT NULL", "t.cancel_reason")
# First come, first finished: a saga that can go on is due since its order was placed, so that a
# burst is carried through order by order and not step by step.
SAGAS = LeasedTable(
    table="orders_saga",
    key="order_id",
    key_type="uuid",
    claimable="state IN ('forward', 'undoing')",
    lease=LEASE,
    returning=(
        "t.step",
        "t.state",
        "t.deadline_at <= now()",
        "t.deadline_at + %(patience)s <= now()",
        *CANCELLATION,
    ),
    epoch=True,
    unchanged={"step": "text", "state": "text"},
    fresh=CANCELLATION,
)

failpoints.declare("saga.claim", "after_commit")


def claim(*, limit: int = BATCH, crashed: bool = False) -> Claimed:
    """Claim up to `limit` due sagas; with `crashed`, of those that have to be claimed alone.

    A saga is claimed alone after crashed claims: its worker may have died because of it.
    """
    rows = SAGAS.claim(limit=limit, crashed=crashed, patience=PATIENCE)
    claimed = [ClaimedStep(*row) for row in rows]
    if claimed:
        failpoints.reach("saga", "claim", "after_commit")
    return claimed


def renew(claimed: Iterable[ClaimedStep]) -> None:
    """Begin the leases anew, of those that are still ours."""
    SAGAS.renew((step.order_id, step.epoch) for step in claimed)


def still_ours(claimed: Claimed) -> Claimed:
    """Lock the sagas of `claimed`, in the caller's transaction; those whose epoch is still ours.

    Each comes with its cancellation as of now.
    """
    rows = SAGAS.still_ours(
        (step.order_id, step.epoch, step.step, str(step.state)) for step in claimed
    )
    found = {order_id: (requested, reason) for order_id, requested, reason in rows}
    return [
        replace(
            step,
            cancel_requested=found[step.order_id][0],
            cancel_reason=found[step.order_id][1],
        )
        for step in claimed
        if step.order_id in found
    ]
