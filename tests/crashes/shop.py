"""A running shop whose processes die at named points, its shoppers, and its records.

    placed = shop.place()                       accepted by the real web process
    shop.arm("saga.notify.do.before_commit")    the next process that gets there kills itself
    shop.run_until_over(placed, …)              after each death its leases are made to end
    assert shop.books(placed) == CONFIRMED      money, units, code, parcel, mail, events, steps

Orders are watched in PostgreSQL and at the gateway, not through the web, which may be dead.

Nothing waits for a lease: once a process is really dead, what it had claimed is made due by
writing the columns that its lease would have ended by (`time_passes`), and the tasks are
enqueued that the sweeper would have enqueued.
"""

import contextlib
import json
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import psycopg
import redis
import requests
from celery import Celery

from apps.core import failpoints
from apps.payments.reconciler.schedule import LOCK as RECONCILERS
from tests.crashes.books import GOODS, Books, read_books
from tests.crashes.processes import is_alive
from tests.journeys.shopper import ADDRESS, VISA, App, Placed
from tests.waiting import PATIENCE, until
from tools import embedded
from tools.stack import Stack

# A task that finds the reconciler's lock still held by a process that has just died does nothing,
# and the schedule sends the next one a minute later. So tasks are sent again while a test waits.
ENQUEUE_EVERY = 5.0  # seconds
# Each look asks PostgreSQL, some the gateway too: more often would take processor time from the
# processes that are waited for.
LOOK_EVERY = 0.05  # seconds
LATENCY_MS = 5
TASKS = {
    "orders.advance_sagas": "checkout",
    "payments.apply_webhooks": "checkout",
    "payments.send_refunds": "checkout",
    "notifications.deliver": "background",
    "payments.reconcile": "reconcile",
}
PASSED = "2020-01-01T00:00Z"
# Leases of dead processes, and the backoffs that they caused.
TIME_PASSES = (
    f"UPDATE orders_saga SET lease_until = '{PASSED}', due_at = '{PASSED}'"
    " WHERE lease_until IS NOT NULL",
    f"UPDATE orders_saga SET due_at = '{PASSED}'"
    " WHERE state IN ('forward', 'undoing') AND lease_until IS NULL AND waiting_for = ''",
    f"UPDATE payments_webhookinbox SET due_at = '{PASSED}' WHERE state = 'received'",
    f"UPDATE payments_refund SET due_at = '{PASSED}' WHERE status = 'requested'",
    f"UPDATE notifications_notification SET due_at = '{PASSED}' WHERE state = 'due'",
)
# A webhook that is applied wakes the saga that waits for it, which then asks the gateway itself.
CLAIMED_OR_DUE = """
    SELECT (SELECT count(*) FROM payments_webhookinbox WHERE state = 'received')
         + (SELECT count(*) FROM orders_saga WHERE state IN ('forward', 'undoing')
            AND (lease_until IS NOT NULL OR due_at <= clock_timestamp()))
"""
UNDER_WAY = """
    SELECT (SELECT count(*) FROM orders_saga WHERE state IN ('forward', 'undoing'))
         + (SELECT count(*) FROM payments_webhookinbox WHERE state = 'received')
         + (SELECT count(*) FROM payments_refund WHERE status = 'requested')
"""


