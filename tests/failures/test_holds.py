"""Holds: a unit sold while it is paid for, a shopper blocked by their own hold."""

from urllib.parse import urlsplit

import pytest

from apps.inventory import holds
from apps.inventory.models import Hold
from apps.orders.models import Order
from tests.api.conftest import problem
from tests.factories import a_mug
from tests.failures.shoppers import CHALLENGE, DECLINED, Shopper, sold_out
from tests.orders.purchases import Shop

# --- Hold expires during payment ------------------------------------------------------------------


def test_hold_that_expires_during_payment_keeps_its_unit_until_the_payment_is_voided(
    shop: Shop, alice: Shopper, bob: Shopper
) -> None:
    last = a_mug(stock=1)
    order_id = alice.buys((last, 1), payment_method=CHALLENGE)
    shop.run()
    shop.pass_deadline(order_id)

    assert sold_out(bob.orders(bob.body((last, 1)))) == {last.sku: 0}

    shop.answer_challenge(order_id, "approve")
    shop.hear()
    shop.run()
    assert alice.sees(order_id) == "CONFIRMED"
    assert (shop.stock(last), len(shop.intents())) == ((0, 0), 1)
    shop.assert_confirmed(order_id)


def test_hold_that_expired_is_free_only_after_the_payment_can_no_longer_come(
    shop: Shop, alice: Shopper, bob: Shopper
) -> None:
    last = a_mug(stock=1)
    order_id = alice.buys((last, 1), payment_method=CHALLENGE)
    shop.run()
    bank_page = urlsplit(shop.payment(order_id).next_action_url).path
    shop.pass_deadline(order_id)
    shop.run()

    assert alice.sees(order_id) == "CANCELLED"
    late = shop.sandbox.raw("POST", bank_page, "decision=approve", key="")
    assert late.status < 500
    bobs = bob.buys((last, 1))
    shop.hear()
    shop.run()

    assert shop.at_gateway(order_id) == [("canceled", 0, 0)]
    assert shop.stock(last) == (0, 0)
    shop.assert_cancelled(order_id)
    shop.assert_confirmed(bobs)


def test_control_hold_released_by_the_clock_alone_sells_a_unit_that_is_being_paid(
    shop: Shop, alice: Shopper, bob: Shopper
) -> None:
    """The usual cron job: expired holds go back on sale, whatever the payment does."""
    last = a_mug(stock=1)
    order_id = alice.buys((last, 1), payment_method=CHALLENGE)
    shop.run()
    Hold.objects.filter(order_id=order_id).update(expires_at="2020-01-01T00:00Z")

    holds.release([order_id])
    bobs = bob.buys((last, 1))
    shop.answer_challenge(order_id, "approve")
    shop.hear()
    shop.run()

    assert alice.sees(order_id) == "CANCELLED", "authorized by the bank, and sold out"
    assert shop.saga(order_id).cancel_reason == "sold_out"
    shop.assert_cancelled(order_id)
    shop.assert_confirmed(bobs)


# --- Shopper blocked by their own hold ------------------------------------------------------------


def test_shopper_is_not_blocked_by_their_own_hold(shop: Shop, alice: Shopper, bob: Shopper) -> None:
    last = a_mug(stock=1)
    cart_id = alice.cart_of((last, 1))
    body = alice.body(cart=cart_id, payment_method=CHALLENGE)
    order_id = alice.buys(cart=cart_id, payment_method=CHALLENGE, key="k-1")
    shop.run()

    again = alice.orders(body, key="k-1")  # back from the bank's page, and "place order" once more
    other_tab = alice.orders(body, key="k-2")

    assert (again.status_code, again.json()["order"]["id"]) == (202, str(order_id))
    ordered = problem(other_tab, 409, "cart_already_ordered")["order"]
    assert ordered == {"id": str(order_id), "number": shop.order(order_id).number}
    assert sold_out(bob.orders(bob.body((last, 1)))) == {last.sku: 0}, "to others it is sold out"
    shop.answer_challenge(order_id, "approve")
    shop.hear()
    shop.run()
    assert (shop.stock(last), Order.objects.count()) == ((0, 0), 1)
    shop.assert_confirmed(order_id)


@pytest.mark.usefixtures("declines_are_final")
@pytest.mark.parametrize("end", ["declined", "cancelled", "refused at the bank"])
def test_shopper_whose_order_ended_buys_the_same_last_unit_at_once(
    shop: Shop, alice: Shopper, end: str
) -> None:
    last = a_mug(stock=1)
    card = {"declined": DECLINED, "refused at the bank": CHALLENGE}.get(end, "pm_card_visa")
    first = alice.buys((last, 1), payment_method=card)
    shop.run()
    if end == "cancelled":
        assert alice.cancels(first).status_code == 202
    elif end == "refused at the bank":
        shop.answer_challenge(first, "refuse")
        shop.hear()
    shop.run()
    assert shop.stock(last) == (1, 0)

    second = alice.buys((last, 1))
    shop.run()

    assert shop.stock(last) == (0, 0)
    shop.assert_cancelled(first)
    shop.assert_confirmed(second)


# --- In-stock filter ignores holds ----------------------------------------------------------------


def test_in_stock_filter_takes_holds_off(shop: Shop, alice: Shopper, bob: Shopper) -> None:
    last = a_mug(stock=2)
    slug = last.product.slug

    def listed() -> bool:
        found = bob.get("/products/", {"in_stock": "true", "page_size": "100"}).json()["results"]
        return slug in {product["slug"] for product in found}

    def shown() -> tuple[bool, int]:
        document = bob.get(f"/products/{slug}/").json()
        return document["in_stock"], document["variants"][0]["available"]

    assert (listed(), shown()) == (True, (True, 2))

    order_id = alice.buys((last, 2), payment_method=CHALLENGE)

    assert shop.stock(last) == (2, 2), "both still lie there"
    assert (listed(), shown()) == (False, (False, 0))
    assert sold_out(bob.orders(bob.body((last, 1)))) == {last.sku: 0}
    shop.run()
    assert alice.cancels(order_id).status_code == 202
    shop.run()
    assert (listed(), shown()) == (True, (True, 2))
    shop.assert_cancelled(order_id)
