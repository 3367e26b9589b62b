"""Which status may follow which: a move that is not allowed changes no row, writes no event."""

import json
from typing import Any

import pytest
from django.db import transaction

from apps.core import dispatch
from apps.orders import payloads, transitions
from apps.orders.models import Order, OrderEvent
from apps.orders.transitions import Transition
from tests.factories import OrderEventFactory, OrderFactory
from tests.orders.purchases import at_once

# Written out once more, and the other way round: what each status may become.
MAY_BECOME = {
    "PENDING": {"REQUIRES_ACTION", "PAYMENT_AUTHORIZED", "PAYMENT_FAILED", "CANCELLED"},
    "REQUIRES_ACTION": {"PAYMENT_AUTHORIZED", "PAYMENT_FAILED"},
    "PAYMENT_AUTHORIZED": {"CONFIRMED", "CANCELLED"},
    "PAYMENT_FAILED": {"PENDING", "CANCELLED"},
    "CONFIRMED": {"SHIPPED", "CANCELLED"},
    "SHIPPED": {"DELIVERED"},
    "DELIVERED": {"RETURN_INITIATED"},
    "RETURN_INITIATED": {"RETURNED", "DELIVERED"},
    "RETURNED": {"RETURN_INITIATED"},
    "CANCELLED": set(),
}


def an_order(status: str) -> Order:
    return OrderEventFactory(order=OrderFactory(status=status)).order


def told(order: Order) -> tuple[str, int, list[str]]:
    """(status, seq, statuses of its events)."""
    order.refresh_from_db()
    events = OrderEvent.objects.filter(order=order).order_by("seq")
    return order.status, order.seq, list(events.values_list("status", flat=True))


@pytest.mark.django_db
@pytest.mark.parametrize("status", Order.Status.values)
def test_order_becomes_only_what_its_status_may_become(status: str) -> None:
    for to in Order.Status.values:
        order = an_order(status)

        made = transitions.make([Transition(order.pk, to)])

        if to in MAY_BECOME[status]:
            assert made == {(order.pk, to)}
            assert told(order) == (to, 2, [status, to])
        else:
            assert made == set(), f"{status} became {to}"
            assert told(order) == (status, 1, [status])


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_move_requested_eight_times_at_once_is_made_once() -> None:
    order = an_order("CONFIRMED")

    answers = at_once(8, lambda _: transitions.make([Transition(order.pk, "SHIPPED")]))

    assert sorted(answers, key=len) == [set()] * 7 + [{(order.pk, "SHIPPED")}]
    assert told(order) == ("SHIPPED", 2, ["CONFIRMED", "SHIPPED"])


@pytest.fixture
def pushed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[tuple[str, int, str]]]]:
    found: list[tuple[str, list[tuple[str, int, str]]]] = []
    monkeypatch.setattr(
        dispatch, "broadcast_on_commit", lambda group, told: found.append((group, list(told)))
    )
    return found


@pytest.mark.django_db(transaction=True)
def test_moves_of_one_commit_are_broadcast_as_the_status_shows_them(pushed: Any) -> None:
    orders = [an_order("CONFIRMED") for _ in range(3)]

    with transaction.atomic():
        transitions.make(
            [Transition(order.pk, "SHIPPED", message="<b>Grüße</b>") for order in orders]
        )
        assert pushed == [], "nothing is broadcast before the commit"

    ((group, told),) = pushed
    assert group == transitions.GROUP
    assert {order_id: (seq, json.loads(text)) for order_id, seq, text in told} == {
        str(order.pk): (2, payloads.event(order.events.get(seq=2), number=order.number))
        for order in orders
    }


@pytest.mark.django_db(transaction=True)
def test_move_that_was_rolled_back_is_never_broadcast(pushed: Any) -> None:
    order = an_order("CONFIRMED")

    with pytest.raises(RuntimeError), transaction.atomic():
        transitions.make([Transition(order.pk, "SHIPPED")])
        raise RuntimeError

    assert pushed == []
