"""Accepting a batch of checkouts in one transaction.

    0. know       an app's token against its account: closed, or another password → signed out
    1. replay     keys that the database knows: same body → the stored answer, other → refused
    2. refuse     carts that already have a live order; everybody, when too many are under way
    3. price      every checkout, by today's catalogue and promos; compare the expected total
    4. redeem     lock the promos, first come first served
    5. reserve    one conditional UPDATE on the stock for the whole batch
    6. write      order, lines, payment, saga, first event, key: one statement
    7. commit     one fsync for all of them; then everybody hears, and the worker's bell rings

One failing request never fails its batch mates: when a batch does not go together, each of its
checkouts is committed by itself. The unique constraints on key and cart decide races between
processes; the look-ups in 1 and 2 only keep a batch from failing on them. They are made once more
for who is refused in 3 to 5: what she wants may be gone into her own order.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, IntegrityError, InterfaceError, connection, transaction

from apps.catalog import prices
from apps.catalog.prices import Offer
from apps.customers import accounts
from apps.inventory import holds
from apps.inventory.allocation import ReserveRequest, Wanted
from apps.orders import intake_rows, payloads
from apps.orders.errors import (
    CartAlreadyOrdered,
    IdempotencyKeyReused,
    NotAccepted,
    NotQuotable,
    OutcomeUnknown,
    OutOfStock,
    Overloaded,
    PriceChanged,
    SignedOut,
)
from apps.orders.numbers import order_number
from apps.orders.pending import Accepted, CheckoutRequest, Pending
from apps.orders.queue_depth import QueueGauge
from apps.orders.quote import Quote, QuoteProblem, quote_lines
from apps.promos import pricing, redeem
from apps.promos.errors import PromoExhausted
from apps.promos.models import Promo
from apps.promos.redeem import RedeemRequest
from storefront import bells, failpoints
from storefront.connections import drop_dead_connections

logger = logging.getLogger(__name__)

failpoints.declare("intake", "before_commit", "after_commit")
FULL_RETRY_AFTER = 30  # seconds; more orders are under way than can be finished in time
# Refusals because something is gone: perhaps into this shopper's own order.
SCARCE = (OutOfStock, PromoExhausted, NotQuotable)


def commit(batch: Sequence[Pending], gauge: QueueGauge) -> None:
    """Commit a batch and answer everyone in it; singly when it does not go together."""
    try:
        outcomes = _commit_together(batch, gauge)
    except _DatabaseGone as gone:
        for pending in batch:
            pending.answer(gone.meaning)
        return
    except Exception as error:
        if len(batch) > 1:
            logger.info("a batch of %d did not go together: %s", len(batch), error)
            for pending in batch:
                commit([pending], gauge)
            return
        outcomes = [_commit_alone(batch[0], gauge, error)]
    for pending, outcome in zip(batch, outcomes, strict=True):
        pending.answer(outcome)
    if any(isinstance(outcome, Accepted) and not outcome.replayed for outcome in outcomes):
        bells.ring("orders.advance_sagas")


def _commit_together(batch: Sequence[Pending], gauge: QueueGauge) -> list[Accepted | Exception]:
    line, written = None, False
    drop_dead_connections()
    try:
        connection.ensure_connection()
        line = connection.connection
        with transaction.atomic():
            outcomes = _accept(batch, gauge)
            written = True
            failpoints.reach("intake", "before_commit")
    except (DatabaseError, InterfaceError) as error:
        if not _is_lost(line):
            raise
        logger.warning("database went away in the intake: %s", type(error).__name__)
        connection.close()
        # Lost in the COMMIT itself, nobody knows; lost before it, nothing was written.
        raise _DatabaseGone(OutcomeUnknown() if written else Overloaded(retry_after=2)) from error
    failpoints.reach("intake", "after_commit")
    return outcomes


def _commit_alone(pending: Pending, gauge: QueueGauge, error: Exception) -> Accepted | Exception:
    """The last try of one checkout; its error is its own."""
    if isinstance(error, IntegrityError):
        # Another process committed this key or cart in between: now the look-ups see it.
        try:
            return _commit_together([pending], gauge)[0]
        except _DatabaseGone as gone:
            return gone.meaning
        except Exception as again:  # answered to the one who asked, not to the batch
            error = again
    logger.error("a checkout could not be committed", exc_info=error)
    return error


class _DatabaseGone(Exception):
    def __init__(self, meaning: Exception) -> None:
        super().__init__(str(meaning))
        self.meaning = meaning


def _accept(batch: Sequence[Pending], gauge: QueueGauge) -> list[Accepted | Exception]:
    """Steps 1 to 6, inside the caller's transaction; one outcome per pending."""
    outcomes = _signed_out(batch)
    outcomes |= _recognised([p for p in batch if p.order_id not in outcomes])
    running = [pending for pending in batch if pending.order_id not in outcomes]
    if running:
        gauge.refresh()
        if gauge.is_full():
            return [outcomes.get(p.order_id, Overloaded(FULL_RETRY_AFTER)) for p in batch]
    running = _hold(_price(running, outcomes), outcomes)
    if running:
        redeem.record(_redemption(pending) for pending in running if pending.priced.promos)
        _write(running, gauge, outcomes)
    # What stood in the way may be her own other press, committed elsewhere since the first look:
    # the last unit is not sold out to the one who has just bought it.
    outcomes |= _recognised([p for p in batch if isinstance(outcomes[p.order_id], SCARCE)])
    return [outcomes[pending.order_id] for pending in batch]


