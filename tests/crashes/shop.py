"""A running shop whose processes die at named points, its shoppers, and its books.

    placed = shop.place()                       accepted by the real web process
    shop.arm("saga.notify.do.before_commit")    the next process that gets there kills itself
    shop.see_to_the_end(placed, …)              whoever died is buried, whatever it held falls due
    assert shop.books(placed) == CONFIRMED      money, units, code, parcel, mail, moves, steps

Orders are watched in PostgreSQL and at the gateway, not through the web, which may be dead.

Nothing waits for a lease: once a process is really dead, what it had claimed is made due by
writing the columns that its lease would have ended by (`time_passes`), and the bell is rung that
the sweeper would have rung.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import psycopg
import redis
import requests
from celery import Celery

from apps.orders.checkout import CHECKOUT, undo_from
from apps.payments.reconciler.runs import LOCK as RECONCILERS
from storefront import embedded, failpoints
from storefront.stack import Stack
from tests.journeys.shopper import ADDRESS, VISA, App, Placed

PATIENCE = 90.0  # seconds for anything, on a busy machine
LATENCY_MS = 5
GOODS = (("CRASH-MUG", 1800, 2), ("CRASH-BOWL", 995, 1))  # sku, price, bought each time
DOING = [step.name for step in CHECKOUT if step.do is not None]
UNDOING = [step.name for step in CHECKOUT if step.undo is not None][::-1]
BELLS = {
    "orders.advance_sagas": "checkout",
    "payments.apply_webhooks": "checkout",
    "payments.send_refunds": "checkout",
    "notifications.deliver": "background",
    "payments.reconcile": "reconcile",
}
PASSED = "2020-01-01T00:00Z"
# What a dead process had claimed, and the backoffs of those who met it.
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
IN_HANDS = """
    SELECT (SELECT count(*) FROM payments_webhookinbox WHERE state = 'received')
         + (SELECT count(*) FROM orders_saga WHERE state IN ('forward', 'undoing')
            AND (lease_until IS NOT NULL OR due_at <= clock_timestamp()))
"""
IN_MOTION = """
    SELECT (SELECT count(*) FROM orders_saga WHERE state IN ('forward', 'undoing'))
         + (SELECT count(*) FROM payments_webhookinbox WHERE state = 'received')
         + (SELECT count(*) FROM payments_refund WHERE status = 'requested')
