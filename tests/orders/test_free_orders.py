"""An order that costs nothing needs no payment: no card, no call, and the same promises."""

from __future__ import annotations

from uuid import UUID

import pytest

from apps.core import failpoints
from apps.orders import audit
from apps.orders.fulfilment.cancellation import request_cancellation
from apps.orders.saga import review
from apps.payments import gateway as gateways
from apps.payments.models import GatewayCall
from tests.factories import a_product
from tests.orders.purchases import Killed, Shop

POINTS = [point for point in failpoints.declared() if point.startswith("saga.")]
FORWARD = [point for point in POINTS if ".undo." not in point]
BACK = [point for point in POINTS if ".undo." in point]


@pytest.fixture
def free(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> UUID:
    """An accepted order over 0.00; the gateway must not be asked about it."""

    def must_not_ask(*_: object, **__: object) -> None:
        raise AssertionError("the gateway was asked about nothing")

    monkeypatch.setattr(type(gateways.get_gateway()), "_call", must_not_ask)
    sample = a_product("Free Sample", price=0, requires_shipping=False, stock=5)
    order_id = shop.place((sample, 1))
    assert shop.order(order_id).total_amount == 0
    return order_id


def assert_over(shop: Shop, order_id: UUID, status: str) -> None:
    assert shop.order(order_id).status == status, shop.log(order_id)
    payment = shop.payment(order_id)
    assert payment.status == {"CONFIRMED": "captured", "CANCELLED": "voided"}[status]
    assert (payment.captured_amount, payment.refunded_amount, payment.intent_id) == (0, 0, None)
    assert shop.sandbox.intents() == []
    assert {call.outcome for call in GatewayCall.objects.all()} <= {"answered"}


def die_at(monkeypatch: pytest.MonkeyPatch, point: str) -> list[str]:
    died: list[str] = []

    def reach(*parts: str) -> None:
        if ".".join(parts) == point and not died:
            died.append(point)
            raise Killed(point)

    monkeypatch.setattr(failpoints, "reach", reach)
    return died


def test_it_is_confirmed_and_cancelled_without_a_call(shop: Shop, free: UUID) -> None:
    shop.run()
    assert_over(shop, free, "CONFIRMED")
    assert shop.mails(free) == ["order_confirmed"]

    request_cancellation(free)
    shop.run_hurried(free)

    assert_over(shop, free, "CANCELLED")
    assert [finding for finding in audit.check() if not finding.holds] == []


@pytest.mark.parametrize("point", FORWARD)
def test_worker_that_dies_on_the_way_is_followed_by_one_that_finishes(
    shop: Shop, free: UUID, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    with monkeypatch.context() as patch:
        died = die_at(patch, point)
        with pytest.raises(Killed):
            shop.run_hurried(free)
        assert died == [point]

    shop.end_leases()
    shop.run_hurried(free)

    assert_over(shop, free, "CONFIRMED")
    assert shop.statuses(free) == ["PENDING", "PAYMENT_AUTHORIZED", "CONFIRMED"]
    assert [finding for finding in audit.check() if not finding.holds] == []


@pytest.mark.parametrize("point", BACK)
def test_worker_that_dies_on_the_way_back_is_followed_by_one_that_finishes(
    shop: Shop, free: UUID, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    shop.run()
    request_cancellation(free)
    with monkeypatch.context() as patch:
        died = die_at(patch, point)
        with pytest.raises(Killed):
            shop.run_hurried(free)
        assert died == [point]

    shop.end_leases()
    shop.run_hurried(free)

    assert_over(shop, free, "CANCELLED")
    assert [finding for finding in audit.check() if not finding.holds] == []


def test_in_review_nothing_of_its_money_is_open(shop: Shop, free: UUID) -> None:
    shop.run_until_step(free, "confirm_stock")
    saga = shop.saga(free)
    saga.state, saga.reviewed_from, saga.due_at = "review", "forward", None
    saga.review_reason, saga.lease_until = "poisoned", None
    saga.save()

    review.resolve(free, actor="clerk", reason="nobody wants it", let_go=True)

    assert_over(shop, free, "CANCELLED")
    assert [finding for finding in audit.check() if not finding.holds] == []


def test_while_the_circuit_is_open_it_goes_through(
    shop: Shop, free: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_circuit(_: object) -> None:
        raise gateways.GatewayCircuitOpen("open")

    monkeypatch.setattr(type(gateways.get_gateway()), "admit", open_circuit)
    shop.run()
    assert_over(shop, free, "CONFIRMED")
