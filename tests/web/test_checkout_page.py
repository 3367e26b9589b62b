"""The checkout's page: one order however often it is sent, and refusals that keep the form."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis
from django.db import connection

from apps.cart.guests import connection as guests_connection
from apps.catalog.models import Product, Variant
from apps.inventory.models import StockItem
from apps.orders import intake
from apps.orders.errors import Overloaded
from apps.orders.models import Order
from apps.promos.models import Promo
from tests.factories import (
    PASSWORD,
    AddressFactory,
    PromoFactory,
    a_sales_tax,
    make_alice,
    make_bob,
)
from tests.orders.checkouts import locked, until, waiting_for_a_lock
from tests.web.conftest import Visitor


def test_guest_buys_without_scripts(visitor: Visitor, mug: Variant) -> None:
    answer = visitor.buy(mug, 2)

    order = Order.objects.get()
    assert answer.status_code == 302
    assert answer["Location"].startswith(f"/orders/{order.pk}/?token=")
    assert order.total_amount == 2 * 1800 + 599
    assert order.email == "alice@example.com"
    page = visitor.get(answer["Location"]).content.decode()
    assert order.number in page
    assert "Order received." in page


def test_ordered_cart_is_empty_afterwards(visitor: Visitor, mug: Variant) -> None:
    visitor.buy(mug)

    assert "An empty bowl." in visitor.get("/cart/").content.decode()


def test_form_sent_twice_is_one_order(visitor: Visitor, mug: Variant) -> None:
    visitor.add(mug)
    form = visitor.checkout_form()

    first = visitor.post("/checkout/", form)
    second = visitor.post("/checkout/", form)

    assert Order.objects.count() == 1
    assert first["Location"] == second["Location"]


class TestCartThatIsGone:
    """Redis was emptied, or is away, between two presses of one button."""

    @pytest.fixture
    def form(self, visitor: Visitor, mug: Variant) -> dict[str, str]:
        visitor.add(mug)
        return visitor.checkout_form()

    def test_order_of_the_first_press_is_shown(
        self, visitor: Visitor, form: dict[str, str], empty_all_redis: Callable[[], None]
    ) -> None:
        first = visitor.post("/checkout/", form)
        empty_all_redis()

        assert visitor.post("/checkout/", form)["Location"] == first["Location"]

    def test_while_redis_is_away_too(
        self, visitor: Visitor, form: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kept = visitor.session["cart"]
        first = visitor.post("/checkout/", form)
        session = visitor.session
        session["cart"] = kept  # as it was when the first press began
        session.save()

        def away() -> None:
            raise redis.ConnectionError("away")

        monkeypatch.setattr("apps.cart.guests.connection.client", away)
        assert visitor.post("/checkout/", form)["Location"] == first["Location"]
        assert visitor.post("/checkout/", form | {"key": str(uuid4())}).status_code == 503

    def test_cart_that_has_only_expired_is_not_waited_for(
        self, visitor: Visitor, form: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Otherwise a script that sends old forms would keep a thread busy with each."""

        def must_not_wait(*_: object) -> None:
            raise AssertionError("a thread waits")

        guests_connection.client().delete(f"cart:{UUID(visitor.session['cart']['id']).hex}")
        monkeypatch.setattr(
            "apps.web.views.checkout.placing._wait_for_earlier_order", must_not_wait
        )

        answer = visitor.post("/checkout/", form)

        assert "We had lost sight of your cart." in answer.content.decode()
        assert not Order.objects.exists()

    @pytest.mark.race
    def test_press_that_is_still_committed_is_waited_for(
        self,
        visitor: Visitor,
        form: dict[str, str],
        mug: Variant,
        empty_all_redis: Callable[[], None],
    ) -> None:
        def press() -> str:
            finger = Visitor(raise_request_exception=False)
            finger.cookies = visitor.cookies
            try:
                return finger.post("/checkout/", form).headers["Location"]
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as fingers:
            with locked(mug):
                first = fingers.submit(press)
                until(waiting_for_a_lock, "the first press is being committed")
                empty_all_redis()
                second = fingers.submit(press)
                with pytest.raises(TimeoutError):
                    second.result(timeout=0.3)
            places = [first.result(), second.result()]

        order = Order.objects.get()
        assert [place.split("?")[0] for place in places] == [f"/orders/{order.pk}/"] * 2


