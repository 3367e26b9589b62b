"""The intake: takes orders, many in one commit, and promises only what is on disk.

    place_order(request) -> Accepted, or raises why not (errors.py)

One thread per process commits what has gathered while the commit before was under way:

    1. gather     up to INTAKE_BATCH_MAX waiting checkouts, no two with one key or one cart
    2. replay     keys that the database knows: same body → the stored answer, other → refused
    3. refuse     carts that already have a live order
    4. redeem     lock the promos, first come first served
    5. reserve    one conditional UPDATE on the stock for the whole batch
    6. write      order, lines, payment, saga, first event, key: one INSERT per table
    7. commit     one fsync for all of them; then everybody hears, and the worker's bell rings

Nobody calls a gateway in here. One failing request never fails its batch mates: when the batch
fails, each of its checkouts is committed by itself. The unique constraints on key and cart decide
races between processes; the look-ups in 2 and 3 only keep a batch from failing on them.
"""

import atexit
import logging
import os
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, IntegrityError, InterfaceError, connection, transaction
from uuid_utils.compat import uuid7

from apps.inventory import holds
from apps.inventory.allocation import ReserveRequest, Wanted
from apps.orders import intake_rows, payloads
from apps.orders.errors import (
    CartAlreadyOrdered,
    IdempotencyInFlight,
    IdempotencyKeyReused,
    NotAccepted,
    NotQuotable,
    OutcomeUnknown,
    OutOfStock,
    Overloaded,
    PriceChanged,
)
from apps.orders.numbers import order_number
from apps.orders.queue_depth import QueueGauge
from apps.orders.quote import Quote, QuoteProblem, quote_lines
from apps.promos import redeem
from apps.promos.errors import PromoExhausted
from apps.promos.redeem import RedeemRequest
from storefront import bells
from storefront.connections import drop_dead_connections

logger = logging.getLogger(__name__)

IDLE = 1.0  # seconds between two looks for the end


@dataclass(frozen=True, slots=True)
class CheckoutRequest:
    """A checkout as a face understood it.

    `scope` is `user:<id>` or `guest`; `fingerprint` is the SHA-256 of the whole body, 32 bytes.
    `expected_total` is (minor units, currency) as the client believes it, or None.
    """

    scope: str
    key: str
    fingerprint: bytes
    lines: tuple[tuple[str, int], ...]
    email: str
    shipping_address: dict[str, Any]
    shipping_method: str
    payment_method: str
    user_id: int | None = None
    cart_id: UUID | None = None
    promo_codes: tuple[str, ...] = ()
    billing_address: dict[str, Any] | None = None
    expected_total: tuple[int, str] | None = None
    base_url: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A promise: the order is on disk and its units are held. `answer` is the 202's body."""

    order_id: UUID
    answer: dict[str, Any]
    replayed: bool = False


class Stage(Enum):
    """Where a waiting checkout is; moves under the intake's lock."""

    QUEUED = "queued"
    COMMITTING = "committing"
    WITHDRAWN = "withdrawn"


@dataclass(slots=True, eq=False)
class Pending:
    """A checkout on its way through the intake, and the thread that waits for it."""

    request: CheckoutRequest
    quote: Quote
    order_id: UUID
    number: str = ""
    stage: Stage = Stage.QUEUED
    outcome: Accepted | Exception | None = None
    answered: threading.Event = field(default_factory=threading.Event)

    @property
    def key(self) -> tuple[str, str]:
        return self.request.scope, self.request.key

    def answer(self, outcome: Accepted | Exception) -> None:
        self.outcome = outcome
        self.answered.set()


