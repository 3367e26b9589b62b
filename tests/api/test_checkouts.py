"""POST /checkouts/: every row of the contract's table."""

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
import redis
from django.db import connections
from uuid_utils.compat import uuid7

from apps.cart import guests
from apps.inventory.models import StockItem
from apps.orders import intake
from apps.orders.errors import IdempotencyInFlight, OutcomeUnknown, Overloaded
from apps.orders.models import IdempotencyKey, Order
from tests.api.conftest import Api, problem
from tests.factories import PromoFactory, a_kettle, a_mug, a_sales_tax, make_bob, sold_out_mug


def held(variant):
    return StockItem.objects.get(variant=variant).reserved


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


def test_replay_hears_the_first_answer_even_when_sold_out_since(api, buy, mug):
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
    hers = Api().as_user(alice).checkout(buy(), key="k-1")
    his = Api().as_user(make_bob()).checkout(buy(), key="k-1")

    assert hers.status_code == his.status_code == 202
    assert hers.json()["order"]["id"] != his.json()["order"]["id"]
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


def test_every_wrong_field_is_named(api, shop):
    answer = api.checkout({"lines": [{"sku": "", "quantity": 0}], "email": "alice"})

    errors = problem(answer, 400, "invalid")["errors"]
    assert {(error["field"], error["code"]) for error in errors} >= {
        ("lines[0].sku", "blank"),
        ("lines[0].quantity", "min_value"),
        ("email", "invalid"),
        ("shipping_address", "required"),
        ("shipping_method", "required"),
        ("payment_method", "required"),
    }


def test_wrong_fields_of_the_address_are_named_by_path(api, buy):
    address = {"name": "", "line1": "1 Pine", "city": "P", "country": "XX", "phone": "call me"}

    errors = problem(api.checkout(buy(shipping_address=address)), 400, "invalid")["errors"]

    assert {error["field"] for error in errors} == {
        "shipping_address.name",
        "shipping_address.country",
        "shipping_address.phone",
    }


@pytest.mark.parametrize(
    "quantity", [0, -1, 1.5, 1.0, 2**31, 2**63, "1e9", "1", True, None, [1], {"n": 1}]
)
def test_quantity_is_a_whole_number_above_nothing(api, buy, mug, quantity):
    answer = api.checkout(buy(lines=[{"sku": mug.sku, "quantity": quantity}]))

    errors = problem(answer, 400, "invalid")["errors"]
    assert [error["field"] for error in errors] == ["lines[0].quantity"]
    assert not Order.objects.exists()


def test_quantity_not_a_number(api, buy, mug):
    body = b'{"lines": [{"sku": "%s", "quantity": NaN}]}' % mug.sku.encode()

    problem(api.raw("/checkouts/", body, Idempotency_Key="k"), 400, "malformed_body")


@pytest.mark.parametrize("changes", [{"lines": []}, {"lines": ...}, {"cart": "not-a-uuid"}])
def test_an_order_of_nothing_is_refused(api, buy, changes):
    problem(api.checkout(buy(**changes)), 400, "invalid")


def test_cart_and_lines_together_are_refused(api, buy):
    answer = api.checkout(buy(cart=api.new_cart()["id"]))

    assert problem(answer, 400, "invalid")["errors"][0]["field"] == "lines"


def test_client_price_status_and_user_are_ignored(api, buy, mug):
    forged = buy(
        lines=[{"sku": mug.sku, "quantity": 1, "price": "0.01", "unit_amount": 1}],
        total="0.01",
        price=1,
        status="DELIVERED",
        user=1,
        user_id=1,
        currency="EUR",
    )

    placed = Order.objects.get(pk=api.checkout(forged).json()["order"]["id"])

    assert (placed.total_amount, placed.status, placed.user_id) == (2399, "PENDING", None)


def test_other_currency_in_expected_total_is_refused(api, buy):
    answer = api.checkout(buy(expected_total={"amount": "23.99", "currency": "EUR"}))

    assert problem(answer, 400, "invalid")["errors"][0]["field"] == "expected_total.currency"


