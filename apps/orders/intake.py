"""The intake: takes orders, many in one commit, and promises only what is on disk.

    place_order(request) -> Accepted, or raises why not (errors.py)

In a flash sale the waiting room and the stock gate stand in front: whose turn it is not, and who
comes too late, is not even queued. The others queue up, and one thread per process commits what
has gathered while the commit before was under way (what one commit does: acceptance.py). Nobody
calls a gateway in here.

The queue is bounded, and so is the wait: who cannot be queued, or is not reached in time, hears
`Overloaded` and nothing was written. Who is being committed when her time is up hears
`IdempotencyInFlight`: the same key, again, tells.
"""

import atexit
import logging
import os
import threading
import time
from collections import deque
from uuid import UUID

from django.conf import settings
from django.db import connection
from uuid_utils.compat import uuid7

from apps.inventory.allocation import Shortage
from apps.orders import intake_rows
from apps.orders.acceptance import commit, replayed
from apps.orders.errors import IdempotencyInFlight, NotAccepted, OutOfStock, Overloaded
from apps.orders.pending import Accepted, CheckoutRequest, Pending, Stage
from apps.orders.queue_depth import QueueGauge
from apps.sales import gate, waiting_room
from storefront import turns
from storefront.connections import drop_dead_connections

__all__ = ["Accepted", "CheckoutRequest", "Intake", "drain", "place_order", "recall"]

logger = logging.getLogger(__name__)

IDLE = 1.0  # seconds between two looks at the queue behind, and for the end
# A commit of two orders costs hardly less than one of twenty: a shop that is half busy must not
# spend on small commits what its workers need. So there is a least time from one commit's beginning
# to the next one's, and three times that while only a few wait. Who comes alone waits for none.
GATHER_FOR = 0.02
GATHER_A_FEW_FOR = 0.06
A_FEW = 8


def place_order(request: CheckoutRequest) -> Accepted:
    """Queue for the next commit and wait for it.

    Raises a NotAccepted of errors.py when no order was made, waiting_room.NotYourTurn when a flash
    sale has a queue before it, OutcomeUnknown when the database went away in the very moment of
    committing (the same key, again, tells).
    """
    skus = [sku for sku, _ in request.lines]
    waiting_room.require(skus, request.tickets, f"{request.scope}:{request.key}")
    passage = gate.take(request.key, request.lines)
    if isinstance(passage, Shortage):
        raise OutOfStock(passage.lines)
    try:
        return _intake.submit(Pending(request=request, order_id=uuid7()))
    except IdempotencyInFlight:
        raise  # its fate is open: the units stay taken
    except OutOfStock:
        if passage is not None:
            gate.was_sold_out(passage)
        raise
    except NotAccepted:
        if passage is not None:
            gate.give_back(passage)
        raise


def recall(scope: str, key: str, fingerprint: bytes) -> Accepted | None:
    """What was answered under this key, where the cart that it ordered cannot be read any more.

    None when no order was made. Raises IdempotencyInFlight, IdempotencyKeyReused.
    """
    _intake.refuse_if_in_flight((scope, key))
    known = intake_rows.known_keys([(scope, key)]).get((scope, key))
    return None if known is None else replayed(known, fingerprint)


def drain(timeout: float = 10.0) -> None:
    """Commit what is queued, take nothing more, stop the thread. For shutdown and tests."""
    _intake.drain(timeout)


class Intake:
    """The queue and the committing thread of one process."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Start from nothing: made just now, or found by a forked child.

        The thread stayed behind in the parent; so did whoever holds the lock, for ever.
        """
        self._changed = threading.Condition()
        self._queue: deque[Pending] = deque()
        self._in_flight: set[tuple[str, str]] = set()
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
            with turns.CHECKOUTS.aside():
                if not pending.answered.wait(settings.INTAKE_WAIT.total_seconds()):
                    self._withdraw(pending)
        finally:
            with self._changed:
                if pending.stage is not Stage.COMMITTING or pending.answered.is_set():
                    self._in_flight.discard(pending.key)
        if isinstance(pending.outcome, Accepted):
            return pending.outcome
        raise pending.outcome if pending.outcome else IdempotencyInFlight

    def refuse_if_in_flight(self, key: tuple[str, str]) -> None:
        """Raises IdempotencyInFlight while this process has not answered the key's first try."""
        with self._changed:
            if key in self._in_flight:
                raise IdempotencyInFlight

    def drain(self, timeout: float) -> None:
        """See the module's `drain`. Past `timeout` the thread goes on, and ends when it is done."""
        with self._changed:
            thread = self._thread
            self._draining = thread is not None
            self._changed.notify()
        if thread is not None:
            thread.join(timeout)

    def _ensure_running(self) -> None:
        if self._draining:
            raise Overloaded(retry_after=2)
        if self._thread is None:
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
        while (batch := self._gather()) is not None:
            if not batch:
                self._watch()
                continue
            began = time.monotonic()
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
            self._let_gather(since=began)
        connection.close()
        with self._changed:
            self._thread, self._draining = None, False

    def _let_gather(self, *, since: float) -> None:
        time.sleep(max(0.0, since + GATHER_FOR - time.monotonic()))
        while 0 < len(self._queue) < A_FEW and time.monotonic() < since + GATHER_A_FEW_FOR:
            time.sleep(GATHER_FOR / 4)

    def _watch(self) -> None:
        """How fast the orders before the next shopper go, while nobody comes."""
        try:
            drop_dead_connections()
            self._gauge.watch()
        except Exception as error:  # the thread must outlive this, too
            logger.warning("the queue's pace is as it was: %s", type(error).__name__)

    def _gather(self) -> list[Pending] | None:
        """The next batch; empty when nobody comes for IDLE seconds, None when drained."""
        with self._changed:
            if not self._queue and not self._draining:
                self._changed.wait(IDLE)
            if not self._queue:
                return None if self._draining else []
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


_intake = Intake()
os.register_at_fork(after_in_child=_intake.begin)
atexit.register(drain)
