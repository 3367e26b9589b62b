"""Accepting a batch of checkouts in one transaction.

    0. accounts   an access token whose account is closed or has another password: signed out
    1. replay     keys that the database knows: same body, the stored answer; other body, refused
    2. refuse     carts that already have a live order; all, when too many orders are under way
    3. price      every checkout, by today's catalog and promos; compare the expected total
    4. redeem     lock the promos, first come first served
    5. reserve    one conditional UPDATE on the stock for the whole batch
    6. admit      customers and addresses that hold more than they may: start again without them
    7. write      order, lines, payment, saga, first event, key: one statement
    8. commit     one fsync for all of them; then all are answered, and a worker is woken

One failing request never fails the others of its batch: when a batch cannot be committed together,
each of its checkouts is committed by itself. The unique constraints on key and cart decide races
between processes; the queries of 1 and 2 only keep a batch from failing on them. They are repeated
for the checkouts that are refused in 3 to 5: what those want may be gone into their own order.

Modules: replay.py (1, 2), pricing.py (3), reserving.py (4, 5), admission.py (6), writing.py (7).
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, IntegrityError, InterfaceError, connection, transaction

from apps.core import dispatch, failpoints
from apps.core.connections import drop_dead_connections
from apps.customers import accounts
from apps.flash_sales import active_sales
from apps.orders import payloads
from apps.orders.errors import (
    NotAccepted,
    NotQuotable,
    OutcomeUnknown,
    OutOfStock,
    Overloaded,
    SignedOut,
    TooManyUnpaid,
)
from apps.orders.intake import admission, customer_limits, pricing, reserving, writing
from apps.orders.intake.order_numbers import order_number
from apps.orders.intake.pending import Accepted, Outcome, Outcomes, Pending
from apps.orders.intake.replay import outcomes_of_earlier_orders
from apps.orders.intake.wait_estimate import QueueGauge
from apps.promos.errors import PromoExhausted

logger = logging.getLogger(__name__)

failpoints.declare("intake", "before_commit", "after_commit")
FULL_RETRY_AFTER = 30  # seconds; more orders are under way than can be finished in time
# Refusals because something is gone: perhaps into this shopper's own order.
SCARCE = (OutOfStock, PromoExhausted, NotQuotable, TooManyUnpaid)


def commit(batch: Sequence[Pending], gauge: QueueGauge) -> None:
    """Commit a batch and answer each request in it; one by one where it cannot be done together."""
    try:
        outcomes = _commit_within_limits(batch, gauge)
    except _DatabaseGone as gone:
        for pending in batch:
            pending.answer(gone.meaning)
        return
    except Exception as error:
        if len(batch) > 1:
            logger.info("a batch of %d could not be committed together: %s", len(batch), error)
            for pending in batch:
                commit([pending], gauge)
            return
        outcomes = [_commit_alone(batch[0], gauge, error)]
    for pending, outcome in zip(batch, outcomes, strict=True):
        pending.answer(outcome)
    if any(isinstance(outcome, Accepted) and not outcome.replayed for outcome in outcomes):
        dispatch.enqueue_on_commit("orders.advance_sagas")


def _commit_within_limits(batch: Sequence[Pending], gauge: QueueGauge) -> list[Outcome]:
    """Commit a batch; again without those that turn out to hold more than they may.

    The whole of it again, so that no order is refused for units that the rollback has released.
    """
    refused: dict[UUID, NotAccepted] = {}
    while True:
        try:
            return _commit_together(batch, gauge, refused)
        except admission.LimitsExceeded as exceeded:
            refused |= exceeded.refused


def _commit_together(
    batch: Sequence[Pending], gauge: QueueGauge, refused: Mapping[UUID, NotAccepted]
) -> list[Outcome]:
    """One transaction; `refused` are the checkouts that are known to exceed their limits."""
    used, written = None, False
    drop_dead_connections()
    # Refreshed here where that is due: a query that fails later would end the transaction.
    active_sales.by_sku()
    try:
        connection.ensure_connection()
        used = connection.connection
        with transaction.atomic():
            outcomes = _accept(batch, gauge, refused)
            written = True
            failpoints.reach("intake", "before_commit")
    except (DatabaseError, InterfaceError) as error:
        if not _is_lost(used):
            raise
        logger.warning("database went away in the intake: %s", type(error).__name__)
        connection.close()
        # Lost in the COMMIT itself, the outcome is unknown; lost before, nothing was written.
        raise _DatabaseGone(OutcomeUnknown() if written else Overloaded(retry_after=2)) from error
    failpoints.reach("intake", "after_commit")
    return outcomes


def _commit_alone(pending: Pending, gauge: QueueGauge, error: Exception) -> Outcome:
    """The last try of one checkout that failed with `error`."""
    if isinstance(error, IntegrityError):
        # Another process has committed this key or cart in between: now the queries see it.
        try:
            return _commit_within_limits([pending], gauge)[0]
        except _DatabaseGone as gone:
            return gone.meaning
        except Exception as again:  # the outcome of this checkout, not of the batch
            error = again
    logger.error("a checkout could not be committed", exc_info=error)
    return error


class _DatabaseGone(Exception):
    def __init__(self, meaning: Exception) -> None:
        super().__init__(str(meaning))
        self.meaning = meaning


def _accept(
    batch: Sequence[Pending], gauge: QueueGauge, refused: Mapping[UUID, NotAccepted]
) -> list[Outcome]:
    """Steps 0 to 7, inside the caller's transaction; one outcome for each checkout."""
    outcomes = _signed_out(batch)
    outcomes |= outcomes_of_earlier_orders([p for p in batch if p.order_id not in outcomes])
    # An earlier order comes before a limit: this very order may be what fills the limit.
    outcomes = {**refused, **outcomes}
    running = [pending for pending in batch if pending.order_id not in outcomes]
    if running:
        gauge.refresh()
        if gauge.is_full():
            return [outcomes.get(p.order_id, Overloaded(FULL_RETRY_AFTER)) for p in batch]
    running = pricing.price(running, outcomes)
    customer_limits.lock_customers(running)
    running = reserving.reserve(running, outcomes)
    if running:
        numbers = admission.admit(running)
        reserving.record_redemptions(running)
        answers = _answers(running, numbers, gauge)
        writing.write(running, answers)
        for pending in running:
            outcomes[pending.order_id] = Accepted(pending.order_id, answers[pending.order_id])
    # The same request may have been committed by another process since the first query. Then the
    # last unit is not sold out to the shopper who has just bought it.
    outcomes |= outcomes_of_earlier_orders(
        [p for p in batch if isinstance(outcomes[p.order_id], SCARCE)]
    )
    return [outcomes[pending.order_id] for pending in batch]


