"""Checkouts as the intake gets them, and what may not have changed when it refuses one.

accepted = place(a_checkout((mug, 2)))             through the process's own intake
outcomes = together(alices, bobs)                  as one batch, in this thread
with locked(mug): …                                transactions that lock the mug's row wait
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import connection
from uuid_utils.compat import uuid7

from apps.catalog.models import Variant
from apps.inventory.models import Hold, StockItem
from apps.orders import transitions
from apps.orders.intake import Accepted, CheckoutRequest, accept_batch, queue
from apps.orders.intake.pending import Pending
from apps.orders.intake.wait_estimate import QueueGauge
from apps.orders.models import IdempotencyKey, Order, OrderEvent, OrderLine, Saga
from apps.orders.transitions import Transition
from apps.payments.models import Payment
from apps.promos.models import Promo, Redemption
from apps.shipping import rates as shipping_rates
from apps.taxes import rates as tax_rates
from tests.factories import ADDRESS, a_mug, ship_everywhere

SHIPPING = 599  # minor units


@pytest.fixture
def open_shop(committed_database: None) -> Iterator[None]:
    """A shop that ships anywhere, collects no tax, and has no gateway: no order is paid."""
    shipping_rates.forget()
    tax_rates.forget()
    ship_everywhere(price=SHIPPING)
    yield
    shipping_rates.forget()
    tax_rates.forget()


@pytest.fixture
def another_process() -> Iterator[Callable[[], queue.Intake]]:
    """Makes intakes that share nothing with ours but the database, as other processes do."""
    made: list[queue.Intake] = []

    def make() -> queue.Intake:
        made.append(queue.Intake())
        return made[-1]

    yield make
    for each in made:
        each.drain(10)


@pytest.fixture
def mug() -> Variant:
    """Ten of it, at $18.00."""
    return a_mug(stock=10, price=1800)


def a_checkout(
    *lines: tuple[Variant, int], key: str = "", body: str = "", **given: Any
) -> CheckoutRequest:
    """One checkout by a guest; `body` stands for what was sent, `key` is a new one by default."""
    key = key or str(uuid4())
    return CheckoutRequest(
        scope="guest",
        key=key,
        fingerprint=hashlib.sha256((body or key).encode()).digest(),
        lines=tuple((variant.sku, quantity) for variant, quantity in lines),
        email="alice@example.com",
        shipping_address=ADDRESS.copy(),
        shipping_method="standard",
        payment_method="pm_card_visa",
    )._replace(**given)


def place(request: CheckoutRequest) -> Accepted:
    """Through the intake of this process: queue, committing thread and all."""
    return queue.place_order(request)


def cancel(accepted: Accepted) -> None:
    """The accepted order, as if its saga had undone it."""
    transitions.make([Transition(accepted.order_id, Order.Status.CANCELLED)])


def pending(request: CheckoutRequest) -> Pending:
    return Pending(request=request, order_id=uuid7())


def together(*requests: CheckoutRequest) -> list[Any]:
    """The outcome of each when they are one batch: Accepted, or the error."""
    batch = [pending(request) for request in requests]
    accept_batch.commit(batch, QueueGauge())
    assert all(each.answered.is_set() for each in batch)
    return [each.outcome for each in batch]


def everything() -> dict[str, Any]:
    """All that a checkout can change, to be compared with how it was."""
    return {
        "orders": Order.objects.count(),
        "lines": OrderLine.objects.count(),
        "events": OrderEvent.objects.count(),
        "sagas": Saga.objects.count(),
        "payments": Payment.objects.count(),
        "keys": IdempotencyKey.objects.count(),
        "holds": Hold.objects.count(),
        "redemptions": Redemption.objects.count(),
        "promos": list(Promo.objects.order_by("pk").values_list("pk", "used")),
        "stock": list(StockItem.objects.order_by("pk").values_list("pk", "on_hand", "reserved")),
    }


def reserved(variant: Variant) -> int:
    return sum(StockItem.objects.filter(variant=variant).values_list("reserved", flat=True))


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for something that another thread does; fails when it does not."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.005)


def waiting_for_a_lock() -> int:
    """How many connections of this database wait for a row."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        count: int = cursor.fetchone()[0]
        return count


@contextmanager
def locked(variant: Variant) -> Iterator[None]:
    """Another transaction holds the stock row of `variant`: a commit that needs it waits."""
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as slow:
        slow.execute(
            "SELECT 1 FROM inventory_stockitem WHERE variant_id = %s FOR UPDATE", [variant.pk]
        )
        yield
        slow.rollback()
