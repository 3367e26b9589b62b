"""The intake's queue: many checkouts in one commit, and a promise only of what is on disk.

    place_order(request) -> Accepted, or raises why there is no order (errors.py)

In a flash sale the waiting room and the stock gate come first: a request that is not admitted yet,
or comes after the last unit, is not even queued. The others are queued, and one thread per process
commits what has gathered during the commit before (what one commit does: accept_batch.py). No
gateway is called here.

The queue is bounded, and so is the wait. A request that cannot be queued, or is not reached in
time, is answered with `Overloaded`, and nothing was written. One that is being committed when its
time is over is answered with `IdempotencyInFlight`: sent again, the same key gets the outcome.
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

from apps.core import concurrency_limit
from apps.core.connections import drop_dead_connections
from apps.flash_sales import gate, waiting_room
from apps.inventory.allocation import Shortage
from apps.orders.errors import IdempotencyInFlight, NotAccepted, OutOfStock, Overloaded
from apps.orders.intake import statements
from apps.orders.intake.accept_batch import commit
from apps.orders.intake.checkout_request import CheckoutRequest, RequestIdentity
from apps.orders.intake.gathering import Gathering
from apps.orders.intake.pending import Accepted, Pending, Stage
from apps.orders.intake.replay import replayed
from apps.orders.intake.wait_estimate import QueueGauge

logger = logging.getLogger(__name__)

IDLE = 1.0  # seconds without a checkout after which the thread looks at the queue of the workers


def place_order(request: CheckoutRequest) -> Accepted:
    """Queue for the next commit and wait for it.

    Raises a NotAccepted of errors.py when no order was made, waiting_room.NotYourTurn when a flash
    sale has a queue before it, OutcomeUnknown when the database went away during the COMMIT (the
    same key, sent again, gets the outcome).
    """
    skus = [sku for sku, _ in request.lines]
    waiting_room.require(skus, request.tickets, f"{request.scope}:{request.key}")
    passage = gate.reserve(request.key, request.lines)
    if isinstance(passage, Shortage):
        raise OutOfStock(passage.lines)
    try:
        return _intake.submit(Pending(request=request, order_id=uuid7()))
    except IdempotencyInFlight:
        raise  # the outcome is open: the gate keeps the units
    except OutOfStock:
        if passage is not None:
            gate.record_sold_out(passage)
        raise
    except NotAccepted:
        if passage is not None:
            gate.release(passage)
        raise


def recall(identity: RequestIdentity) -> Accepted | None:
    """The answer that this request got before, where the cart that it ordered cannot be read.

    None when no order was made. Raises IdempotencyInFlight, IdempotencyKeyReused.
    """
    key = (identity.scope, identity.key)
    _intake.refuse_if_in_flight(key)
    known = statements.known_keys([key]).get(key)
    return None if known is None else replayed(known, identity.fingerprint)


def drain(timeout: float = 10.0) -> None:
    """Commit what is queued, refuse new requests, stop the thread. For shutdown and tests."""
    _intake.drain(timeout)


class Intake:
    """The queue and the committing thread of one process."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Set the initial state: of a new intake, or of one in a forked child process.

        A child has none of the parent's threads: no committing thread, and not the one that may
        hold the lock, which therefore would never be released.
        """
        self._changed = threading.Condition()
        self._queue: deque[Pending] = deque()
        self._in_flight: set[tuple[str, str]] = set()
        self._draining = False
        self._thread: threading.Thread | None = None
        self._gauge = QueueGauge()
        self._gathering = Gathering()

    def submit(self, pending: Pending) -> Accepted:
        """Queue, wait a bounded time, and return or raise the outcome."""
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
            with concurrency_limit.CHECKOUT_SLOTS.released():
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
        """Raise IdempotencyInFlight while the key's first request has no outcome here."""
        with self._changed:
            if key in self._in_flight:
                raise IdempotencyInFlight

    def drain(self, timeout: float) -> None:
        """See the module's `drain`. After `timeout` seconds the thread goes on until it is done."""
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
        """Take a request out that waited too long; one that is being committed stays."""
        with self._changed:
            if pending.stage is Stage.QUEUED:
                pending.stage = Stage.WITHDRAWN
                self._queue.remove(pending)
                pending.outcome = Overloaded(retry_after=5)

    def _run(self) -> None:
        while (batch := self._gather()) is not None:
            if not batch:
                self._watch_workers()
                continue
            began = time.monotonic()
            try:
                commit(batch, self._gauge)
            except Exception as error:  # the thread must survive whatever happens to a batch
                logger.exception("the intake could not answer a batch")
                for pending in batch:
                    if not pending.answered.is_set():
                        pending.answer(error)
            with self._changed:
                # Also the keys of those that no longer wait: they are free again from here on.
                self._in_flight.difference_update(pending.key for pending in batch)
            self._let_gather(began=began, answered=len(batch))
        connection.close()
        with self._changed:
            self._thread, self._draining = None, False

    def _let_gather(self, *, began: float, answered: int) -> None:
        now = time.monotonic()
        self._gathering.committed(
            began=began, ended=now, answered=answered, waiting=len(self._queue)
        )
        while not self._gathering.is_over(now, len(self._queue)):
            time.sleep(self._gathering.look_again_in(now))
            now = time.monotonic()

    def _watch_workers(self) -> None:
        """Measure how fast orders are finished, while no checkout comes."""
        try:
            drop_dead_connections()
            self._gauge.watch()
        except Exception as error:  # the thread must survive this, too
            logger.warning("the queue's pace was not measured: %s", type(error).__name__)

    def _gather(self) -> list[Pending] | None:
        """The next batch; empty when none comes for IDLE seconds, None when drained.

        Of two requests for one cart the second waits for the next batch, which knows the order of
        the first.
        """
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
                    later.append(pending)
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
