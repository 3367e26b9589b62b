"""POST /checkouts/: what is accepted, by which key, at which total."""

import pytest

from apps.orders.models import IdempotencyKey, Order
from tests.api.conftest import Api, held, problem
from tests.factories import PromoFactory, a_sales_tax, make_bob


def test_accepted_order_is_durable_and_holds_its_stock(api, buy, mug):
    answer = api.checkout(buy(lines=[{"sku": mug.sku, "quantity": 2}]))

    assert answer.status_code == 202, answer.content
    document = answer.json()
    order = Order.objects.get(pk=document["order"]["id"])
    assert document["order"] == {
        "id": str(order.pk),
        "number": order.number,
        "status": "PENDING",
        "total": {"amount": "41.99", "currency": "USD"},
        "token": document["order"]["token"],
    }
    assert set(document["links"]) == {"self", "status", "events", "websocket"}
    assert set(document["queue"]) == {"position", "estimated_wait_seconds"}
    assert answer["Location"] == document["links"]["self"]
    assert "Idempotent-Replayed" not in answer
    assert held(mug) == 2
    seen = api.get(document["links"]["self"], X_Order_Token=document["order"]["token"])
    assert seen.status_code == 200


def test_same_key_and_body_replays_the_first_answer(api, buy, mug):
    first = api.checkout(buy(), key="k-1")
    again = api.checkout(buy(), key="k-1")

    assert again.status_code == 202
    assert again["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()
    assert Order.objects.count() == 1
    assert held(mug) == 1


def test_replay_ignores_the_order_of_fields_and_blanks(api, buy):
    first = api.checkout(buy(), key="k-1")
    shuffled = dict(reversed(buy(email=" alice@example.com ").items()))

    assert api.checkout(shuffled, key="k-1").json() == first.json()


def test_replay_gets_the_first_answer_even_when_sold_out_since(api, buy, mug):
    first = api.checkout(buy(lines=[{"sku": mug.sku, "quantity": 3}]), key="k-1")
    mug.product.published = False
    mug.product.save()

    again = api.checkout(buy(lines=[{"sku": mug.sku, "quantity": 3}]), key="k-1")

    assert again.json() == first.json()


def test_same_key_with_other_body_is_refused(api, buy):
    api.checkout(buy(), key="k-1")

    problem(api.checkout(buy(email="bob@example.com"), key="k-1"), 422, "idempotency_key_reused")
    assert Order.objects.count() == 1


def test_two_customers_may_use_the_same_key(buy, alice):
    of_alice = Api().as_user(alice).checkout(buy(), key="k-1")
    of_bob = Api().as_user(make_bob()).checkout(buy(), key="k-1")

    assert of_alice.status_code == of_bob.status_code == 202
    assert of_alice.json()["order"]["id"] != of_bob.json()["order"]["id"]
    assert set(IdempotencyKey.objects.values_list("scope", flat=True)) == {
        f"user:{order.user_id}" for order in Order.objects.all()
    }


@pytest.mark.parametrize("key", ["", "   "])
def test_without_a_key_nothing_is_ordered(api, buy, key):
    answer = api.post("/checkouts/", buy(), **{"Idempotency-Key": key})

    problem(answer, 400, "idempotency_key_missing")
    assert not Order.objects.exists()


@pytest.mark.parametrize("key", ["x" * 256, "two words", "umläut", "tab\tbed"])
def test_a_key_is_visible_ascii(api, buy, key):
    problem(api.checkout(buy(), key=key), 400, "idempotency_key_invalid")
    assert api.checkout(buy(), key="!" + "~" * 254).status_code == 202


def test_expected_total_that_fits_is_accepted(api, buy):
    answer = api.checkout(buy(expected_total={"amount": "23.99", "currency": "USD"}))

    assert answer.status_code == 202


def test_other_total_is_answered_with_the_quote(api, buy, mug):
    answer = api.checkout(buy(expected_total={"amount": "1.00", "currency": "USD"}))

    quote = problem(answer, 409, "price_changed")["quote"]
    assert quote["totals"]["total"] == {"amount": "23.99", "currency": "USD"}
    assert quote["lines"][0]["sku"] == mug.sku
    assert not Order.objects.exists()
    assert held(mug) == 0


@pytest.mark.parametrize("typed", ["MORNING", "morning", " Mor ning ", "ＭＯＲＮＩＮＧ", "МORNING"])
def test_promo_in_any_spelling_takes_off(api, buy, typed):
    PromoFactory(code="MORNING")

    answer = api.checkout(buy(promo_code=typed))

    assert answer.json()["order"]["total"]["amount"] == "22.19"


def test_unknown_promo_is_refused_under_its_code(api, buy):
    answer = api.checkout(buy(promo_code="NOPE"))

    assert problem(answer, 400, "promo_invalid")["errors"][0]["field"] == "promo_code"
    assert not Order.objects.exists()


def test_last_use_of_a_promo_goes_to_one(api, buy, mug):
    PromoFactory(code="ONCE", one_use=True)
    assert api.checkout(buy(promo_code="ONCE")).status_code == 202

    problem(api.checkout(buy(promo_code="ONCE", email="b@example.com")), 409, "promo_exhausted")
    assert Order.objects.count() == 1
    assert held(mug) == 1


def test_tax_is_in_the_total(api, buy):
    a_sales_tax(rate_bp=1000)

    assert api.checkout(buy()).json()["order"]["total"]["amount"] != "23.99"
