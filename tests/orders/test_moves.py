"""What may follow what: a move that is not allowed touches no row and writes no event."""

import pytest

from apps.orders import moves
from apps.orders.models import Order, OrderEvent
from apps.orders.moves import Move
from tests.factories import OrderEventFactory, OrderFactory
from tests.orders.purchases import at_once

# Written out once more, and the other way round: what each status may become.
MAY_BECOME = {
    "PENDING": {"REQUIRES_ACTION", "PAYMENT_AUTHORIZED", "PAYMENT_FAILED", "CANCELLED"},
    "REQUIRES_ACTION": {"PAYMENT_AUTHORIZED", "PAYMENT_FAILED"},
    "PAYMENT_AUTHORIZED": {"CONFIRMED", "CANCELLED"},
    "PAYMENT_FAILED": {"CANCELLED"},
    "CONFIRMED": {"SHIPPED", "CANCELLED"},
    "SHIPPED": {"DELIVERED"},
    "DELIVERED": {"RETURN_INITIATED"},
    "RETURN_INITIATED": {"RETURNED"},
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
    for wish in Order.Status.values:
        if wish == "PENDING":
            continue  # orders begin there; nothing moves to it
        order = an_order(status)

        made = moves.make([Move(order.pk, wish)])

        if wish in MAY_BECOME[status]:
            assert made == {(order.pk, wish)}
            assert told(order) == (wish, 2, [status, wish])
        else:
            assert made == set(), f"{status} became {wish}"
            assert told(order) == (status, 1, [status])


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_move_wished_eight_times_at_once_is_made_once() -> None:
    order = an_order("CONFIRMED")

    answers = at_once(8, lambda _: moves.make([Move(order.pk, "SHIPPED")]))

    assert sorted(answers, key=len) == [set()] * 7 + [{(order.pk, "SHIPPED")}]
    assert told(order) == ("SHIPPED", 2, ["CONFIRMED", "SHIPPED"])
