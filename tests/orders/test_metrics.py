"""What the orders tell /metrics, on orders that are really there."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection
from django.db.models.functions import Now

from apps.core import metrics
from apps.orders.models import Saga
from apps.orders.saga.steps import BY_NAME
from tests.orders.purchases import Shop


def read(name: str) -> float:
    [reading] = [each for each in metrics.database_readings() if each.name == name]
    with connection.cursor() as cursor:
        cursor.execute(reading.sql)
        return float(cursor.fetchone()[0] or 0)


def test_review_queue_is_counted(shop: Shop) -> None:
    shop.place()
    order_id = shop.place()
    assert (read("sagas_open"), read("sagas_in_review")) == (2, 0)

    Saga.objects.filter(order_id=order_id).update(state="review", review_reason="odd")

    assert (read("sagas_open"), read("sagas_in_review")) == (1, 1)


def test_open_orders_are_counted_by_step(shop: Shop) -> None:
    shop.run_until_step(shop.place(), "capture_payment")
    shop.place()
    [reading] = [r for r in metrics.database_readings() if r.name == "sagas_open_by_step"]

    with connection.cursor() as cursor:
        cursor.execute(reading.sql)
        by_step = dict(cursor.fetchall())

    assert set(by_step) == set(BY_NAME), "those without orders, too"
    assert {step: count for step, count in by_step.items() if count} == {
        "authorize_payment": 1,
        "capture_payment": 1,
    }


def test_lateness_begins_when_a_saga_is_due_and_no_worker_touches_it(shop: Shop) -> None:
    order_id = shop.place()
    waiting = Saga.objects.filter(order_id=order_id)
    waiting.update(due_at=Now() + timedelta(minutes=5), updated_at=Now() - timedelta(minutes=9))
    assert read("sagas_late_seconds") == 0

    waiting.update(due_at=Now() - timedelta(minutes=7), updated_at=Now() - timedelta(minutes=2))

    assert 120 <= read("sagas_late_seconds") < 180
