"""Returns: no unit twice, no cent too many, one refund each."""

from __future__ import annotations

import contextlib
import threading
from uuid import UUID

import pytest

from apps.catalog.models import Variant
from apps.inventory import stock
from apps.notifications.models import Notification
from apps.orders.errors import ReturnRefused
from apps.orders.fulfilment import returns
from apps.orders.fulfilment.returns import receive_return, request_return, returnable
from apps.orders.models import Order, Return
from apps.orders.status import RETURNABLE
from apps.payments.models import Refund
from apps.payments.refunds import request_refund, send_due
from tests.factories import PromoFactory, a_kettle, a_product
from tests.orders.purchases import MUG_PRICE, SHIPPING, TAX, Shop, at_once

WORTH = MUG_PRICE + TAX  # of one mug, with its tax; shipping is not given back


def send_back(order_id: UUID, *lines: tuple[str, int]) -> Return:
    return request_return(order_id, lines=list(lines), reason="too large")


def test_returned_unit_is_in_stock_and_its_refund_requested(shop: Shop) -> None:
    order_id = shop.place_delivered()

    announced = send_back(order_id, (shop.mug.sku, 1))
    assert shop.order(order_id).status == "RETURN_INITIATED"
    assert shop.stock() == (9, 0), "announced is not received"
    assert Refund.objects.count() == 0

    assert receive_return(announced.pk, actor="clerk") is True

    assert shop.order(order_id).status == "RETURNED"
    assert shop.stock() == (10, 0)
    assert shop.movements()[-1] == ("returned", 1)
    refund = Refund.objects.get()
    assert (refund.amount, refund.purpose, refund.actor) == (
        WORTH,
        f"return:{announced.pk}",
        "clerk",
    )
    send_due()
    assert shop.intents()[0]["amount_refunded"] == WORTH
    assert shop.payment(order_id).refunded_amount == WORTH
    assert shop.mails(order_id) == [
        "order_confirmed", "order_shipped", "return_announced", "return_received", "refund_sent",
    ]  # fmt: skip
    shop.assert_audit_clean()


def test_received_twice_is_once(shop: Shop) -> None:
    order_id = shop.place_delivered()
    announced = send_back(order_id, (shop.mug.sku, 1))
    assert receive_return(announced.pk, actor="clerk") is True
    assert receive_return(announced.pk, actor="clerk") is False
    send_due()
    assert shop.stock() == (10, 0)
    assert shop.intents()[0]["amount_refunded"] == WORTH
    shop.assert_audit_clean()


@pytest.mark.race
def test_two_clerks_receive_at_once_and_it_counts_once(shop: Shop) -> None:
    order_id = shop.place_delivered()
    announced = send_back(order_id, (shop.mug.sku, 1))

    answers = at_once(4, lambda number: receive_return(announced.pk, actor=f"clerk {number}"))

    assert sorted(answers) == [False, False, False, True]
    assert shop.stock() == (10, 0)
    assert Refund.objects.count() == 1
    shop.assert_audit_clean()


def test_one_by_one_gives_back_what_all_together_would(shop: Shop) -> None:
    """Three units at a price that does not divide: no cent is lost or invented."""
    cup = a_product("Espresso Cup", price=333, stock=5)
    order_id = shop.place_delivered((cup, 3), promo=PromoFactory(percent_bp=1000))
    paid = shop.order(order_id).total_amount - SHIPPING
    assert paid % 3, "else nothing is rounded"
    announced = [send_back(order_id, (cup.sku, 1)) for _ in range(3)]
    assert shop.order(order_id).status == "RETURN_INITIATED"

    for each in announced:
        assert shop.order(order_id).status == "RETURN_INITIATED"
        receive_return(each.pk, actor="clerk")

    assert shop.order(order_id).status == "RETURNED"
    amounts = list(Refund.objects.order_by("created_at").values_list("amount", flat=True))
    assert sum(amounts) == paid
    assert max(amounts) - min(amounts) <= 1
    assert shop.stock(cup) == (5, 0)
    send_due()
    shop.assert_audit_clean()


def test_two_lines_in_two_parcels_add_up(shop: Shop) -> None:
    cup, kettle = a_product("Cup", price=333, stock=5), a_kettle(stock=5, price=8901)
    order_id = shop.place_delivered((cup, 2), (kettle, 2))
    paid = shop.order(order_id).total_amount - SHIPPING
    announced = [
        send_back(order_id, (cup.sku, 1)),
        send_back(order_id, (kettle.sku, 2), (cup.sku, 1)),
    ]
    for each in announced:
        receive_return(each.pk, actor="clerk")
    assert sum(Refund.objects.values_list("amount", flat=True)) == paid
    send_due()
    shop.assert_audit_clean()