def _signed_out(batch: Sequence[Pending]) -> dict[UUID, Accepted | Exception]:
    """What those hear whose account is closed, or has another password than their token says."""
    claims = {
        pending.order_id: (pending.request.user_id, pending.request.password_digest)
        for pending in batch
        if pending.request.user_id is not None and pending.request.password_digest is not None
    }
    good = accounts.still_signed_in(claims.values()) if claims else set()
    return {order_id: SignedOut() for order_id, claim in claims.items() if claim not in good}


def _recognised(batch: Sequence[Pending]) -> dict[UUID, Accepted | Exception]:
    """What those hear whose key, or whose cart, has made an order before."""
    if not batch:
        return {}
    outcomes: dict[UUID, Accepted | Exception] = {}
    # In this order: who is seen to have taken the cart is seen to have used the key, or the other
    # press of the same button, committed between the two, would be somebody else's order.
    carts = intake_rows.live_orders_of_carts([p.request.cart_id for p in batch])
    known = intake_rows.known_keys([pending.key for pending in batch])
    for pending in batch:
        if pending.key in known:
            try:
                outcomes[pending.order_id] = replayed(
                    known[pending.key], pending.request.fingerprint
                )
            except IdempotencyKeyReused as error:
                outcomes[pending.order_id] = error
        elif pending.request.cart_id in carts:
            outcomes[pending.order_id] = CartAlreadyOrdered(*carts[pending.request.cart_id])
    return outcomes


def _price(running: list[Pending], outcomes: dict[UUID, Accepted | Exception]) -> list[Pending]:
    """Quote the whole batch with one look at the catalogue and one at the promos."""
    if not running:
        return []
    offers = prices.offers({sku for p in running for sku, _ in p.request.lines})
    promos = pricing.load(code for p in running for code in p.request.promo_codes)
    for pending in running:
        try:
            pending.quote = _quoted(pending.request, offers, promos)
        except NotAccepted as refused:
            outcomes[pending.order_id] = refused
    return [pending for pending in running if pending.order_id not in outcomes]


