"""Goods that come back on sale: what a cancellation and a return restock."""

import pytest

from apps.orders import transitions
from apps.orders.errors import NotCancellable
from apps.orders.fulfilment import returns, shipping
from apps.orders.fulfilment.cancellation import request_cancellation
from apps.orders.fulfilment.shipping import NotReady
from apps.payments.refunds import send_due
from tests.api.conftest import problem
from tests.failures.shoppers import Shopper, no_row_locks
from tests.orders.purchases import Shop, at_once


def test_cancel_after_shipment_restocks_nothing(shop: Shop, alice: Shopper) -> None:
    order_id = alice.buys((shop.mug, 3))
    shop.run()
    shipping.hand_to_carrier(order_id, actor="clerk")
    before = shop.movements()

    for _ in range(2):
        problem(alice.cancels(order_id), 409, "not_cancellable")
    assert shop.run() == 0

    assert (shop.stock(), shop.movements()) == ((7, 0), before)
    assert alice.sees(order_id) == "SHIPPED"
    assert shop.payment(order_id).refunded_amount == 0
    shop.assert_audit_clean()


def test_return_restocks_what_came_back_and_a_cancel_beside_it_nothing(
    shop: Shop, alice: Shopper
) -> None:
    order_id = alice.buys((shop.mug, 3))
    shop.run()
    shipping.hand_to_carrier(order_id, actor="clerk")
    shipping.mark_delivered(order_id, actor="clerk")
    announced = returns.request_return(order_id, lines=[(shop.mug.sku, 1)], reason="chipped")

    problem(alice.cancels(order_id), 409, "not_cancellable")
    assert returns.receive_return(announced.pk, actor="clerk")
    problem(alice.cancels(order_id), 409, "not_cancellable")
    assert not returns.receive_return(announced.pk, actor="clerk")
    send_due()
    assert shop.run() == 0

    assert shop.stock() == (8, 0)
    assert shop.movements() == [("initial", 10), ("confirmed", -3), ("returned", 1)]
    total = shop.order(order_id).total_amount
    assert shop.at_gateway(order_id) == [("succeeded", total, (total - 599) // 3)]
    shop.assert_audit_clean()


@pytest.mark.race
def test_cancel_and_shipment_at_once_exactly_one_wins(shop: Shop) -> None:
    order_ids = [shop.place() for _ in range(8)]
    shop.run()
    shipped = cancelled = 0
    for order_id in order_ids:

        def either(number: int, order_id=order_id) -> str:
            if number:
                request_cancellation(order_id)
                return "cancelled"
            shipping.hand_to_carrier(order_id, actor="clerk")
            return "shipped"

        answers = at_once(2, either)
        won = [answer for answer in answers if isinstance(answer, str)]
        lost = [answer for answer in answers if not isinstance(answer, str)]
        assert (len(won), len(lost)) == (1, 1), answers
        assert isinstance(lost[0], NotReady if won == ["cancelled"] else NotCancellable)
        shop.run()
        shipped += won == ["shipped"]
        cancelled += won == ["cancelled"]
        assert shop.order(order_id).status == ("SHIPPED" if won == ["shipped"] else "CANCELLED")
        charged = 0 if won == ["cancelled"] else 2548
        assert (
            shop.payment(order_id).captured_amount - shop.payment(order_id).refunded_amount
            == charged
        )
    assert shop.stock() == (10 - shipped, 0)
    assert shipped + cancelled == 8
    shop.assert_audit_clean()


@pytest.mark.race
def test_control_cancel_and_shipment_without_the_lock_both_win(
    shop: Shop, alice: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = alice.buys()
    shop.run()
    no_row_locks(monkeypatch)
    make = transitions.make

    def cancel_in_between(moves, *, actor: str = ""):
        """Staff's request has read a finished saga; now the shopper's runs to its end."""
        monkeypatch.setattr(transitions, "make", make)
        assert at_once(1, lambda _: request_cancellation(order_id)) == [None]
        return make(moves, actor=actor)

    monkeypatch.setattr(transitions, "make", cancel_in_between)

    shipping.hand_to_carrier(order_id, actor="clerk")

    assert (shop.order(order_id).status, shop.saga(order_id).state) == ("SHIPPED", "undoing")