@pytest.mark.parametrize("amount", [23.99, "23,99", "-1", "1e3", "NaN", "", None, "9" * 40])
def test_expected_total_is_a_decimal_string(api, buy, amount):
    answer = api.checkout(buy(expected_total={"amount": amount, "currency": "USD"}))

    assert problem(answer, 400, "invalid")["errors"][0]["field"] == "expected_total.amount"


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


def test_sold_out_line_names_its_sku_and_holds_nothing(api, buy, mug):
    kettle = a_kettle(stock=1)
    gone = sold_out_mug()
    answer = api.checkout(
        buy(
            lines=[
                {"sku": mug.sku, "quantity": 1},
                {"sku": kettle.sku, "quantity": 2},
                {"sku": gone.sku, "quantity": 1},
            ]
        )
    )

    errors = problem(answer, 409, "out_of_stock")["errors"]
    assert {(error["field"], error["available"]) for error in errors} == {
        (kettle.sku, 1),
        (gone.sku, 0),
    }
    assert held(mug) == 0
    assert not Order.objects.exists()


def test_two_lines_of_one_sku_are_checked_together(api, buy, mug):
    twice = [{"sku": mug.sku, "quantity": 2}, {"sku": mug.sku, "quantity": 2}]

    errors = problem(api.checkout(buy(lines=twice)), 409, "out_of_stock")["errors"]

    assert [(error["field"], error["available"]) for error in errors] == [(mug.sku, 3)]


def test_unknown_sku_is_a_bad_request(api, buy):
    answer = api.checkout(buy(lines=[{"sku": "NO-SUCH-THING", "quantity": 1}]))

    assert problem(answer, 400, "invalid")["errors"][0]["field"] == "NO-SUCH-THING"


def test_unknown_shipping_method_is_a_bad_request(api, buy):
    answer = api.checkout(buy(shipping_method="by-dragon"))

    assert problem(answer, 400, "invalid")["errors"][0]["field"] == "shipping_method"


@pytest.mark.parametrize("token", ["visa", "pm_", "pm_x; DROP", "tok visa", "", None, 7])
def test_payment_method_is_a_token_of_the_gateway(api, buy, token):
    answer = api.checkout(buy(payment_method=token))

    assert problem(answer, 400, "invalid")["errors"][0]["field"] == "payment_method"


def test_card_number_is_refused_neither_stored_nor_logged(api, buy, caplog):
    with caplog.at_level("DEBUG"):
        answer = api.checkout(buy(payment_method="4242 4242 4242 4242"), key="k-1")

    problem(answer, 400, "card_data_refused")
    assert b"4242" not in answer.content
    assert "4242" not in caplog.text
    assert not IdempotencyKey.objects.exists()


# --- Promos -------------------------------------------------------------------------------------


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


# --- From a cart --------------------------------------------------------------------------------


@pytest.fixture
def cart_of(mug):
    def make(api):
        cart = api.new_cart()
        assert api.put(f"/carts/{cart['id']}/lines/{mug.sku}/", {"quantity": 2}).status_code == 200
        return cart["id"]

    return make


def test_guest_orders_her_cart(api, buy, cart_of, mug):
    answer = api.checkout(buy(lines=..., cart=cart_of(api)))

    assert answer.json()["order"]["total"]["amount"] == "41.99"
    assert held(mug) == 2


def test_customer_orders_her_cart(api, buy, cart_of, alice):
    answer = api.as_user(alice).checkout(buy(lines=..., cart=cart_of(api)))

    assert answer.status_code == 202
    assert Order.objects.get().user_id == alice.pk


@pytest.fixture(params=["guest", "customer"])
def shopper(request, shop, alice):
    return Api().as_user(alice) if request.param == "customer" else Api()


