"""Checkouts as the intake gets them, and what may not have moved when it says no.

accepted = place(a_checkout((mug, 2)))             through the process's own intake
outcomes = together(alices, bobs)                  as one batch, in this thread
with locked(mug): …                                whoever wants the mug's row waits
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import connection
from uuid_utils.compat import uuid7

from apps.catalog.models import Variant
from apps.inventory.models import Hold, StockItem
from apps.orders import acceptance, intake
from apps.orders.intake import Accepted, CheckoutRequest
from apps.orders.models import IdempotencyKey, Order, OrderEvent, OrderLine, Saga
from apps.orders.pending import Pending
from apps.orders.queue_depth import QueueGauge
from apps.payments.models import Payment
from apps.promos.models import Promo, Redemption
from apps.shipping import rates as shipping_rates
from apps.taxes import rates as tax_rates
from tests.factories import ADDRESS, ship_everywhere

SHIPPING = 599  # minor units


@pytest.fixture
def open_shop(committed_database: None) -> Iterator[None]:
    """A shop that ships anywhere, collects no tax, and has no gateway: nobody pays here."""
    shipping_rates.forget()
    tax_rates.forget()
    ship_everywhere(price=SHIPPING)
    yield
    shipping_rates.forget()
    tax_rates.forget()


@pytest.fixture
def another_process() -> Iterator[Callable[[], intake.Intake]]:
    """Makes intakes that share nothing with ours but the database, as other processes do."""
    made: list[intake.Intake] = []

    def make() -> intake.Intake:
        made.append(intake.Intake())
        return made[-1]

    yield make
    for each in made:
        each.drain(10)


def a_checkout(
    *lines: tuple[Variant, int], key: str = "", body: str = "", **given: Any
) -> CheckoutRequest:
    """One checkout by a guest; `body` stands for what was sent, `key` is a new one by default."""
    key = key or str(uuid4())
    return replace(
        CheckoutRequest(
            scope="guest",
            key=key,
            fingerprint=hashlib.sha256((body or key).encode()).digest(),
            lines=tuple((variant.sku, quantity) for variant, quantity in lines),
            email="alice@example.com",
            shipping_address=ADDRESS.copy(),
            shipping_method="standard",
            payment_method="pm_card_visa",
        ),
        **given,
    )


def place(request: CheckoutRequest) -> Accepted:
    """Through the intake of this process: queue, committing thread and all."""
    return intake.place_order(request)


def pending(request: CheckoutRequest) -> Pending:
    return Pending(request=request, order_id=uuid7())


def together(*requests: CheckoutRequest) -> list[Any]:
    """What became of each when they are one batch: Accepted, or the error she hears."""
    batch = [pending(request) for request in requests]
    acceptance.commit(batch, QueueGauge())
    assert all(each.answered.is_set() for each in batch)
    return [each.outcome for each in batch]


def everything() -> dict[str, Any]:
    """All that a checkout can move, to be compared with how it was."""
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
    """Somebody slow holds the stock row of `variant`: a committer that wants it stands still."""
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as slow:
        slow.execute(
            "SELECT 1 FROM inventory_stockitem WHERE variant_id = %s FOR UPDATE", [variant.pk]
        )
        yield
        slow.rollback()