def place_order(request: CheckoutRequest) -> Accepted:
    """Quote, compare, queue for the next commit, wait for it.

    Raises a NotAccepted of errors.py when no order was made, OutcomeUnknown when the database
    went away in the very moment of committing (the same key, again, tells).
    """
    try:
        quote = _quoted(request)
    except NotAccepted:
        # A retry whose first answer was lost must hear that answer, not that prices have changed.
        replay = _look_up([(request.scope, request.key)]).get((request.scope, request.key))
        if replay is not None:
            return _replayed(replay, request)
        # The other tab ordered this cart, and with it took the last use of the code, say.
        ordered = intake_rows.live_orders_of_carts([request.cart_id]).get(request.cart_id)
        if ordered is not None:
            raise CartAlreadyOrdered(*ordered) from None
        raise
    return _intake.submit(Pending(request=request, quote=quote, order_id=uuid7()))


def drain(timeout: float = 10.0) -> None:
    """Commit what is queued, take nothing more, stop the thread. For shutdown and tests."""
    _intake.drain(timeout)


def _quoted(request: CheckoutRequest) -> Quote:
    quote = quote_lines(
        request.lines,
        promo_codes=request.promo_codes,
        country=request.shipping_address.get("country", ""),
        region=request.shipping_address.get("region", ""),
        shipping_method=request.shipping_method,
        customer_key=request.email.lower(),
        with_availability=False,
    )
    if quote.problems:
        raise NotQuotable(quote.problems)
    if not quote.lines:
        raise NotQuotable((QuoteProblem("empty", "There is nothing to order."),))
    if request.expected_total not in (None, (quote.total_amount, quote.currency)):
        raise PriceChanged(quote)
    return quote


class Intake:
    """The queue and the committing thread of one process."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queue: deque[Pending] = deque()
        self._in_flight: set[tuple[str, str]] = set()
        self._pid = 0
        self._draining = False
        self._thread: threading.Thread | None = None
        self._gauge = QueueGauge()

    def submit(self, pending: Pending) -> Accepted:
        """Queue, wait a bounded time, and return or raise what became of it."""
        with self._changed:
            self._ensure_running()
            if pending.key in self._in_flight:
                raise IdempotencyInFlight
            if len(self._queue) >= settings.INTAKE_QUEUE_MAX:
                raise Overloaded(retry_after=2)
            self._in_flight.add(pending.key)
            self._queue.append(pending)
            self._changed.notify()
        try:
            if not pending.answered.wait(settings.INTAKE_WAIT.total_seconds()):
                self._withdraw(pending)
        finally:
            with self._changed:
                if pending.stage is not Stage.COMMITTING or pending.answered.is_set():
                    self._in_flight.discard(pending.key)
        if isinstance(pending.outcome, Accepted):
            return pending.outcome
        raise pending.outcome if pending.outcome else IdempotencyInFlight

    def drain(self, timeout: float) -> None:
        """See the module's `drain`."""
        with self._changed:
            thread = self._thread if self._pid == os.getpid() else None
            self._draining = True
            self._changed.notify()
        if thread is not None:
            thread.join(timeout)
        with self._changed:
            self._draining = False
            self._thread = None
            self._pid = 0

    def _ensure_running(self) -> None:
        if self._draining:
            raise Overloaded(retry_after=2)
        if self._pid != os.getpid():  # a thread does not survive a fork
            self._pid = os.getpid()
            self._queue.clear()
            self._in_flight.clear()
            self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
            self._thread.start()

    def _withdraw(self, pending: Pending) -> None:
        """Waited too long: take it out if it is still queued; otherwise its fate is open."""
        with self._changed:
            if pending.stage is Stage.QUEUED:
                pending.stage = Stage.WITHDRAWN
                self._queue.remove(pending)
                pending.outcome = Overloaded(retry_after=5)

    def _run(self) -> None:
        while batch := self._gather():
            try:
                commit(batch, self._gauge)
            except Exception as error:  # the thread must outlive whatever happens to a batch
                logger.exception("the intake could not answer a batch")
                for pending in batch:
                    if not pending.answered.is_set():
                        pending.answer(error)
            with self._changed:
                # Also of those who no longer wait: their key is free again from here on.
                self._in_flight.difference_update(pending.key for pending in batch)
        connection.close()

    def _gather(self) -> list[Pending]:
        """The next batch; blocks until there is one. Empty: drained."""
        with self._changed:
            while not self._queue:
                if self._draining:
                    return []
                self._changed.wait(IDLE)
            batch: list[Pending] = []
            later: list[Pending] = []
            carts: set[UUID] = set()
            while self._queue and len(batch) < settings.INTAKE_BATCH_MAX:
                pending = self._queue.popleft()
                cart_id = pending.request.cart_id
                if cart_id is not None and cart_id in carts:
                    later.append(pending)  # hears of the first one's order in the next batch
                    continue
                if cart_id is not None:
                    carts.add(cart_id)
                pending.stage = Stage.COMMITTING
                batch.append(pending)
            self._queue.extendleft(reversed(later))
            return batch


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
    written = False
    drop_dead_connections()
    try:
        with transaction.atomic():
            outcomes = _accept(batch, gauge)
            written = True
    except (DatabaseError, InterfaceError) as error:
        if not _connection_lost():
            raise
        logger.warning("database went away in the intake: %s", type(error).__name__)
        connection.close()
        # Lost in the COMMIT itself, nobody knows; lost before it, nothing was written.
        raise _DatabaseGone(OutcomeUnknown() if written else Overloaded(retry_after=2)) from error
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
    """Steps 2 to 6, inside the caller's transaction; one outcome per pending."""
    outcomes: dict[UUID, Accepted | Exception] = {}
    known = _look_up([pending.key for pending in batch])
    carts = intake_rows.live_orders_of_carts([p.request.cart_id for p in batch])
    for pending in batch:
        if pending.key in known:
            try:
                outcomes[pending.order_id] = _replayed(known[pending.key], pending.request)
            except IdempotencyKeyReused as error:
                outcomes[pending.order_id] = error
        elif pending.request.cart_id in carts:
            outcomes[pending.order_id] = CartAlreadyOrdered(*carts[pending.request.cart_id])
    running = [pending for pending in batch if pending.order_id not in outcomes]
    running = _redeem(running, outcomes)
    running = _reserve(running, outcomes)
    if running:
        gauge.refresh()
        redeem.record(_redemption(pending) for pending in running if pending.quote.promos)
        _write(running, gauge, outcomes)
    return [outcomes[pending.order_id] for pending in batch]