@dataclass
class Shop:
    """One running shop, and the ways to break it."""

    stack: Stack
    database: psycopg.Connection[Any]
    points: Path
    accepted: list[str] = field(default_factory=list)
    sent_again: set[int] = field(default_factory=set)  # mails that a death sent twice
    _codes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._clerk: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()  # of the database connection: shoppers are threads
        self._celery = Celery(broker=self._broker_url())
        self.queue = redis.Redis.from_url(self.stack.redis_url)
        self.gateway = requests.Session()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._clerk is not None:
            self._clerk.communicate(timeout=30)
        self._celery.close()
        self.queue.close()

    def _broker_url(self) -> str:
        socket = self.stack.redis_url.removeprefix("unix://")
        return f"redis+socket://{socket}?virtual_host=0"

    # --- What shoppers and staff do --------------------------------------------------------------

    def place(self, *, card: str = VISA, key: str = "") -> Placed:
        """Order two kinds of things with a code of one's own, as an app does.

        Without an answer, or with "try again", the request is repeated under the same key.
        """
        return self.retry_until_accepted(self.basket(card=card), key or uuid4().hex)[0]

    def basket(self, *, card: str = VISA) -> dict[str, Any]:
        """A checkout's body."""
        return {
            "email": "alice@example.com",
            "shipping_address": ADDRESS,
            "shipping_method": "standard",
            "payment_method": card,
            "promo_code": self._code(),
            "lines": [{"sku": sku, "quantity": bought} for sku, _, bought in GOODS],
        }

    def retry_until_accepted(
        self, body: dict[str, Any], key: str
    ) -> tuple[Placed, list[requests.Response | requests.RequestException]]:
        """The order, and every answer on the way to it, its 202 last."""
        answers: list[requests.Response | requests.RequestException] = []
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                answer = App(self.stack.url).ask("POST", "/checkouts/", body, Idempotency_Key=key)
            except requests.RequestException as silence:
                answers.append(silence)
                time.sleep(0.05)
                continue
            answers.append(answer)
            if answer.status_code == 202:
                return self._accepted(answer), answers
            assert answer.status_code in (409, 500, 502, 503), answer.text
            time.sleep(0.05)
        raise AssertionError(f"no order in {PATIENCE} s: {answers[-5:]}")

    def _accepted(self, answer: requests.Response) -> Placed:
        order = answer.json()["order"]
        if order["id"] not in self.accepted:
            self.accepted.append(order["id"])
        total = order["total"]["amount"]
        links = answer.json()["links"]
        return Placed(order["id"], order["number"], order["token"], total, links)

    def _code(self) -> str:
        with self._lock:
            if not self._codes:
                made = self.one("SELECT count(*) FROM promos_promo", locked=True)
                self._codes = self.clerk("make_codes", first=made, count=60)
            return self._codes.pop()

    def cancel(self, placed: Placed) -> None:
        answer = App(self.stack.url).ask(
            "POST", f"/orders/{placed.id}/cancel/", X_Order_Token=placed.token
        )
        assert answer.status_code == 202, answer.text

    def approve_at_bank(self, placed: Placed) -> None:
        """Approve on the bank's page, without coming back to the shop."""
        page = self.one(
            "SELECT next_action_url FROM payments_payment WHERE order_id = %s", placed.id
        )
        answer = requests.post(page, {"decision": "approve"}, timeout=30, allow_redirects=False)
        assert answer.status_code == 303, answer.text

    def clerk(self, action: str, **given: Any) -> Any:
        """Have the staff process call a function (staff_process.py); its answer."""
        if self._clerk is None:
            self._clerk = subprocess.Popen(
                [sys.executable, "-m", "tests.crashes.staff_process"],
                cwd=embedded.PROJECT,
                env=self.stack.environment | {"FAILPOINTS": ""},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._clerk.stdin is not None
        assert self._clerk.stdout is not None
        self._clerk.stdin.write(json.dumps({"action": action} | given) + "\n")
        self._clerk.stdin.flush()
        line = self._clerk.stdout.readline()
        assert line, f"the staff process ended during {action}"
        return json.loads(line)["answer"]

    # --- Deaths ----------------------------------------------------------------------------------

    def arm(self, point: str, times: int = 1, *, freeze: bool = False) -> None:
        """Kill, or freeze, the next `times` processes that reach `point`."""
        how = failpoints.FREEZE if freeze else failpoints.KILL
        failpoints.arm(self.points, point, times, action=how)

    def disarm(self) -> None:
        failpoints.disarm(self.points)

    def struck(self, point: str) -> list[int]:
        """The processes that died, or froze, there."""
        return failpoints.struck(self.points, point)

    def run_until_over(self, point: str, over: Callable[[], bool], *, deaths: int = 1) -> None:
        """After each death at `point` let leases end, until `deaths` have died and `over()`."""
        seen, enqueued_at = 0, time.monotonic()

        def look() -> bool:
            nonlocal seen, enqueued_at
            dead = self.struck(point)
            if len(dead) > seen:
                until(lambda: not any(map(is_alive, dead)), "the process dies")
                seen, enqueued_at = len(dead), time.monotonic()
                self.time_passes()
            elif time.monotonic() - enqueued_at > ENQUEUE_EVERY:
                enqueued_at = time.monotonic()
                self.enqueue(*TASKS)
            return seen >= deaths and over()

        until(look, f"{point} is struck {deaths} times and the order ends", every=LOOK_EVERY,
              why=lambda: f"struck by {self.struck(point)}; {self.unfinished()}")  # fmt: skip

    def time_passes(self) -> None:
        """Leases and backoffs end, and what the sweeper enqueues is enqueued."""
        for statement in TIME_PASSES:
            self.run(statement)
        self.enqueue(*TASKS)

    def enqueue(self, *names: str) -> None:
        for name in names:
            self._celery.send_task(name, queue=TASKS.get(name, "checkout"))

    def tasks_under_way(self) -> frozenset[bytes]:
        """What the workers have taken from their queues and not finished."""
        return frozenset(self.queue.hkeys("unacked"))

    def tasks_left_behind(self) -> frozenset[bytes]:
        """Those of workers that died: no living worker keeps one for so long."""
        return frozenset(self.queue.zrangebyscore("unacked_index", 0, time.time() - 5))

    @contextlib.contextmanager
    def without_reconciler(self) -> Iterator[None]:
        """Keep the reconciler out: it would settle at the gateway what others are to write."""
        self.one("SELECT pg_advisory_lock(%s)", RECONCILERS)
        try:
            yield
        finally:
            self.one("SELECT pg_advisory_unlock(%s)", RECONCILERS)

    def rest_from_webhooks(self) -> None:
        """Wait until every webhook is applied, and the sagas that it woke wait again."""
        until(
            lambda: self._webhooks_waiting() == 0 and self.one(CLAIMED_OR_DUE) == 0,
            "all webhooks are applied",
            every=LOOK_EVERY,
            why=self.unfinished,
        )

    def rest(self) -> None:
        """Wait until no order, webhook or refund is under way."""
        enqueued_at = 0.0

        def still() -> bool:
            nonlocal enqueued_at
            if time.monotonic() - enqueued_at > 1.0:
                enqueued_at = time.monotonic()
                self.time_passes()
            return self.one(UNDER_WAY) == 0 and self._webhooks_waiting() == 0

        until(still, "the shop comes to rest", every=LOOK_EVERY, why=self.unfinished)

    # --- The gateway ------------------------------------------------------------------------------

    def steer_gateway(self, *rules: dict[str, Any], latency_ms: int = LATENCY_MS) -> None:
        answer = self.gateway.post(
            f"{self.stack.sandbox_url}/_sandbox/faults",
            json={"rules": list(rules), "latency_ms": latency_ms},
            timeout=10,
        )
        assert answer.status_code == 200, answer.text

    def _state(self) -> dict[str, Any]:
        answer = self.gateway.get(f"{self.stack.sandbox_url}/_sandbox/state", timeout=30)
        found: dict[str, Any] = answer.json()
        assert found["next"] is None, "more than one page"
        return found

    def _webhooks_waiting(self) -> int:
        return int(self._state()["webhooks"]["waiting"])

    def intents(self, placed: Placed) -> list[dict[str, Any]]:
        return [i for i in self._state()["intents"] if i["metadata"].get("order_id") == placed.id]

    # --- Reading ---------------------------------------------------------------------------------

    def ask(self, query: str, *values: Any, locked: bool = False) -> list[tuple[Any, ...]]:
        with contextlib.nullcontext() if locked else self._lock:
            return self.database.execute(query, values).fetchall()

    def one(self, query: str, *values: Any, locked: bool = False) -> Any:
        ((found,),) = self.ask(query, *values, locked=locked)
        return found

    def run(self, statement: str, *values: Any) -> None:
        with self._lock:
            self.database.execute(statement, values)

    def is_over(self, *orders: Placed) -> bool:
        """Whether their sagas have ended, or are in review."""
        open_ones = self.one(
            "SELECT count(*) FROM orders_saga"
            " WHERE order_id = ANY(%s::uuid[]) AND state IN ('forward', 'undoing')",
            [placed.id for placed in orders],
        )
        return bool(open_ones == 0)

    def status(self, placed: Placed) -> str:
        return str(self.one("SELECT status FROM orders_order WHERE id = %s", placed.id))

    def wait_for(self, status: str, *orders: Placed, patience: float = PATIENCE) -> None:
        """Wait until the orders have this status and, for a final one, their sagas have ended."""
        ends = status in ("CONFIRMED", "CANCELLED")

        def there() -> bool:
            return all(self.status(placed) == status for placed in orders) and (
                not ends or self.is_over(*orders)
            )

        what = f"{len(orders)} orders are {status}"
        until(there, what, every=LOOK_EVERY, why=self.unfinished, patience=patience)

    def saga(self, placed: Placed) -> dict[str, Any]:
        """The saga's row; `xmin` changes whenever it is written."""
        with self._lock:
            cursor = self.database.execute(
                "SELECT xmin::text, * FROM orders_saga WHERE order_id = %s", [placed.id]
            )
            assert cursor.description is not None
            names = [column.name for column in cursor.description]
            (row,) = cursor.fetchall()
        return dict(zip(names, row, strict=True))

    def log(self, placed: Placed) -> list[tuple[str, str, str, int]]:
        """(direction, step, outcome, epoch) of all that was done."""
        return self.ask(
            "SELECT direction, step, outcome, epoch FROM orders_sagastep"
            " WHERE saga_id = %s ORDER BY id",
            placed.id,
        )

    def unfinished(self) -> str:
        return "; ".join(
            str(row)
            for row in self.ask(
                "SELECT o.number, o.status, s.state, s.step, s.attempts, s.epoch, s.last_error,"
                " s.review_reason, s.waiting_for, s.due_at - now(), s.lease_until - now()"
                " FROM orders_saga s JOIN orders_order o ON o.id = s.order_id"
                " WHERE s.state NOT IN ('done', 'undone')"
            )
        )

    def stock_rows(self) -> dict[str, tuple[int, int]]:
        """(on hand, reserved) by SKU."""
        return {
            sku: (on_hand, reserved)
            for sku, on_hand, reserved in self.ask(
                "SELECT v.sku, i.on_hand, i.reserved FROM inventory_stockitem i"
                " JOIN catalog_variant v ON v.id = i.variant_id WHERE v.sku LIKE 'CRASH-%%'"
            )
        }

    def since(self, before: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
        """The change of the stock rows since `before`."""
        return {
            sku: (on_hand - before[sku][0], reserved - before[sku][1])
            for sku, (on_hand, reserved) in self.stock_rows().items()
        }

    def events(self, placed: Placed) -> list[str]:
        """The states of the webhooks about its payment."""
        rows = self.ask(
            "SELECT w.state FROM payments_webhookinbox w JOIN payments_payment p"
            " ON w.payload->'data'->'object'->>'id' = p.intent_id WHERE p.order_id = %s",
            placed.id,
        )
        return [state for (state,) in rows]

    def refunds(self, placed: Placed) -> list[tuple[int, str]]:
        return self.ask(
            "SELECT r.amount, r.status FROM payments_refund r"
            " JOIN payments_payment p ON p.id = r.payment_id WHERE p.order_id = %s ORDER BY r.id",
            placed.id,
        )

    def books(self, placed: Placed) -> Books:
        """The present records of an order."""
        return read_books(self, placed)

    def mails_are_out(self) -> bool:
        return bool(
            self.one("SELECT count(*) FROM notifications_notification WHERE state = 'due'") == 0
        )

    def mails_sent(self) -> Counter[int]:
        """How often the mail server received each mail, by the row's id."""
        folder = self.stack.home / "mail"
        return Counter(
            int(number)
            for file in folder.iterdir()
            for number in re.findall(rb"^Message-ID: <notification-(\d+)@", file.read_bytes(), re.M)
        )

    def mail(self, placed: Placed, kind: str) -> int:
        return int(
            self.one(
                "SELECT id FROM notifications_notification WHERE order_id = %s AND kind = %s",
                placed.id,
                kind,
            )
        )
