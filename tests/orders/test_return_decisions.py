"""Returns that are refused, accepted in part, or damaged: money, stock, and what is told."""

from __future__ import annotations

from uuid import UUID

import pytest

from apps.notifications.models import Notification
from apps.orders import order_parts
from apps.orders.errors import ReturnRefused, WrongUnits
from apps.orders.fulfilment import shipping
from apps.orders.fulfilment.returns import (
    Received,
    receive_return,
    refuse_return,
    request_return,
    returnable,
)
from apps.orders.models import Order, OrderEvent, Return
from apps.orders.tokens import order_token
from apps.payments.models import Refund
from apps.payments.refunds import send_due
from tests.orders.purchases import Shop, at_once

ANSWER = "They were used."


def announce(shop: Shop, order_id: UUID, units: int) -> Return:
    return request_return(order_id, lines=[(shop.mug.sku, units)], reason="too large")


def line_of(announced: Return) -> int:
    return announced.lines.get().pk


def paid_for_mugs(order_id: UUID) -> int:
    line = Order.objects.get(pk=order_id).lines.get()
    assert line.tax_amount is not None and line.discount_amount is not None
    return line.line_amount - line.discount_amount + line.tax_amount


def test_refused_return_moves_no_money_and_no_unit_and_says_why(shop: Shop) -> None:
    order_id = shop.place_delivered((shop.mug, 2))
    announced, stock = announce(shop, order_id, 2), shop.stock()

    assert refuse_return(announced.pk, actor="clerk", answer=ANSWER) is True

    assert shop.statuses(order_id)[-2:] == ["RETURN_INITIATED", "DELIVERED"]
    last = OrderEvent.objects.filter(order=order_id).last()
    assert last is not None and last.message == f"We could not accept your return. {ANSWER}"
    assert shop.stock() == stock and Refund.objects.count() == 0
    mail = Notification.objects.get(order_id=order_id, kind="return_refused")
    assert ANSWER in mail.body and announced.number in mail.subject
    shown = shop.browser.get(
        f"/orders/{order_id}/", {"token": order_token(order_id)}
    ).content.decode()
    assert ANSWER in shown
    [told] = order_parts.returns(shop.order(order_id))
    assert (told["state"], told["message"], told["received_at"]) == ("refused", ANSWER, None)
    assert told["refused_at"] is not None and told["lines"][0]["accepted"] == 0
    shop.assert_audit_clean()


def test_refused_units_are_not_announced_again_and_others_are(shop: Shop) -> None:
    order_id = shop.place_delivered((shop.mug, 3))
    refuse_return(announce(shop, order_id, 2).pk, actor="clerk", answer=ANSWER)

    assert returnable(shop.order(order_id)) == {shop.mug.sku: 1}
    with pytest.raises(ReturnRefused):
        announce(shop, order_id, 2)
    second = announce(shop, order_id, 1)
    assert receive_return(second.pk, actor="clerk")
    assert shop.order(order_id).status == "RETURNED"
    shop.assert_audit_clean()


def test_part_is_refunded_and_restocked_by_what_was_accepted(shop: Shop) -> None:
    order_id = shop.place_delivered((shop.mug, 3))
    announced = announce(shop, order_id, 3)
    units = {line_of(announced): Received(accepted=2, damaged=1)}

    assert receive_return(announced.pk, actor="clerk", units=units, answer=ANSWER) is True

    paid = paid_for_mugs(order_id)
    assert Refund.objects.get().amount == paid * 2 // 3
    assert shop.movements()[-1] == ("returned", 1), "the damaged one is not on the shelf"
    assert shop.stock() == (8, 0)
    send_due()
    assert shop.payment(order_id).refunded_amount == paid * 2 // 3
    mail = Notification.objects.get(order_id=order_id, kind="return_received")
    assert "We could not accept:\n\n  1 × " in mail.body and ANSWER in mail.body
    event = OrderEvent.objects.get(order=order_id, status="RETURNED", message__contains=ANSWER)
    assert event.message.startswith("Your return has arrived. We could accept a part of it.")
    [told] = order_parts.returns(shop.order(order_id))
    assert (told["state"], told["message"], told["lines"][0]["accepted"]) == ("received", ANSWER, 2)
    shop.assert_audit_clean()


def test_all_damaged_is_refunded_in_full_and_stays_off_the_shelf(shop: Shop) -> None:
    order_id = shop.place_delivered((shop.mug, 2))
    announced, stock = announce(shop, order_id, 2), shop.stock()
    units = {line_of(announced): Received(accepted=2, damaged=2)}

    assert receive_return(announced.pk, actor="clerk", units=units)

    assert Refund.objects.get().amount == paid_for_mugs(order_id)
    assert shop.stock() == stock and shop.movements()[-1][0] == "confirmed"
    shop.assert_audit_clean()


