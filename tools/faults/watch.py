"""Checks the invariants while the shop is being broken, and afterwards whether it is at rest.

The watcher checks about every second and a half, past every fault, in one REPEATABLE READ snapshot
each time. What must hold at every instant (safety) is checked then; what needs time (liveness) once
a fault is healed.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from django.db import Error as DatabaseTrouble
from django.db import connection

from apps.orders import audit
from apps.payments.gateway import GatewayError, get_gateway
from tools.faults.shop import Shop

logger = logging.getLogger(__name__)

PAUSE = 1.5  # seconds between two checks; at least three times as long as a check
# Under way: neither over, nor in review, nor waiting for a shopper at their bank's page.
ORDERS_UNDER_WAY = """
    SELECT count(*) FROM orders_saga s JOIN orders_order o ON o.id = s.order_id
    WHERE s.state IN ('forward', 'undoing') AND o.placed_at <= to_timestamp(%s)
      AND NOT (s.state = 'forward' AND o.status = 'REQUIRES_ACTION' AND s.due_at > now())
"""
MESSAGES_UNDER_WAY = """
    SELECT (SELECT count(*) FROM payments_webhookinbox
            WHERE state = 'received' AND received_at <= to_timestamp(%s))
         + (SELECT count(*) FROM payments_refund
            WHERE status = 'requested' AND created_at <= to_timestamp(%s))
"""


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that did not hold, when, and what was being broken then."""

    at: float
    during: str
    number: int
    name: str
    example: str


@dataclass(slots=True)
class Watcher:
    """A thread that checks the invariants; `during()` names what is being broken.

    `missed` counts checks that failed because PostgreSQL was broken.
    """

    during: Callable[[], str]
    violations: list[Violation] = field(default_factory=list)
    checks: int = 0
    missed: int = 0
    _seen: set[tuple[int, str]] = field(default_factory=set)
    _ending: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        if self._thread is not None:
            self._thread.join(60)

    def _run(self) -> None:
        while not self._ending.is_set():
            began = time.monotonic()
            self.check()
            self._ending.wait(max(PAUSE, 3 * (time.monotonic() - began)))
        connection.close()

    def check(self) -> None:
        """Check every safety invariant once."""
        try:
            findings = list(audit.check(liveness=False))
        except DatabaseTrouble:
            self.missed += 1  # PostgreSQL is being broken at the moment
            connection.close()
            return
        self.checks += 1
        for finding in findings:
            for example in finding.examples:
                if (finding.number, example) not in self._seen:
                    self._seen.add((finding.number, example))
                    self.violations.append(
                        Violation(time.time(), self.during(), finding.number, finding.name, example)
                    )


def orders_under_way(shop: Shop, *, placed_before: float) -> int:
    """Orders placed until then (time.time()) that are still being processed."""
    return shop.number(ORDERS_UNDER_WAY, placed_before)


def under_way(shop: Shop, *, from_before: float) -> int:
    """Orders placed, webhooks received and refunds requested until then, and not finished."""
    return orders_under_way(shop, placed_before=from_before) + shop.number(
        MESSAGES_UNDER_WAY, from_before, from_before
    )


def wait_for(condition: Callable[[], bool], patience: timedelta, *, every: float = 0.4) -> bool:
    """Whether `condition()` became true within `patience`; asked `every` so many seconds."""
    deadline = time.monotonic() + patience.total_seconds()
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True


def gateway_disagrees(*, since: timedelta) -> list[str]:
    """Invariant 5. Payments change during the comparison: only what stays wrong counts."""
    examples: list[str] = []
    for _ in range(3):
        try:
            finding = audit.check_gateway(get_gateway(), since=since)
        except GatewayError as error:
            examples = [f"the gateway does not answer: {error}"]
            time.sleep(1)
            continue
        if finding.holds:
            return []
        examples = [f"invariant 5, {example}" for example in finding.examples]
        time.sleep(2)
    return examples


def lost(order_ids: Iterable[str]) -> list[str]:
    """Invariant 12: orders that were accepted and do not exist."""
    return list(audit.check_accepted([UUID(order_id) for order_id in order_ids]).examples)


def never_answered(shop: Shop, keys: Iterable[str], unanswered: Iterable[str]) -> list[str]:
    """Orders whose client got a refusal, or no such key."""
    known = {*keys, *unanswered}
    return [
        f"order {order_id} was made, and its request was refused"
        for key, order_id in shop.ask("SELECT key, order_id FROM orders_idempotencykey")
        if key not in known
    ]


def charged_twice(shop: Shop) -> list[str]:
    """Payments for which the gateway has taken, or keeps reserved, money more than once."""
    live = Counter(
        intent["metadata"].get("payment_id", intent["id"])
        for intent in shop.gateway.intents()
        if intent["amount_received"] > 0 or intent["status"] == "requires_capture"
    )
    return [f"payment {payment} {count} times" for payment, count in live.items() if count > 1]


def liveness() -> list[str]:
    """Violations of all invariants, those about overdue work included."""
    return [
        f"invariant {finding.number}, {example}"
        for finding in audit.check(liveness=True)
        for example in finding.examples
    ]