@pytest.mark.race
def test_button_pressed_eight_times_at_once_is_one_order(visitor: Visitor, mug: Variant) -> None:
    visitor.add(mug)
    form = visitor.checkout_form()

    def press() -> str:
        finger = Visitor(raise_request_exception=False)
        finger.cookies = visitor.cookies
        try:
            return finger.post("/checkout/", form).headers.get("Location", "")
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as fingers:
        places = [press.result() for press in [fingers.submit(press) for _ in range(8)]]

    order = Order.objects.get()
    assert StockItem.objects.get(variant=mug).reserved == 1
    # A press that comes after the cart was emptied finds the order by the form's key all the same.
    assert {place.split("?")[0] for place in places} == {f"/orders/{order.pk}/"}


def test_form_sent_again_with_other_words_makes_no_second_order(
    visitor: Visitor, mug: Variant
) -> None:
    visitor.add(mug)
    form = visitor.checkout_form()
    visitor.post("/checkout/", form)
    visitor.add(mug)

    answer = visitor.post("/checkout/", form | {"city": "Salem"})

    assert answer.status_code == 422
    assert "This form has made an order before." in answer.content.decode()
    assert Order.objects.count() == 1


def test_two_tabs_with_one_cart_are_one_order(visitor: Visitor, mug: Variant) -> None:
    alice = make_alice()
    visitor.force_login(alice)
    visitor.add(mug)
    one, two = visitor.checkout_form(), visitor.checkout_form()

    visitor.post("/checkout/", one)
    answer = visitor.post("/checkout/", two)

    assert Order.objects.count() == 1
    assert answer.status_code in (302, 409)


def test_missing_fields_are_named_and_the_rest_is_kept(visitor: Visitor, mug: Variant) -> None:
    visitor.add(mug)

    answer = visitor.post("/checkout/", visitor.checkout_form(email="not an address", city=""))

    page = answer.content.decode()
    assert answer.status_code == 400
    assert 'id="id_email-error"' in page
    assert 'id="id_city-error"' in page
    assert 'value="12 Pine Street"' in page
    assert 'value="not an address"' in page
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("country", "XX"),
        ("country", ""),
        ("name", "A\x00B"),
        ("postal_code", ""),
        ("region", ""),
        ("phone", "call me"),
        ("line1", "x" * 201),
        ("shipping_method", "teleport"),
        ("payment_method", "4242"),
        ("payment_method", ""),
    ],
)
def test_field_that_cannot_be_is_refused(
    visitor: Visitor, mug: Variant, field: str, value: str
) -> None:
    visitor.add(mug)

    answer = visitor.post("/checkout/", visitor.checkout_form(**{field: value}))

    assert answer.status_code == 400
    assert not Order.objects.exists()


def test_card_number_is_refused_before_anything_reads_it(visitor: Visitor, mug: Variant) -> None:
    visitor.add(mug)

    answer = visitor.post("/checkout/", visitor.checkout_form(line2="4242 4242 4242 4242"))

    assert answer.status_code == 400
    assert "4242" not in answer.content.decode()
    assert not Order.objects.exists()


def test_sold_out_meanwhile_is_said_with_what_is_left(
    visitor: Visitor, other_visitor: Visitor, mug: Variant
) -> None:
    visitor.add(mug, 3)
    form = visitor.checkout_form()
    other_visitor.buy(mug, 2, email="bob@example.com")

    answer = visitor.post("/checkout/", form)

    assert answer.status_code == 409
    assert "only 1 left" in answer.content.decode()
    assert Order.objects.count() == 1


def test_more_than_one_customer_may_have_is_said_with_what_is_left(
    visitor: Visitor, mug: Variant
) -> None:
    Product.objects.update(units_per_customer=2)
    visitor.buy(mug, 1)

    answer = visitor.buy(mug, 2)

    assert answer.status_code == 409
    assert "At most 2 of Stoneware Mug for each customer. 1 to go." in answer.content.decode()
    assert Order.objects.count() == 1


def test_more_than_an_address_may_hold_unpaid_is_refused_for_half_a_minute(
    visitor: Visitor, mug: Variant, settings: Any
) -> None:
    settings.UNPAID_UNITS_OF_ADDRESS = settings.UNPAID_SHARE_OF_ADDRESS = 0
    visitor.buy(mug)

    answer = visitor.buy(mug, email="bob@example.com")

    assert (answer.status_code, answer["Retry-After"]) == (429, "30")
    assert "are held for your network, and not paid yet" in answer.content.decode()
    assert Order.objects.count() == 1


