"""How long units of unpaid orders are held: longer once the shopper opens the bank's page."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from apps.inventory.models import Hold, StockItem
from apps.orders import payloads
from apps.orders.models import Order
from apps.orders.saga import hold_expiry, hold_times
from apps.payments.gateway import GatewayUnreachable
from apps.payments.stripe_gateway import StripeGateway
from tests.orders.purchases import Shop

pytestmark = pytest.mark.django_db(transaction=True)

CHALLENGED = "pm_card_threeDSecure2Required"


def ask_the_bank(shop: Shop, **given: Any) -> Any:
    order_id = shop.place(card=CHALLENGED, **given)
    shop.run()
    return order_id


def promised(order_id: Any) -> datetime:
    """Until when, as the shopper reads it."""
    action = payloads.status(Order.objects.get(pk=order_id))["next_action"]
    return datetime.fromisoformat(action["until"])


def kept(shop: Shop, order_id: Any) -> set[datetime]:
    """Until when, by the hold, by the saga's deadline and by its `due_at`."""
    saga = shop.saga(order_id)
    return {Hold.objects.get(order_id=order_id).expires_at, saga.deadline_at, saga.due_at}


def test_shopper_asked_by_the_bank_has_five_minutes(shop, settings):
    order_id = ask_the_bank(shop)

    until = promised(order_id)
    asked_at = Order.objects.get().updated_at  # of the very transaction
    assert until - asked_at == settings.ACTION_TIME == timedelta(minutes=5)
    assert kept(shop, order_id) == {until}


def test_message_tells_the_same_moment(shop):
    order_id = ask_the_bank(shop)

    message = payloads.status(Order.objects.get(pk=order_id))["message"]

    assert message.endswith(f"We hold your items until {promised(order_id):%H:%M} UTC.")


def test_shopper_at_the_banks_page_has_the_time_of_any_order(shop, settings):
    order_id = ask_the_bank(shop)

    url = hold_times.begin(order_id)

    order = Order.objects.get(pk=order_id)
    assert url == shop.payment(order_id).next_action_url
    assert promised(order_id) == order.placed_at + settings.HOLD_TIME
    assert kept(shop, order_id) == {promised(order_id)}
    assert (order.status, order.seq) == ("REQUIRES_ACTION", 3), "a client is told of it by `seq`"


def test_opening_the_banks_page_again_extends_nothing(shop):
    order_id = ask_the_bank(shop)
    hold_times.begin(order_id)
    until = promised(order_id)

    assert hold_times.begin(order_id) == shop.payment(order_id).next_action_url

    assert (promised(order_id), Order.objects.get().seq) == (until, 3)


def test_claiming_again_gives_no_more_time(shop):
    order_id = ask_the_bank(shop)
    until = promised(order_id)
    shop.wake(order_id)
    shop.run()

    assert promised(order_id) == until
    assert kept(shop, order_id) == {until}


def test_shopper_who_does_nothing_loses_the_units(shop):
    order_id = ask_the_bank(shop)
    shop.pass_deadline(order_id)
    hold_expiry.make_due_expired()

    shop.run_hurried(order_id)

    assert Order.objects.get().status == "CANCELLED"
    assert StockItem.objects.get().reserved == 0


def test_approval_in_time_keeps_the_units(shop):
    order_id = ask_the_bank(shop)
    hold_times.begin(order_id)
    shop.answer_challenge(order_id, "approve")
    shop.wake(order_id)

    shop.run_hurried(order_id)

    shop.assert_confirmed(order_id)


def test_no_shopper_is_sent_to_a_bank_that_does_not_ask(shop):
    order_id = shop.place_confirmed()

    assert hold_times.begin(order_id) == ""
    assert Order.objects.get().status == "CONFIRMED"


class TestOneCard:
    @pytest.fixture(autouse=True)
    def cap_of_the_shop(self, settings: Any) -> None:
        settings.UNPAID_ORDERS_OF_CARD = 3

    def test_fourth_order_that_waits_for_one_card_is_cancelled(self, shop):
        first = [ask_the_bank(shop, email=f"m{n}@example.com") for n in range(3)]

        fourth = ask_the_bank(shop, email="m4@example.com")
        shop.run_hurried(fourth)

        statuses = [Order.objects.get(pk=pk).status for pk in (*first, fourth)]
        assert statuses == ["REQUIRES_ACTION"] * 3 + ["CANCELLED"]
        assert StockItem.objects.get().reserved == 3
        assert (
            "Other orders already wait for this card"
            in (payloads.status(Order.objects.get(pk=fourth))["message"])
        )

    def test_of_five_in_one_batch_three_wait(self, shop):
        for n in range(5):
            shop.place(card=CHALLENGED, email=f"m{n}@example.com")
        shop.run()
        shop.hurry()
        shop.run()

        statuses = sorted(Order.objects.values_list("status", flat=True))
        assert statuses == ["CANCELLED"] * 2 + ["REQUIRES_ACTION"] * 3

    def test_who_pays_at_once_is_not_counted(self, shop):
        for n in range(5):
            shop.place_confirmed(email=f"m{n}@example.com")

    def test_gateway_that_does_not_tell_the_card_refuses_no_one(self, shop, monkeypatch):
        def silent(self: Any, payment_method: str) -> str:
            raise GatewayUnreachable("gone")

        monkeypatch.setattr(StripeGateway, "card_of", silent)

        orders = [ask_the_bank(shop, email=f"m{n}@example.com") for n in range(4)]

        assert {Order.objects.get(pk=pk).status for pk in orders} == {"REQUIRES_ACTION"}