def test_what_was_kept_at_first_comes_back_later(shop: Shop) -> None:
    order_id = shop.place_delivered((shop.mug, 3))
    receive_return(send_back(order_id, (shop.mug.sku, 1)).pk, actor="clerk")
    assert shop.order(order_id).status == "RETURNED"
    assert returnable(shop.order(order_id)) == {shop.mug.sku: 2}

    second = send_back(order_id, (shop.mug.sku, 2))
    assert shop.order(order_id).status == "RETURN_INITIATED"
    receive_return(second.pk, actor="clerk")

    assert shop.statuses(order_id)[-5:] == [
        "DELIVERED", "RETURN_INITIATED", "RETURNED", "RETURN_INITIATED", "RETURNED",
    ]  # fmt: skip
    assert shop.mails(order_id).count("return_received") == 2
    assert shop.stock() == (10, 0)
    with pytest.raises(ReturnRefused, match="0 of"):
        send_back(order_id, (shop.mug.sku, 1))
    send_due()
    paid = shop.order(order_id).total_amount - SHIPPING
    assert shop.payment(order_id).refunded_amount == paid
    shop.assert_audit_clean()


def test_each_return_gets_one_mail(shop: Shop) -> None:
    order_id = shop.place_delivered((shop.mug, 2))
    announced = [send_back(order_id, (shop.mug.sku, 1)) for _ in range(2)]
    for each in (*announced, *announced):
        receive_return(each.pk, actor="clerk")

    told = Notification.objects.filter(order_id=order_id, kind="return_received")

    assert set(told.values_list("about", flat=True)) == {str(each.pk) for each in announced}


def test_renamed_goods_find_their_stock_item(shop: Shop) -> None:
    order_id = shop.place_delivered()
    sold_as = shop.mug.sku
    Variant.objects.filter(pk=shop.mug.pk).update(sku="MUG-2027")

    assert receive_return(send_back(order_id, (sold_as, 1)).pk, actor="clerk") is True

    assert shop.stock() == (10, 0)
    shop.assert_audit_clean()


def test_name_that_is_another_things_by_now_does_not_mislead(shop: Shop) -> None:
    order_id = shop.place_delivered()
    sold_as = shop.mug.sku
    Variant.objects.filter(pk=shop.mug.pk).update(sku="MUG-2027")
    new = a_product("New mug", price=2000, stock=3)
    Variant.objects.filter(pk=new.pk).update(sku=sold_as)

    receive_return(send_back(order_id, (sold_as, 1)).pk, actor="clerk")

    assert (shop.stock(), shop.stock(new)) == ((10, 0), (3, 0))


def test_refund_is_made_although_the_stock_item_is_unknown(shop: Shop) -> None:
    """Two renamed SKUs, bought in equal numbers: only staff can tell which is which."""
    kettle = a_kettle(stock=5)
    order_id = shop.place_delivered((shop.mug, 1), (kettle, 1))
    for number, variant in enumerate((shop.mug, kettle)):
        Variant.objects.filter(pk=variant.pk).update(sku=f"RENAMED-{number}")

    receive_return(send_back(order_id, (shop.mug.sku, 1)).pk, actor="clerk")

    assert (shop.stock(), shop.stock(kettle)) == ((9, 0), (4, 0))
    assert Refund.objects.get().amount == WORTH
    assert shop.order(order_id).status == "RETURNED"
    shop.assert_audit_clean()


@pytest.mark.parametrize(
    ("quantity", "code"), [(2, "too_many"), (0, "too_many"), (-1, "too_many"), (10**9, "too_many")]
)
def test_more_than_was_bought_is_refused_and_nothing_moves(
    shop: Shop, quantity: int, code: str
) -> None:
    order_id = shop.place_delivered()
    with pytest.raises(ReturnRefused) as refused:
        send_back(order_id, (shop.mug.sku, quantity))
    assert refused.value.errors == [(shop.mug.sku, code, f"1 of {shop.mug.sku} can be returned.")]
    assert Return.objects.count() == 0
    assert shop.order(order_id).status == "DELIVERED"


def test_same_line_twice_in_one_return_counts_together(shop: Shop) -> None:
    order_id = shop.place_delivered((shop.mug, 2))
    with pytest.raises(ReturnRefused):
        send_back(order_id, (shop.mug.sku, 1), (shop.mug.sku, 2))
    announced = send_back(order_id, (shop.mug.sku, 1), (shop.mug.sku, 1))
    assert list(announced.lines.values_list("quantity", flat=True)) == [2]