def _quoted(
    request: CheckoutRequest, offers: Mapping[str, Offer], promos: Mapping[str, Promo]
) -> Quote:
    quote = quote_lines(
        request.lines,
        promo_codes=request.promo_codes,
        country=request.shipping_address.get("country", ""),
        region=request.shipping_address.get("region", ""),
        shipping_method=request.shipping_method,
        with_availability=False,  # the reservation is the one that counts
        offers=offers,
        promos=promos,
    )
    if quote.problems:
        raise NotQuotable(quote.problems)
    if not quote.lines:
        raise NotQuotable((QuoteProblem("empty", "There is nothing to order."),))
    if request.expected_total not in (None, (quote.total_amount, quote.currency)):
        raise PriceChanged(quote)
    return quote


def _hold(running: list[Pending], outcomes: dict[UUID, Accepted | Exception]) -> list[Pending]:
    """Codes, then units; those who got both.

    A use that went to somebody whose things turn out to be sold out goes to the next in line:
    nobody is told that a code is used up while it is not.
    """
    holding: list[Pending] = []
    asking = running
    while asking:
        granted, refused = _redeem(holding, asking, outcomes)
        got = _reserve(granted, outcomes)
        holding += got
        freed = _codes([pending for pending in granted if pending.order_id in outcomes])
        asking = [pending for pending in refused if freed & _codes([pending])]
    return holding


def _codes(some: Sequence[Pending]) -> set[int]:
    return {applied.promo_id for pending in some for applied in pending.priced.promos}


def _redeem(
    holding: list[Pending], asking: list[Pending], outcomes: dict[UUID, Accepted | Exception]
) -> tuple[list[Pending], list[Pending]]:
    """Of those `asking`, behind those `holding`: who may redeem her codes, and who may not."""
    requests = [_redemption(pending) for pending in (*holding, *asking)]
    granted, refused = [], []
    for pending, answer in zip(asking, redeem.decide(requests)[len(holding) :], strict=True):
        if answer is None:
            outcomes.pop(pending.order_id, None)
            granted.append(pending)
        else:
            outcomes[pending.order_id] = answer
            refused.append(pending)
    return granted, refused


def _redemption(pending: Pending) -> RedeemRequest:
    return RedeemRequest(pending.order_id, pending.request.email.lower(), pending.priced.promos)


def _reserve(running: list[Pending], outcomes: dict[UUID, Accepted | Exception]) -> list[Pending]:
    if not running:
        return []
    requests = [
        ReserveRequest(
            pending.order_id,
            tuple(Wanted(ln.variant_id, ln.sku, ln.quantity) for ln in pending.priced.lines),
        )
        for pending in running
    ]
    for pending, short in zip(
        running, holds.reserve(requests, hold_time=settings.HOLD_TIME), strict=True
    ):
        if short is not None:
            outcomes[pending.order_id] = OutOfStock(short.lines)
    return [pending for pending in running if pending.order_id not in outcomes]


def _write(
    running: list[Pending], gauge: QueueGauge, outcomes: dict[UUID, Accepted | Exception]
) -> None:
    answers = {}
    numbers = intake_rows.next_numbers(len(running))
    for pending, sequence in zip(running, numbers, strict=True):
        pending.number = order_number(sequence)
        answers[pending.order_id] = payloads.accepted(
            pending.order_id,
            pending.number,
            total_amount=pending.priced.total_amount,
            currency=pending.priced.currency,
            base_url=pending.request.base_url or settings.SHOP_URL,
            place=gauge.next_place(sequence),
        )
    intake_rows.write(running, answers)
    for pending in running:
        outcomes[pending.order_id] = Accepted(pending.order_id, answers[pending.order_id])


def replayed(known: intake_rows.KnownKey, fingerprint: bytes) -> Accepted:
    """The stored answer, to who asks the same again; raises IdempotencyKeyReused."""
    if known.fingerprint != fingerprint:
        raise IdempotencyKeyReused
    return Accepted(known.order_id, known.answer, replayed=True)


def _is_lost(line: Any) -> bool:
    """Whether the connection that was in use has gone.

    Leaving the transaction, Django may have opened another one in its place already.
    """
    raw = connection.connection
    return raw is None or raw is not line or bool(raw.closed or raw.broken)