def test_parts_of_two_returns_add_up_to_what_was_paid(shop: Shop) -> None:
    order_id = shop.place_delivered((shop.mug, 3))
    first, second = announce(shop, order_id, 1), announce(shop, order_id, 2)

    receive_return(first.pk, actor="clerk")
    receive_return(second.pk, actor="clerk")

    assert sum(r.amount for r in Refund.objects.all()) == paid_for_mugs(order_id)
    shop.assert_audit_clean()


def test_refusal_beside_a_received_return_leaves_the_order_returned(shop: Shop) -> None:
    order_id = shop.place_delivered((shop.mug, 2))
    first, second = announce(shop, order_id, 1), announce(shop, order_id, 1)

    receive_return(first.pk, actor="clerk")
    assert shop.order(order_id).status == "RETURN_INITIATED"
    refuse_return(second.pk, actor="clerk", answer=ANSWER)

    assert shop.order(order_id).status == "RETURNED"
    shop.assert_audit_clean()


def test_refusal_while_another_is_announced_is_told_at_once(shop: Shop) -> None:
    order_id = shop.place_delivered((shop.mug, 2))
    first = announce(shop, order_id, 1)
    announce(shop, order_id, 1)

    refuse_return(first.pk, actor="clerk", answer=ANSWER)

    assert shop.order(order_id).status == "RETURN_INITIATED"
    last = OrderEvent.objects.filter(order=order_id).last()
    assert last is not None and ANSWER in last.message
    shop.statuses(order_id)


def test_decided_twice_is_decided_once(shop: Shop) -> None:
    order_id = shop.place_delivered((shop.mug, 2))
    announced = announce(shop, order_id, 2)

    assert refuse_return(announced.pk, actor="clerk", answer=ANSWER) is True
    assert refuse_return(announced.pk, actor="clerk", answer="again") is False
    assert receive_return(announced.pk, actor="clerk") is False

    assert Refund.objects.count() == 0 and shop.mails(order_id).count("return_refused") == 1
    assert Return.objects.get().answer == ANSWER
    shop.assert_audit_clean()


@pytest.mark.race
def test_received_and_refused_at_once_is_one_of_them(shop: Shop) -> None:
    order_id = shop.place_delivered((shop.mug, 2))
    announced = announce(shop, order_id, 2)

    def decide(number: int) -> tuple[str, bool]:
        if number % 2:
            return "refused", refuse_return(announced.pk, actor="clerk", answer=ANSWER)
        return "received", receive_return(announced.pk, actor="clerk")

    answers = at_once(6, decide)

    [first] = [name for name, was_first in answers if was_first]
    received = first == "received"
    assert Return.objects.get().state == first
    assert Refund.objects.count() == (1 if received else 0)
    shop.assert_audit_clean()


@pytest.mark.parametrize(
    ("accepted", "damaged", "answer", "says"),
    [
        (3, 0, ANSWER, "Between 0 and 2"),
        (-1, 0, ANSWER, "Between 0 and 2"),
        (1, 2, ANSWER, "damaged"),
        (2, -1, ANSWER, "damaged"),
        (0, 0, ANSWER, "refuse the return"),
        (1, 0, " ", "Say why"),
    ],
)
def test_wrong_count_is_refused_and_nothing_is_written(
    shop: Shop, accepted: int, damaged: int, answer: str, says: str
) -> None:
    order_id = shop.place_delivered((shop.mug, 2))
    announced, stock = announce(shop, order_id, 2), shop.stock()

    with pytest.raises(WrongUnits, match=says):
        receive_return(
            announced.pk,
            actor="clerk",
            units={line_of(announced): Received(accepted, damaged)},
            answer=answer,
        )

    assert Return.objects.get().state == "requested"
    assert shop.stock() == stock and Refund.objects.count() == 0


def test_refusal_needs_a_reason(shop: Shop) -> None:
    order_id = shop.place_delivered()
    with pytest.raises(WrongUnits, match="Say why"):
        refuse_return(announce(shop, order_id, 1).pk, actor="clerk", answer=" ")
    assert Return.objects.get().state == "requested"


def test_staff_cannot_mark_an_order_delivered_past_its_return(shop: Shop) -> None:
    order_id = shop.place_delivered()
    announce(shop, order_id, 1)
    with pytest.raises(shipping.NotReady):
        shipping.mark_delivered(order_id, actor="clerk")
    assert shop.order(order_id).status == "RETURN_INITIATED"