def test_what_was_announced_cannot_be_announced_again(shop: Shop) -> None:
    order_id = shop.place_delivered((shop.mug, 2))
    assert returnable(shop.order(order_id)) == {shop.mug.sku: 2}
    send_back(order_id, (shop.mug.sku, 1))
    assert returnable(shop.order(order_id)) == {shop.mug.sku: 1}
    with pytest.raises(ReturnRefused, match="1 of"):
        send_back(order_id, (shop.mug.sku, 2))


def test_nothing_and_strange_things_are_refused(shop: Shop) -> None:
    order_id = shop.place_delivered()
    for lines, code in (([], "required"), ([("KETTLE", 1)], "not_bought")):
        with pytest.raises(ReturnRefused) as refused:
            send_back(order_id, *lines)
        assert [error[1] for error in refused.value.errors] == [code]
    assert Return.objects.count() == 0


@pytest.mark.parametrize("status", sorted(set(Order.Status) - set(RETURNABLE)))
def test_only_what_was_delivered_can_be_returned(shop: Shop, status: str) -> None:
    order_id = shop.place_delivered()
    Order.objects.filter(pk=order_id).update(status=status)
    with pytest.raises(ReturnRefused) as refused:
        send_back(order_id, (shop.mug.sku, 1))
    assert [error[1] for error in refused.value.errors] == ["not_returnable"]
    assert Return.objects.count() == 0


@pytest.mark.race
def test_two_tabs_return_the_same_unit_once(shop: Shop) -> None:
    order_id = shop.place_delivered()

    answers = at_once(2, lambda _: send_back(order_id, (shop.mug.sku, 1)))

    assert sorted(type(answer).__name__ for answer in answers) == ["Return", "ReturnRefused"]
    assert Return.objects.count() == 1


@pytest.mark.race
def test_two_tabs_without_the_lock_would_be_stopped_by_the_number_of_the_return(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: both look before either writes, and one shopper gets an error."""
    order_id = shop.place_delivered()
    both_have_looked = threading.Barrier(2)
    errors = returns._errors

    def look(*given):
        answer = errors(*given)
        both_have_looked.wait(timeout=5)
        return answer

    monkeypatch.setattr(returns, "_errors", look)
    queryset = type(Order.objects.all())
    monkeypatch.setattr(queryset, "select_for_update", lambda self, **_: self)

    answers = at_once(2, lambda _: send_back(order_id, (shop.mug.sku, 1)))

    assert sorted(type(answer).__name__ for answer in answers) == ["IntegrityError", "Return"]


def test_goods_are_received_although_staff_has_paid_most_back(shop: Shop) -> None:
    order_id = shop.place_delivered()
    total = shop.order(order_id).total_amount
    request_refund(order_id, amount=total - 100, purpose="admin:1", reason="sorry", actor="clerk")
    announced = send_back(order_id, (shop.mug.sku, 1))

    assert receive_return(announced.pk, actor="clerk") is True

    assert shop.stock() == (10, 0)
    assert shop.order(order_id).status == "RETURNED"
    send_due()
    assert shop.intents()[0]["amount_refunded"] == total
    assert Refund.objects.get(purpose=f"return:{announced.pk}").amount == 100
    shop.assert_audit_clean()


def test_nothing_left_to_pay_back_makes_no_refund(shop: Shop) -> None:
    order_id = shop.place_delivered()
    total = shop.order(order_id).total_amount
    request_refund(order_id, amount=total, purpose="admin:1", reason="sorry", actor="clerk")
    announced = send_back(order_id, (shop.mug.sku, 1))
    assert receive_return(announced.pk, actor="clerk") is True
    assert Refund.objects.count() == 1
    assert shop.stock() == (10, 0)


@pytest.mark.race
def test_clerks_who_receive_the_same_things_in_other_order_do_not_deadlock(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    cup: Variant = a_product("Cup", price=500, stock=9)
    kettle: Variant = a_kettle(stock=9)
    one = shop.place_delivered((cup, 1), (kettle, 1))
    two = shop.place_delivered((cup, 1), (kettle, 1))
    announced = [
        send_back(one, (cup.sku, 1), (kettle.sku, 1)),
        send_back(two, (kettle.sku, 1), (cup.sku, 1)),
    ]
    receive = stock.receive
    both_have_one = threading.Barrier(2)

    def receive_and_wait(**given):
        item = receive(**given)
        with contextlib.suppress(threading.BrokenBarrierError):
            both_have_one.wait(timeout=0.3)  # broken: the other waits for a lock, as it should
        return item

    monkeypatch.setattr(stock, "receive", receive_and_wait)

    answers = at_once(2, lambda number: receive_return(announced[number].pk, actor="clerk"))

    assert answers == [True, True]
    assert (shop.stock(cup), shop.stock(kettle)) == ((9, 0), (9, 0))