def _redeem(running: list[Pending], outcomes: dict[UUID, Accepted | Exception]) -> list[Pending]:
    answers = redeem.decide([_redemption(pending) for pending in running])
    for pending, refused in zip(running, answers, strict=True):
        if isinstance(refused, PromoExhausted):
            outcomes[pending.order_id] = refused
    return [pending for pending in running if pending.order_id not in outcomes]


def _redemption(pending: Pending) -> RedeemRequest:
    return RedeemRequest(pending.order_id, pending.request.email.lower(), pending.quote.promos)


def _reserve(running: list[Pending], outcomes: dict[UUID, Accepted | Exception]) -> list[Pending]:
    if not running:
        return []
    requests = [
        ReserveRequest(
            pending.order_id,
            tuple(Wanted(ln.variant_id, ln.sku, ln.quantity) for ln in pending.quote.lines),
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
            total_amount=pending.quote.total_amount,
            currency=pending.quote.currency,
            base_url=pending.request.base_url or settings.SHOP_URL,
            place=gauge.next_place(),
        )
    intake_rows.write(running, answers)
    for pending in running:
        outcomes[pending.order_id] = Accepted(pending.order_id, answers[pending.order_id])


def _look_up(keys: list[tuple[str, str]]) -> dict[tuple[str, str], intake_rows.KnownKey]:
    return intake_rows.known_keys(keys)


def _replayed(known: intake_rows.KnownKey, request: CheckoutRequest) -> Accepted:
    if known.fingerprint != request.fingerprint:
        raise IdempotencyKeyReused
    return Accepted(known.order_id, known.answer, replayed=True)


def _connection_lost() -> bool:
    raw = connection.connection
    return raw is None or raw.closed or raw.broken


_intake = Intake()
atexit.register(drain)