def test_retry_of_an_ordered_cart_replays(shopper, buy, cart_of):
    body = buy(lines=..., cart=cart_of(shopper))
    first = shopper.checkout(body, key="k-1")
    again = shopper.checkout(body, key="k-1")

    assert first.status_code == again.status_code == 202, again.content
    assert again["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()


class TestCartThatIsGone:
    """Redis was emptied, or is away, between two tries with one key."""

    @pytest.fixture
    def body(self, api, buy, cart_of):
        return buy(lines=..., cart=cart_of(api))

    def test_what_was_ordered_with_it_is_told(self, api, body, redis_of_tests):
        first = api.checkout(body, key="k-1")
        redis_of_tests.flushall()
        again = api.checkout(body, key="k-1")

        assert first.status_code == again.status_code == 202, again.content
        assert again["Idempotent-Replayed"] == "true"
        assert again.json() == first.json()
        other = body | {"email": "bob@example.com"}
        problem(api.checkout(other, key="k-1"), 422, "idempotency_key_reused")
        assert Order.objects.count() == 1

    def test_while_redis_is_away_it_is_told_too(self, api, body, monkeypatch):
        first = api.checkout(body, key="k-1")

        def away():
            raise redis.ConnectionError("away")

        monkeypatch.setattr(guests, "_client", away)
        assert api.checkout(body, key="k-1").json() == first.json()
        problem(api.checkout(body, key="k-2"), 503, "overloaded")

    def test_whoever_was_cut_off_cannot_be_told_at_once(self, api, body, redis_of_tests):
        """Her first try may be on its way in another process, with the cart as it was."""
        redis_of_tests.flushall()

        refused = api.checkout(body, key="k-1")

        problem(refused, 503, "outcome_unknown")
        assert refused["Retry-After"] == "2"

    def test_soon_it_is_known_that_nothing_was_ordered(
        self, api, body, redis_of_tests, monkeypatch
    ):
        redis_of_tests.flushall()
        monkeypatch.setattr(guests, "LOSS_IS_FELT_FOR", timedelta(0))

        problem(api.checkout(body, key="k-1"), 404, "not_found")

    def test_which_never_was_is_not_found(self, api, buy):
        api.new_cart()
        for cart in (uuid4(), uuid7()):
            problem(api.checkout(buy(lines=..., cart=str(cart))), 404, "not_found")


def test_cart_in_two_tabs_is_ordered_once(shopper, buy, cart_of):
    body = buy(lines=..., cart=cart_of(shopper))
    first = shopper.checkout(body).json()["order"]

    second = problem(shopper.checkout(body), 409, "cart_already_ordered")

    assert second["order"] == {"id": first["id"], "number": first["number"]}
    assert Order.objects.count() == 1


def test_second_tab_hears_of_the_order_rather_than_of_its_promo(shopper, buy, cart_of):
    PromoFactory(code="ONCE", one_use=True)
    body = buy(lines=..., cart=cart_of(shopper))
    assert shopper.put(f"/carts/{body['cart']}/promo/", {"code": "once"}).status_code == 200
    assert shopper.checkout(body).status_code == 202

    problem(shopper.checkout(body), 409, "cart_already_ordered")


def test_cart_of_a_cancelled_order_can_be_ordered_again(api, buy, cart_of):
    body = buy(lines=..., cart=cart_of(api))
    first = api.checkout(body)
    Order.objects.filter(pk=first.json()["order"]["id"]).update(status="CANCELLED")
    StockItem.objects.update(reserved=0)

    assert api.checkout(body).status_code == 202


def test_strangers_cart_cannot_be_ordered(api, other, buy, cart_of, alice):
    hers = cart_of(Api().as_user(alice))
    guests = cart_of(api)

    problem(other.checkout(buy(lines=..., cart=guests)), 404, "not_found")
    problem(other.checkout(buy(lines=..., cart=hers)), 404, "not_found")
    bob = Api("203.0.113.9").as_user(make_bob())
    problem(bob.checkout(buy(lines=..., cart=hers)), 404, "not_found")
    assert not Order.objects.exists()


def test_empty_cart_cannot_be_ordered(api, buy):
    answer = api.checkout(buy(lines=..., cart=api.new_cart()["id"]))

    assert problem(answer, 400, "invalid")["errors"][0]["code"] == "empty"
    assert not Order.objects.exists()


def test_cart_keeps_its_promo(api, buy, cart_of):
    PromoFactory(code="MORNING")
    cart = cart_of(api)
    assert api.put(f"/carts/{cart}/promo/", {"code": "morning"}).status_code == 200

    answer = api.checkout(buy(lines=..., cart=cart))

    assert answer.json()["order"]["total"]["amount"] == "38.39"


# --- Trouble ------------------------------------------------------------------------------------


def test_key_in_flight_says_when_to_come_back(api, buy, monkeypatch):
    def in_flight(request):
        raise IdempotencyInFlight

    monkeypatch.setattr(intake, "place_order", in_flight)
    answer = api.checkout(buy())

    problem(answer, 409, "idempotency_in_flight")
    assert int(answer["Retry-After"]) >= 1


def test_overload_is_shed_before_anything_is_written(api, buy, settings):
    settings.INTAKE_QUEUE_MAX = 0
    answer = api.checkout(buy())

    problem(answer, 503, "overloaded")
    assert int(answer["Retry-After"]) >= 1
    assert not Order.objects.exists()


@pytest.mark.parametrize("error", [Overloaded(3), OutcomeUnknown()])
def test_trouble_of_the_intake_is_503(api, buy, monkeypatch, error):
    def fail(request):
        raise error

    monkeypatch.setattr(intake, "place_order", fail)
    answer = api.checkout(buy())

    assert answer.status_code == 503
    assert answer["Retry-After"] == str(error.retry_after)
    assert answer["Content-Type"] == "application/problem+json"


def test_unexpected_error_shows_no_traceback(api, buy, monkeypatch):
    def fail(request):
        raise RuntimeError("secret sk_test_abc")

    monkeypatch.setattr(intake, "place_order", fail)
    answer = api.checkout(buy())

    problem(answer, 500, "internal_error")
    assert b"sk_test" not in answer.content


def at_once(count, press):
    """`press(number)` on as many threads, started together; their answers."""
    answers, together = [], threading.Barrier(count)

    def run(number):
        together.wait()
        try:
            answers.append(press(number))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.mark.race
def test_twenty_doubles_of_one_key_make_one_order(buy, mug):
    body = buy()

    answers = at_once(20, lambda number: Api().checkout(body, key="double"))

    assert Order.objects.count() == 1
    assert held(mug) == 1
    assert {answer.status_code for answer in answers} <= {202, 409}
    accepted = [answer.json() for answer in answers if answer.status_code == 202]
    assert accepted and all(document == accepted[0] for document in accepted)
    for answer in answers:
        if answer.status_code == 409:
            problem(answer, 409, "idempotency_in_flight")


@pytest.mark.race
def test_last_units_go_to_as_many_as_there_are(buy, mug):
    answers = at_once(12, lambda number: Api().checkout(buy(email=f"b{number}@example.com")))

    assert sorted(answer.status_code for answer in answers) == [202] * 3 + [409] * 9
    assert held(mug) == 3


def test_a_mug_more_than_there_are(api, buy):
    scarce = a_mug(stock=1)

    answer = api.checkout(buy(lines=[{"sku": scarce.sku, "quantity": 999}]))

    assert problem(answer, 409, "out_of_stock")["errors"][0]["available"] == 1


def test_token_that_asks_for_trouble_is_taken(api, buy):
    """The sandbox's own tokens (docs/sandbox.md) are cards like any other here."""
    answer = api.checkout(buy(payment_method="pm_sandbox_capture_timeout_after_1__webhook_drop"))
    assert answer.status_code == 202, answer.content


def test_token_longer_than_its_column_is_refused(api, buy):
    answer = api.checkout(buy(payment_method="pm_" + "x" * 118))
    assert answer.status_code == 400
    assert Order.objects.count() == 0
