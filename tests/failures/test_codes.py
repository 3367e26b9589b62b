"""Promo codes: a use counted twice, given twice, or lost after the payment."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.db.models.functions import Now

from apps.orders.models import Order
from apps.promos import redeem
from apps.promos.models import Promo, Redemption
from tests.api.conftest import problem
from tests.factories import PromoFactory
from tests.failures.shoppers import (
    CHALLENGE,
    Shopper,
    accepted_first,
    meet,
    no_row_locks,
    without,
)
from tests.orders.checkouts import everything
from tests.orders.purchases import TOTAL, Shop, at_once
from tests.web.conftest import Visitor

TEN_OFF = 1800 - 180 + 599 + 134  # goods, shipping, and 8.25 % tax on the goods


def uses(promo: Promo) -> tuple[int, int]:
    """(counted, live redemptions)."""
    promo.refresh_from_db()
    return promo.used, Redemption.objects.filter(promo=promo, live=True).count()


# --- One-use code, two sessions -------------------------------------------------------------------


def both_order(alice: Shopper, bob: Shopper, code: str) -> list:
    both = (alice, bob)
    return accepted_first(at_once(2, lambda n: both[n].orders(both[n].body(promo_code=code))))


@pytest.mark.race
def test_one_use_code_in_two_sessions_is_used_once(
    shop: Shop, alice: Shopper, bob: Shopper, two_processes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    promo = PromoFactory(code="GOLDEN", one_use=True)
    meet(monkeypatch, redeem, "decide")  # both were quoted with the code while it was free

    accepted, refused = both_order(alice, bob, "GOLDEN")

    assert accepted.status_code == 202
    problem(refused, 409, "promo_exhausted")
    shop.run()
    order = Order.objects.get()
    assert (order.total_amount, uses(promo)) == (TEN_OFF, (1, 1))
    assert shop.at_gateway(order.pk) == [("succeeded", TEN_OFF, 0)]
    assert len(shop.intents()) == 1, "who was refused was not charged"
    assert shop.stock() == (9, 0)
    shop.assert_confirmed(order.pk)


@pytest.mark.race
def test_one_use_code_is_kept_by_its_constraint_where_the_lock_is_missing(
    shop: Shop, alice: Shopper, bob: Shopper, two_processes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    promo = PromoFactory(code="GOLDEN", one_use=True)
    no_row_locks(monkeypatch)
    meet(monkeypatch, redeem, "decide", after=True)

    accepted, refused = both_order(alice, bob, "GOLDEN")

    assert accepted.status_code == 202
    problem(refused, 409, "promo_exhausted")
    assert (uses(promo), shop.stock()) == ((1, 1), (10, 1))
    shop.run()
    shop.assert_audit_clean()


@pytest.mark.race
def test_control_one_use_code_without_lock_and_constraint_is_used_twice(
    shop: Shop, alice: Shopper, bob: Shopper, two_processes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    promo = PromoFactory(code="GOLDEN", one_use=True)
    no_row_locks(monkeypatch)
    meet(monkeypatch, redeem, "decide", after=True)

    with without("promo_used_within_limit"):
        answers = both_order(alice, bob, "GOLDEN")

        assert [answer.status_code for answer in answers] == [202, 202]
        assert uses(promo) == (2, 2)
        assert set(shop.violations(liveness=False)) == {6}


# --- 3-D Secure counts a promo twice --------------------------------------------------------------


def at_the_bank(shop: Shop, alice: Shopper, promo: Promo, key: str = "k-1") -> UUID:
    order_id = alice.buys(promo_code=promo.code, payment_method=CHALLENGE, key=key)
    shop.run()
    assert alice.sees(order_id) == "REQUIRES_ACTION"
    return order_id


def test_3d_secure_counts_a_promo_once(shop: Shop, alice: Shopper) -> None:
    """The way back loads the page twice, the app sends the checkout again, the webhook repeats."""
    promo = PromoFactory(code="WELCOME", customer_limit=1, total_limit=2)
    order_id = at_the_bank(shop, alice, promo)
    assert uses(promo) == (1, 1)
    shop.answer_challenge(order_id, "approve")

    browser = Visitor(raise_request_exception=False)
    way_back = f"/orders/{order_id}/?token={alice.tokens[order_id]}&redirect_status=succeeded"
    assert {browser.get(way_back, follow=True).status_code for _ in range(2)} == {200}
    again = alice.orders(alice.body(promo_code="WELCOME", payment_method=CHALLENGE), key="k-1")
    shop.hear()
    shop.run()
    shop.hear()
    shop.run()

    assert (again.status_code, again["Idempotent-Replayed"]) == (202, "true")
    assert uses(promo) == (1, 1)
    assert Redemption.objects.get().order_id == order_id
    assert shop.at_gateway(order_id) == [("succeeded", TEN_OFF, 0)]
    assert len(shop.intents()) == 1
    shop.assert_confirmed(order_id)


@pytest.mark.usefixtures("declines_are_final")
def test_3d_secure_refused_gives_a_promo_back_once(
    shop: Shop, alice: Shopper, bob: Shopper
) -> None:
    promo = PromoFactory(code="WELCOME", customer_limit=1, total_limit=2)
    bobs = bob.buys(promo_code="WELCOME")
    order_id = at_the_bank(shop, alice, promo)
    assert uses(promo) == (2, 2)

    shop.answer_challenge(order_id, "refuse")
    for _ in range(2):
        shop.hear()
        shop.run()

    assert uses(promo) == (1, 1), "alice's use came back once, bob's still counts"
    assert Redemption.objects.get(live=True).order_id == bobs
    shop.assert_cancelled(order_id)
    shop.assert_confirmed(bobs)

    second = alice.buys(promo_code="WELCOME")
    shop.run()
    assert uses(promo) == (2, 2)
    shop.assert_confirmed(second)


# --- Code expires after payment -------------------------------------------------------------------


def test_code_that_expires_while_the_bank_asks_still_counts(
    shop: Shop, alice: Shopper, bob: Shopper
) -> None:
    promo = PromoFactory(code="TODAY")
    order_id = at_the_bank(shop, alice, promo)

    Promo.objects.update(ends_at=Now() - timedelta(seconds=1))
    shop.answer_challenge(order_id, "approve")
    shop.hear()
    shop.run()

    assert shop.order(order_id).total_amount == TEN_OFF
    assert shop.at_gateway(order_id) == [("succeeded", TEN_OFF, 0)]
    assert uses(promo) == (1, 1)
    shop.assert_confirmed(order_id)
    late = bob.orders(bob.body(promo_code="TODAY"))
    problem(late, 400, "promo_expired")
    assert len(shop.intents()) == 1, "a late order is refused before it is paid"


def test_code_that_expires_in_the_cart_is_refused_before_anything_is_charged(
    shop: Shop, alice: Shopper
) -> None:
    promo = PromoFactory(code="TODAY")
    cart_id = alice.cart_of((shop.mug, 1))
    assert alice.put(f"/carts/{cart_id}/promo/", {"code": "TODAY"}).status_code == 200
    Promo.objects.update(ends_at=Now() - timedelta(seconds=1))
    before = everything()

    refused = alice.orders(alice.body(cart=cart_id), key="k-1")

    problem(refused, 400, "promo_expired")
    assert everything() == before
    assert shop.intents() == []
    assert alice.delete(f"/carts/{cart_id}/promo/").status_code == 200
    order_id = alice.buys(cart=cart_id, key="k-1")
    shop.run()
    assert shop.order(order_id).total_amount == TOTAL
    assert uses(promo) == (0, 0)
    shop.assert_confirmed(order_id)