"""


@dataclass(frozen=True, kw_only=True)
class Books:
    """All that is written anywhere about one order; amounts in parts of its total (0 or 1)."""

    status: str
    saga: str
    moves: tuple[str, ...]
    done: tuple[str, ...]
    at_gateway: tuple[tuple[str, float, float], ...]  # status, received, refunded: each intent
    payment: tuple[str, float, float]
    units: tuple[tuple[str, int], ...]  # movements of the ledger, by SKU as in GOODS
    holds: frozenset[str]
    promo: tuple[int, int]  # used, live redemptions
    parcels: tuple[str, ...]
    mails: tuple[str, ...]


def _did(direction: str, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{direction} {name}" for name in names)


def back_from(name: str) -> tuple[str, ...]:
    """The undo steps that follow when a saga turns round at `name`."""
    return _did("undo", UNDOING[UNDOING.index(undo_from(name)) :])


CONFIRMED = Books(
    status="CONFIRMED",
    saga="done",
    moves=("PENDING", "PAYMENT_AUTHORIZED", "CONFIRMED"),
    done=_did("do", DOING),
    at_gateway=(("succeeded", 1, 0),),
    payment=("captured", 1, 0),
    units=tuple(("confirmed", -bought) for _, _, bought in GOODS),
    holds=frozenset({"confirmed"}),
    promo=(1, 1),
    parcels=("labelled",),
    mails=("order_confirmed",),
)
CHALLENGED = replace(CONFIRMED, moves=("PENDING", "REQUIRES_ACTION", *CONFIRMED.moves[1:]))
CALLED_OFF = Books(  # after it was confirmed
    status="CANCELLED",
    saga="undone",
    moves=(*CONFIRMED.moves, "CANCELLED"),
    done=CONFIRMED.done + back_from(DOING[-1]),
    at_gateway=(("succeeded", 1, 1),),
    payment=("refunded", 1, 1),
    units=CONFIRMED.units + tuple(("restocked", bought) for _, _, bought in GOODS),
    holds=frozenset({"restocked"}),
    promo=(0, 0),
    parcels=("cancelled",),
    mails=("order_confirmed", "order_cancelled"),
)
DECLINED = replace(
    CALLED_OFF,
    moves=("PENDING", "PAYMENT_FAILED", "CANCELLED"),
    done=back_from("authorize_payment"),
    at_gateway=(("canceled", 0, 0),),
    payment=("voided", 0, 0),
    units=(),
    holds=frozenset({"released"}),
    parcels=(),
    mails=("order_cancelled",),
)


@dataclass
class Shop:
    """One running shop, and the levers."""

    stack: Stack
    database: psycopg.Connection[Any]
    points: Path
    accepted: list[str] = field(default_factory=list)
    sent_again: set[int] = field(default_factory=set)  # letters that a death doubled
    _codes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._clerk: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()  # of the database connection: shoppers are threads
        self._bells = Celery(broker=self._broker_url())
        self.queue = redis.Redis.from_url(self.stack.redis_url)
        self.gateway = requests.Session()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._clerk is not None:
            self._clerk.communicate(timeout=30)
        self._bells.close()
        self.queue.close()

    def _broker_url(self) -> str:
        socket = self.stack.redis_url.removeprefix("unix://")
        return f"redis+socket://{socket}?virtual_host=0"

    # --- What people do ---------------------------------------------------------------------------

    def place(self, *, card: str = VISA, key: str = "") -> Placed:
        """Order two kinds of things with a code of one's own, as an app does.

        Who hears nothing, or "try again", asks again under the same key.
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
        """The order, and everything that was heard on the way to it, its 202 last."""
        heard: list[requests.Response | requests.RequestException] = []
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                answer = App(self.stack.url).ask("POST", "/checkouts/", body, Idempotency_Key=key)
            except requests.RequestException as silence:
                heard.append(silence)
                time.sleep(0.05)
                continue
            heard.append(answer)
            if answer.status_code == 202:
                return self._accepted(answer), heard
            assert answer.status_code in (409, 500, 502, 503), answer.text
            time.sleep(0.05)
        raise AssertionError(f"no order in {PATIENCE} s: {heard[-5:]}")

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

    def call_off(self, placed: Placed) -> None:
        answer = App(self.stack.url).ask(
            "POST", f"/orders/{placed.id}/cancel/", X_Order_Token=placed.token
        )
        assert answer.status_code == 202, answer.text

    def approve_at_the_bank(self, placed: Placed) -> None:
        """Press "approve" on the bank's page, and close the window instead of coming back."""
        page = self.one(
            "SELECT next_action_url FROM payments_payment WHERE order_id = %s", placed.id
        )
        answer = requests.post(page, {"decision": "approve"}, timeout=30, allow_redirects=False)
        assert answer.status_code == 303, answer.text

    def clerk(self, deed: str, **given: Any) -> Any:
        """Let the clerk do something (clerk.py)."""
        if self._clerk is None:
            self._clerk = subprocess.Popen(
                [sys.executable, "-m", "tests.crashes.clerk"],
                cwd=embedded.PROJECT,
                env=self.stack.environment | {"FAILPOINTS": ""},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._clerk.stdin is not None
        assert self._clerk.stdout is not None
        self._clerk.stdin.write(json.dumps({"deed": deed} | given) + "\n")
        self._clerk.stdin.flush()
        line = self._clerk.stdout.readline()
        assert line, f"the clerk fell over {deed}"
        return json.loads(line)["answer"]

    # --- Dying ------------------------------------------------------------------------------------

    def arm(self, point: str, times: int = 1, *, deed: str = failpoints.KILL) -> None:
        failpoints.arm(self.points, point, times, deed=deed)

    def disarm(self) -> None:
        failpoints.disarm(self.points)

    def struck(self, point: str) -> list[int]:
        """Who died, or froze, there."""
        return failpoints.struck(self.points, point)

    def see_to_the_end(self, point: str, over: Callable[[], bool], *, deaths: int = 1) -> None:
        """Bury whoever dies at `point`, let time pass, until `deaths` have died and all is over."""
        buried = 0

        def look() -> bool:
            nonlocal buried
            dead = self.struck(point)
            if len(dead) > buried:
                until(lambda: not any(map(is_alive, dead)), "the process dies")
                buried = len(dead)
                self.time_passes()
            return buried >= deaths and over()

        until(look, f"{point} is struck {deaths} times and the order comes to its end",
              why=lambda: f"struck by {self.struck(point)}; {self.unfinished()}")  # fmt: skip

    def time_passes(self) -> None:
        """Leases and backoffs have ended, and the sweeper has come round."""
        for statement in TIME_PASSES:
            self.run(statement)
        self.ring(*BELLS)

    def ring(self, *names: str) -> None:
        for name in names:
            self._bells.send_task(name, queue=BELLS.get(name, "checkout"))

    def tasks_under_way(self) -> frozenset[bytes]:
        """What the workers have taken from their queues and not finished."""
        return frozenset(self.queue.hkeys("unacked"))

    def tasks_left_behind(self) -> frozenset[bytes]:
        """Those of workers that died with them: none that lives has one in hand for so long."""
        return frozenset(self.queue.zrangebyscore("unacked_index", 0, time.time() - 5))

    @contextlib.contextmanager
    def nobody_compares(self) -> Iterator[None]:
        """The reconciler stays away: it would find out at the gateway what others are to write."""
        self.one("SELECT pg_advisory_lock(%s)", RECONCILERS)
        try:
            yield
        finally:
            self.one("SELECT pg_advisory_unlock(%s)", RECONCILERS)

    def rest_from_webhooks(self) -> None:
        """Until every webhook that was sent has been applied, and whom it woke waits again."""
        until(
            lambda: self._webhooks_waiting() == 0 and self.one(IN_HANDS) == 0,
            "all webhooks are applied",
            why=self.unfinished,
        )

    def rest(self) -> None:
        """Until no order, webhook or refund is under way any more."""
        rung_at = 0.0

        def still() -> bool:
            nonlocal rung_at
            if time.monotonic() - rung_at > 1.0:
                rung_at = time.monotonic()
                self.time_passes()
            return self.one(IN_MOTION) == 0 and self._webhooks_waiting() == 0

        until(still, "the shop comes to rest", why=self.unfinished)

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

    # --- Looking in -------------------------------------------------------------------------------

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
        """Whether their sagas have ended, or stand before a person."""
        open_ones = self.one(
            "SELECT count(*) FROM orders_saga"
            " WHERE order_id = ANY(%s::uuid[]) AND state IN ('forward', 'undoing')",
            [placed.id for placed in orders],
        )
        return bool(open_ones == 0)

    def status(self, placed: Placed) -> str:
        return str(self.one("SELECT status FROM orders_order WHERE id = %s", placed.id))

    def wait_for(self, status: str, *orders: Placed, patience: float = PATIENCE) -> None:
        """Until the orders have this status and, when it is an end, their sagas have ended."""
        ends = status in ("CONFIRMED", "CANCELLED")

        def there() -> bool:
            return all(self.status(placed) == status for placed in orders) and (
                not ends or self.is_over(*orders)
            )

        what = f"{len(orders)} orders are {status}"
        until(there, what, why=self.unfinished, patience=patience)

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

    def shelves(self) -> dict[str, tuple[int, int]]:
        """(on hand, reserved) by SKU."""
        return {
            sku: (on_hand, reserved)
            for sku, on_hand, reserved in self.ask(
                "SELECT v.sku, i.on_hand, i.reserved FROM inventory_stockitem i"
                " JOIN catalog_variant v ON v.id = i.variant_id WHERE v.sku LIKE 'CRASH-%%'"
            )
        }

    def since(self, before: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
        """What has changed on the shelves."""
        return {
            sku: (on_hand - before[sku][0], reserved - before[sku][1])
            for sku, (on_hand, reserved) in self.shelves().items()
        }

    def events(self, placed: Placed) -> list[str]:
        """What became of the webhooks about its payment."""
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
        def column(query: str) -> tuple[Any, ...]:
            return tuple(found for (found,) in self.ask(query, placed.id))

        ((status, seq, total, saga),) = self.ask(
            "SELECT o.status, o.seq, o.total_amount, s.state FROM orders_order o"
            " JOIN orders_saga s ON s.order_id = o.id WHERE o.id = %s",
            placed.id,
        )
        moves = self.ask(
            "SELECT seq, status FROM orders_orderevent WHERE order_id = %s ORDER BY seq", placed.id
        )
        assert [number for number, _ in moves] == list(range(1, seq + 1)), "the moves have a gap"
        ((payment, captured, refunded),) = self.ask(
            "SELECT status, captured_amount, refunded_amount FROM payments_payment"
            " WHERE order_id = %s",
            placed.id,
        )
        ((used, live),) = self.ask(
            "SELECT p.used, count(*) FILTER (WHERE r.live) FROM promos_redemption r"
            " JOIN promos_promo p ON p.id = r.promo_id WHERE r.order_id = %s GROUP BY p.id",
            placed.id,
        )
        return Books(
            status=status,
            saga=saga,
            moves=tuple(status for _, status in moves),
            done=tuple(f"{way} {step}" for way, step, how, _ in self.log(placed) if how == "done"),
            at_gateway=tuple(
                (i["status"], i["amount_received"] / total, i["amount_refunded"] / total)
                for i in self.intents(placed)
            ),
            payment=(payment, captured / total, refunded / total),
            units=tuple(
                self.ask(
                    "SELECT m.kind, m.quantity FROM inventory_stockmovement m"
                    " JOIN inventory_stockitem i ON i.id = m.stock_item_id"
                    " JOIN catalog_variant v ON v.id = i.variant_id"
                    " WHERE m.order_id = %s ORDER BY m.kind, v.sku DESC",
                    placed.id,
                )
            ),
            holds=frozenset(column("SELECT state FROM inventory_hold WHERE order_id = %s")),
            promo=(used, live),
            parcels=column("SELECT state FROM shipping_shipment WHERE order_id = %s"),
            mails=column(
                "SELECT kind FROM notifications_notification WHERE order_id = %s ORDER BY id"
            ),
        )

    def mails_are_out(self) -> bool:
        return bool(
            self.one("SELECT count(*) FROM notifications_notification WHERE state = 'due'") == 0
        )

    def letters(self) -> Counter[int]:
        """How often the mail server was given each letter, by the row's id."""
        folder = self.stack.home / "mail"
        return Counter(
            int(number)
            for file in folder.iterdir()
            for number in re.findall(rb"^Message-ID: <notification-(\d+)@", file.read_bytes(), re.M)
        )

    def letter(self, placed: Placed, kind: str) -> int:
        return int(
            self.one(
                "SELECT id FROM notifications_notification WHERE order_id = %s AND kind = %s",
                placed.id,
                kind,
            )
        )


def until(
    true: Callable[[], bool],
    what: str,
    *,
    why: Callable[[], str] = str,
    patience: float = PATIENCE,
) -> None:
    """Wait for it; AssertionError when it takes longer than `patience` seconds."""
    deadline = time.monotonic() + patience
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience:.0f} s in vain until {what}: {why()}")
        time.sleep(0.02)


def process_state(pid: int) -> str:
    """`R`, `S`, `T` (frozen), `Z` … of proc(5); empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def is_alive(pid: int) -> bool:
    return process_state(pid) not in ("", "Z", "X")


def thaw(pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
