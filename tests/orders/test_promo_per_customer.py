"""Once per customer: the use goes to the order that is paid first, the other is cancelled."""

import pytest

from apps.orders import audit, payloads
from apps.orders.errors import NotQuotable
from apps.orders.fulfilment import cancellation
from apps.orders.models import Order
from apps.promos.models import Promo, Redemption
from tests.factories import PromoFactory
from tests.orders.purchases import Shop

pytestmark = pytest.mark.django_db(transaction=True)

CHALLENGED = "pm_card_threeDSecure2Required"


@pytest.fixture
def welcome(shop: Shop) -> Promo:
    return PromoFactory(code="WELCOME15", customer_limit=1)


def test_two_orders_of_one_mailbox_that_are_both_paid_end_with_one_use(shop, welcome):
    first = shop.place(promo=welcome, email="alice@example.com")
    second = shop.place(promo=welcome, email="Alice+again@example.com")

    shop.run_hurried(first, second)

    assert sorted(Order.objects.values_list("status", flat=True)) == ["CANCELLED", "CONFIRMED"]
    (live,) = Redemption.objects.filter(live=True)
    assert (live.use_number, live.customer_key) == (1, "alice@example.com")
    welcome.refresh_from_db()
    assert welcome.used == 1
    cancelled = Order.objects.get(status="CANCELLED")
    payment = shop.payment(cancelled.pk)
    assert (payment.status, payment.captured_amount) == ("voided", 0)
    assert payloads.status(cancelled)["message"] == (
        "The code in this order has been used for another order of yours, so we cancelled this one."
        " You have not been charged."
    )
    shop.assert_audit_clean()


def test_unpaid_order_of_a_stranger_does_not_keep_alice_from_the_code(shop, welcome):
    strangers = shop.place(promo=welcome, card=CHALLENGED)
    shop.run()

    alices = shop.place_confirmed(promo=welcome)
    shop.answer_challenge(strangers, "approve")
    shop.wake(strangers)
    shop.run_hurried(strangers)

    assert Redemption.objects.get(live=True).order_id == alices
    order = Order.objects.get(pk=strangers)
    assert order.status == "CANCELLED"
    assert shop.payment(strangers).status == "voided"
    shop.assert_audit_clean()


def test_cancelled_order_frees_the_use(shop, welcome):
    first = shop.place_confirmed(promo=welcome)
    cancellation.request_cancellation(first)
    shop.run_hurried(first)

    shop.place_confirmed(promo=welcome)

    assert Redemption.objects.get(live=True).use_number == 1
    shop.assert_audit_clean()


def test_total_limit_is_reserved_when_the_order_is_accepted(shop):
    golden = PromoFactory(code="GOLDENTICKET", one_use=True)
    shop.place(promo=golden, card=CHALLENGED)

    with pytest.raises(NotQuotable, match="GOLDENTICKET has been used up"):
        shop.place(promo=golden, email="bob@example.com")


def test_audit_sees_a_paid_order_whose_use_is_not_counted(shop, welcome):
    shop.place_confirmed(promo=welcome)
    shop.assert_audit_clean()

    Redemption.objects.update(use_number=None)

    assert [found.number for found in audit.check() if not found.holds] == [6]
