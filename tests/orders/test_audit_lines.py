"""Invariants 15 and 16, broken on purpose: what was paid by line, what is kept of an order."""

from __future__ import annotations

import pytest

from apps.backoffice import decision_log
from apps.orders.fulfilment.returns import receive_return, request_return
from apps.payments.refunds import request_refund, send_due
from tests.factories import PromoFactory
from tests.orders.purchases import Shop, sql


@pytest.fixture
def returned(shop: Shop) -> Shop:
    """A shop with one order of three mugs at a tenth off, two of them back and paid back."""
    order_id = shop.place_delivered((shop.mug, 3), promo=PromoFactory(code="TEN"))
    for units in (1, 1):
        made = request_return(order_id, lines=[(shop.mug.sku, units)], reason="too large")
        receive_return(made.pk, actor="clerk")
    send_due()
    assert shop.violations() == {}
    return shop


# name: (invariant, what breaks it, words of the finding)
BROKEN: dict[str, tuple[int, str, str]] = {
    "a discount that the order does not know": (
        15, "UPDATE orders_orderline SET discount_amount = discount_amount + 1",
        "5860 total, paid for lines 5260"),
    "a cent of tax too many": (
        15, "UPDATE orders_orderline SET tax_amount = tax_amount + 1", "paid for lines 5262"),
    "tax of shipping that nobody paid": (
        15, "UPDATE orders_order SET shipping_tax_amount = 1", "shipping 599 with tax 1"),
    "a discount and a tax that cancel each other out": (
        15, "UPDATE orders_orderline SET discount_amount = discount_amount + 1,"
            " tax_amount = tax_amount + 1", "paid for lines 5261"),
    "lines without their amounts": (
        15, "UPDATE orders_orderline SET discount_amount = NULL, tax_amount = NULL",
        "paid for lines unknown"),
    "shipping without its tax": (
        15, "UPDATE orders_order SET shipping_tax_amount = NULL", "with tax unknown"),
    "more owed for a line than was paid for it": (
        15, "UPDATE orders_returnline SET refund_amount = 3000", "5261 paid, 6000 owed for 2 of 3"),
    "all of a line back, and less owed than was paid": (
        15, "UPDATE orders_returnline SET quantity = 2, accepted = 2"
            " WHERE id = (SELECT min(id) FROM orders_returnline)",
        "5261 paid, 3507 owed for 3 of 3"),
    "more units back than were bought": (
        15, "UPDATE orders_returnline SET quantity = 3, accepted = 3", "owed for 6 of 3"),
    "more units announced than were bought": (
        15, "UPDATE orders_returnline SET quantity = 3", "owed for 2 of 3, 6 announced"),
    "more refunded for a return than is owed": (
        15, "UPDATE orders_returnline SET refund_amount = refund_amount - 1",
        "owed, refunds say 175"),
    "less refunded than is owed": (
        15, "DELETE FROM payments_refund", "3507 owed for returns, refunds say 0"),
    "more kept than the total": (
        16, "UPDATE orders_order SET total_amount = total_amount - 1,"
            " subtotal_amount = subtotal_amount - 1", "kept of 5859 in 1 attempts"),
    "money back that no refund tells of": (
        16, "UPDATE payments_payment SET refunded_amount = refunded_amount + 1",
        "2352 kept of 5860"),
    "a capture of a part of which nobody is asked": (
        16, "UPDATE payments_payment SET captured_amount = 4000",
        "4000 captured of 5860 authorized, and nobody is asked"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_broken_on_purpose_is_named(returned: Shop, name: str) -> None:
    number, statement, words = BROKEN[name]

    assert sql(statement) > 0

    found = returned.violations()
    assert number in found, f"not seen; {sorted(found)}"
    assert any(words in example for example in found[number].examples), found[number].examples


def test_orders_of_the_release_before_are_no_violation(returned: Shop) -> None:
    sql("UPDATE orders_orderline SET discount_amount = NULL, tax_amount = NULL")
    sql("UPDATE orders_order SET shipping_tax_amount = NULL")
    sql("UPDATE orders_returnline SET refund_amount = NULL")

    assert returned.violations() == {}


def test_refund_of_staff_before_a_return_is_no_violation(shop: Shop) -> None:
    order_id = shop.place_delivered()
    captured = shop.payment(order_id).captured_amount
    request_refund(order_id, amount=captured - 100, purpose="admin:1", reason="x", actor="clerk")
    made = request_return(order_id, lines=[(shop.mug.sku, 1)], reason="too large")
    receive_return(made.pk, actor="clerk")
    assert shop.violations() == {}
    send_due()
    assert shop.violations() == {}


@pytest.mark.parametrize("case", ["waits for staff", "accepted", "given back"])
def test_capture_of_a_part_that_is_known_is_no_violation(shop: Shop, case: str) -> None:
    order_id = shop.place_confirmed()
    sql("UPDATE payments_payment SET captured_amount = 100")
    assert {4, 16} <= set(shop.violations())

    match case:
        case "waits for staff":
            sql("UPDATE payments_payment SET status = 'partly_captured'")
        case "accepted":
            decision_log.record(
                "saga", order_id, "accept_part", actor="clerk", reason="fine", order_id=order_id
            )
        case "given back":
            request_refund(order_id, amount=100, purpose="admin:1", reason="x", actor="clerk")
            send_due()

    assert not {4, 16} & set(shop.violations())