def _signed_out(batch: Sequence[Pending]) -> Outcomes:
    """SignedOut for each whose account is closed, or has another password than the token says."""
    claims = {
        pending.order_id: (pending.request.user_id, pending.request.password_digest)
        for pending in batch
        if pending.request.user_id is not None and pending.request.password_digest is not None
    }
    good = accounts.still_signed_in(claims.values()) if claims else set()
    return {order_id: SignedOut() for order_id, claim in claims.items() if claim not in good}


def _answers(
    accepted: Sequence[Pending], numbers: list[int], gauge: QueueGauge
) -> dict[UUID, dict[str, Any]]:
    """Give each checkout its number; the answers by order id."""
    answers = {}
    for pending, sequence in zip(accepted, numbers, strict=True):
        pending.number = order_number(sequence)
        answers[pending.order_id] = payloads.accepted(
            pending.order_id,
            pending.number,
            total_amount=pending.priced.total_amount,
            currency=pending.priced.currency,
            base_url=pending.request.base_url or settings.SHOP_URL,
            place=gauge.next_place(sequence),
        )
    return answers


def _is_lost(used: Any) -> bool:
    """Whether the connection that was in use is gone.

    When the transaction ends, Django may have opened another one in its place already.
    """
    raw = connection.connection
    return raw is None or raw is not used or bool(raw.closed or raw.broken)