def test_total_that_changed_is_shown_before_it_is_charged(visitor: Visitor, mug: Variant) -> None:
    visitor.add(mug)
    form = visitor.checkout_form()
    mug.price_amount = 2500
    mug.save()

    answer = visitor.post("/checkout/", form)

    assert answer.status_code == 409
    assert "The total is now $30.99." in answer.content.decode()
    assert not Order.objects.exists()
    again = visitor.post("/checkout/", form | {"expected_total": "3099"})
    assert again.status_code == 302
    assert Order.objects.get().total_amount == 3099


def test_last_use_of_a_code_that_went_to_another_shopper(
    visitor: Visitor, other_visitor: Visitor, mug: Variant
) -> None:
    PromoFactory(code="ONCE", kind=Promo.Kind.FIXED, amount=500, total_limit=1)
    for one in (visitor, other_visitor):
        one.add(mug)
        one.post("/cart/promo/", {"code": "once"})
    form = visitor.checkout_form()
    other_visitor.post("/checkout/", other_visitor.checkout_form(email="bob@example.com"))

    answer = visitor.post("/checkout/", form)

    assert answer.status_code == 409
    assert "ONCE has been used up." in answer.content.decode()
    assert Order.objects.count() == 1


def test_overload_keeps_the_form_and_says_when(
    visitor: Visitor, mug: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor.add(mug)
    form = visitor.checkout_form()

    def full(_request: object) -> None:
        raise Overloaded(retry_after=7)

    monkeypatch.setattr(intake, "place_order", full)
    answer = visitor.post("/checkout/", form)

    assert answer.status_code == 503
    assert answer["Retry-After"] == "7"
    assert 'value="12 Pine Street"' in answer.content.decode()


def test_refresh_prices_the_address_and_keeps_what_was_typed(
    visitor: Visitor, mug: Variant
) -> None:
    a_sales_tax(rate_bp=1000, region="NY")
    visitor.add(mug)

    answer = visitor.post(
        "/checkout/", visitor.checkout_form(region="NY", city="") | {"refresh": "delivery"}
    )

    page = answer.content.decode()
    assert answer.status_code == 200
    assert "$1.80" in page
    assert "id_city-error" not in page
    assert 'value="12 Pine Street"' in page


def test_address_book_fills_the_form_in_but_not_with_anothers(
    visitor: Visitor, mug: Variant
) -> None:
    alice, bob = make_alice(), make_bob()
    mine = AddressFactory(user=alice, line1="7 Alder Way")
    theirs = AddressFactory(user=bob, line1="1 Secret Lane")
    visitor.force_login(alice)
    visitor.add(mug)

    for address, shown in ((mine, True), (theirs, False)):
        form = visitor.checkout_form() | {"refresh": "saved", "saved": str(address.pk)}
        page = visitor.post("/checkout/", form).content.decode()
        assert (f'value="{address.line1}"' in page) is shown


def test_price_user_and_status_are_not_taken_from_the_form(visitor: Visitor, mug: Variant) -> None:
    visitor.add(mug)

    visitor.post(
        "/checkout/",
        visitor.checkout_form() | {"price": "1", "total": "1", "user": "1", "status": "SHIPPED"},
    )

    order = Order.objects.get()
    assert (order.total_amount, order.user_id, order.status) == (2399, None, "PENDING")


def test_signed_in_customer_buys_under_their_account(visitor: Visitor, mug: Variant) -> None:
    alice = make_alice()
    visitor.post("/account/login/", {"email": alice.email, "password": PASSWORD})

    answer = visitor.buy(mug)

    order = Order.objects.get()
    assert order.user == alice
    assert answer["Location"] == f"/orders/{order.pk}/"
    assert order.number in visitor.get("/account/orders/").content.decode()
    assert "An empty bowl." in visitor.get("/cart/").content.decode()


def test_empty_cart_has_no_checkout(visitor: Visitor, shop: None) -> None:
    assert visitor.get("/checkout/")["Location"] == "/cart/"
    assert visitor.post("/checkout/", {})["Location"] == "/cart/"


def test_stock_is_held_by_the_page_that_promised_it(visitor: Visitor, mug: Variant) -> None:
    visitor.buy(mug, 2)

    assert StockItem.objects.get(variant=mug).reserved == 2
