"""Another card on the same order, after one was declined."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as shop_settings
from django.db import connection

from apps.inventory.models import Hold
from apps.orders.errors import NotPayable
from apps.orders.fulfilment import cancellation
from apps.orders.models import Order, OrderEvent
from apps.promos.models import Promo
from tests.factories import PromoFactory
from tests.orders.purchases import TOTAL, Shop

DECLINED = "pm_card_visa_chargeDeclined"
CHALLENGE = "pm_card_threeDSecure2Required"


def declined(shop: Shop, **given: Any) -> Any:
    order_id = shop.place(card=DECLINED, **given)
    shop.run()
    assert shop.statuses(order_id) == ["PENDING", "PAYMENT_FAILED"]
    return order_id


def test_declined_order_waits_with_its_units_and_code_and_says_until_when(shop: Shop) -> None:
    order_id = declined(shop, promo=PromoFactory(one_use=True))

    saga = shop.saga(order_id)
    until = saga.deadline_at.isoformat().replace("+00:00", "Z")
    event = OrderEvent.objects.get(order_id=order_id, status="PAYMENT_FAILED")
    assert event.next_action == {
        "type": "pay_again",
        "url": f"{shop_settings.SHOP_URL}/api/v1/orders/{order_id}/payments/",
        "until": until,
    }
    assert event.message == (
        f"Your card was declined. You can pay with another card until {saga.deadline_at:%H:%M} UTC."
    )
    assert timedelta(minutes=9) < saga.deadline_at - event.created_at <= timedelta(minutes=10)
    assert (saga.state, saga.waiting_for, saga.due_at) == (
        "forward", "another card", saga.deadline_at,
    )  # fmt: skip
    assert Hold.objects.get().expires_at == saga.deadline_at
    assert (shop.stock(), Promo.objects.get().used) == ((10, 1), 1)
    assert shop.mails(order_id) == ["payment_declined"]
    assert shop.run() == 0, "nothing is asked until the shopper or the deadline comes"
    shop.assert_audit_clean()


def test_another_card_pays_the_same_order(shop: Shop) -> None:
    order_id = declined(shop)

    shop.pay_again(order_id)
    assert shop.statuses(order_id)[-1] == "PENDING"
    assert shop.stock() == (10, 1)
    shop.run()

    assert shop.statuses(order_id) == [
        *("PENDING", "PAYMENT_FAILED", "PENDING", "PAYMENT_AUTHORIZED", "CONFIRMED")
    ]
    assert shop.attempts(order_id) == [("voided", False), ("captured", True)]
    assert sorted(shop.at_gateway(order_id)) == [("canceled", 0, 0), ("succeeded", TOTAL, 0)]
    assert shop.stock() == (9, 0)
    shop.assert_confirmed(order_id)
    shop.hear()
    assert shop.run() == 0
    shop.assert_confirmed(order_id)


def test_declined_again_waits_again_for_the_whole_time(shop: Shop) -> None:
    order_id = declined(shop)
    first = shop.saga(order_id).deadline_at

    shop.pay_again(order_id, DECLINED)
    shop.run()

    assert shop.statuses(order_id)[-2:] == ["PENDING", "PAYMENT_FAILED"]
    assert shop.attempts(order_id) == [("voided", False), ("failed", True)]
    assert shop.saga(order_id).deadline_at > first
    assert shop.mails(order_id) == ["payment_declined"], "one mail, however many cards are tried"
    shop.pay_again(order_id)
    shop.run()
    shop.assert_confirmed(order_id)


def test_refused_challenge_can_be_paid_with_another_card(shop: Shop) -> None:
    order_id = shop.place(card=CHALLENGE)
    shop.run()
    shop.answer_challenge(order_id, "refuse")
    shop.hear()
    shop.run()
    assert shop.statuses(order_id) == ["PENDING", "REQUIRES_ACTION", "PAYMENT_FAILED"]

    shop.pay_again(order_id, CHALLENGE)
    shop.run()
    assert shop.statuses(order_id)[-2:] == ["PENDING", "REQUIRES_ACTION"]
    shop.answer_challenge(order_id, "approve")
    shop.hear()
    shop.run()

    shop.assert_confirmed(order_id)


def test_lapsed_order_is_cancelled_and_its_units_are_free_at_once(shop: Shop) -> None:
    order_id = declined(shop, promo=PromoFactory(one_use=True))

    shop.pass_deadline(order_id)
    with pytest.raises(NotPayable):
        shop.pay_again(order_id)
    shop.run()

    assert shop.statuses(order_id) == ["PENDING", "PAYMENT_FAILED", "CANCELLED"]
    assert (shop.stock(), Promo.objects.get().used) == ((10, 0), 0)
    assert shop.saga(order_id).cancel_reason == "declined"
    shop.assert_cancelled(order_id)
    with pytest.raises(NotPayable):
        shop.pay_again(order_id)


def test_shopper_who_gives_up_frees_the_units_at_once(shop: Shop) -> None:
    order_id = declined(shop)

    cancellation.request_cancellation(order_id)
    with pytest.raises(NotPayable):
        shop.pay_again(order_id)
    shop.run()

    assert shop.statuses(order_id) == ["PENDING", "PAYMENT_FAILED", "CANCELLED"]
    assert shop.stock() == (10, 0)
    assert shop.saga(order_id).cancel_reason == "shopper"
    shop.assert_cancelled(order_id)


def test_cancelled_after_the_second_card_was_declined_gives_all_attempts_back(shop: Shop) -> None:
    order_id = declined(shop)
    shop.pay_again(order_id, DECLINED)
    shop.run()

    cancellation.request_cancellation(order_id)
    shop.run()

    assert shop.attempts(order_id) == [("voided", False), ("voided", True)]
    assert shop.at_gateway(order_id) == [("canceled", 0, 0)] * 2
    shop.assert_cancelled(order_id)


@pytest.mark.parametrize(
    "card", ["pm_card_visa_chargeDeclinedStolenCard", "pm_card_visa_chargeDeclinedLostCard"]
)
def test_suspected_buyer_gets_no_second_try(shop: Shop, card: str) -> None:
    order_id = shop.place(card=card)

    shop.run()

    assert shop.statuses(order_id) == ["PENDING", "PAYMENT_FAILED", "CANCELLED"]
    shop.assert_cancelled(order_id)


def test_only_so_many_cards_are_tried(shop: Shop, settings: Any) -> None:
    settings.PAYMENT_ATTEMPTS = 2
    order_id = declined(shop)

    shop.pay_again(order_id, DECLINED)
    shop.run()

    assert shop.statuses(order_id)[-3:] == ["PENDING", "PAYMENT_FAILED", "CANCELLED"]
    shop.assert_cancelled(order_id)


def test_without_time_to_pay_again_a_decline_is_final(shop: Shop, settings: Any) -> None:
    settings.PAYMENT_RETRY_TIME = timedelta(0)
    order_id = shop.place(card=DECLINED)

    shop.run()

    assert shop.statuses(order_id) == ["PENDING", "PAYMENT_FAILED", "CANCELLED"]
    assert shop.mails(order_id) == ["order_cancelled"]
    shop.assert_cancelled(order_id)


def test_hold_is_never_extended_past_its_cap(shop: Shop, settings: Any) -> None:
    settings.HOLD_TIME_CAP = timedelta(minutes=7)
    order_id = declined(shop)
    cap = shop.order(order_id).placed_at + timedelta(minutes=7)
    assert shop.saga(order_id).deadline_at == Hold.objects.get().expires_at == cap

    shop.pay_again(order_id, DECLINED)
    assert shop.saga(order_id).deadline_at == Hold.objects.get().expires_at == cap
    shop.run()

    assert shop.saga(order_id).deadline_at == cap


def test_declined_at_the_cap_is_final(shop: Shop) -> None:
    order_id = shop.place(card=DECLINED)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE orders_order SET placed_at = placed_at - interval '1 hour'")

    shop.run()

    assert shop.statuses(order_id) == ["PENDING", "PAYMENT_FAILED", "CANCELLED"]
    shop.assert_cancelled(order_id)


def test_unknown_answer_is_no_decline(shop: Shop) -> None:
    order_id = shop.place(card=DECLINED)
    shop.sandbox.faults({"fault": "outage"})
    shop.run()

    assert shop.order(order_id).status == "PENDING"
    with pytest.raises(NotPayable):
        shop.pay_again(order_id)
    assert len(shop.attempts(order_id)) == 1
    shop.sandbox.faults()
    shop.hurry()
    shop.run()
    assert shop.order(order_id).status == "PAYMENT_FAILED"


def test_second_card_is_not_asked_before_the_first_is_void(shop: Shop) -> None:
    order_id = declined(shop)
    shop.pay_again(order_id)
    shop.sandbox.faults(
        {"fault": "error_500_before", "count": 1, "operations": ["payment_intents.cancel"]}
    )

    shop.run()
    assert shop.attempts(order_id) == [("failed", False), ("created", True)]
    assert len(shop.intents(order_id)) == 1

    shop.hurry()
    shop.run()
    shop.assert_confirmed(order_id)


def test_orders_that_may_be_paid_again_count_as_unpaid(shop: Shop) -> None:
    """The limits of unpaid orders (intake/unpaid_limits.py) go by the status."""
    order_id = declined(shop)
    assert Order.objects.get(pk=order_id).status == "PAYMENT_FAILED"
