"""Whatever happens to cart, session or payment: the end is the order or the filled form."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import redis
from django.core import signing
from django.http import HttpResponse
from django.utils import timezone

from apps.cart.guests import connection as guests_connection
from apps.catalog.models import Variant
from apps.inventory.models import StockItem
from apps.orders.models import Order, Saga
from apps.orders.tokens import order_token
from apps.promos.models import Promo, Redemption
from apps.web.views.checkout import form_cart
from tests.factories import (
    PASSWORD,
    AddressFactory,
    PromoFactory,
    a_mug,
    make_alice,
)
from tests.web.conftest import Visitor, form_of

STREET = 'value="12 Pine Street"'


def careful() -> Visitor:
    """A browser of whom the shop demands CSRF tokens, as of every real one."""
    return Visitor(raise_request_exception=False, enforce_csrf_checks=True)


def press(visitor: Visitor, path: str, form: dict[str, str], **headers: str) -> HttpResponse:
    return visitor.post(path, form, headers={"Origin": "http://testserver", **headers})


def with_token(visitor: Visitor, path: str, form: dict[str, str]) -> dict[str, str]:
    return form | {"csrfmiddlewaretoken": token_in(visitor.get(path))}


def token_in(page: HttpResponse) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.content.decode())
    assert found, page
    return found[1]


def put_into_cart(visitor: Visitor, mug: Variant, quantity: str = "1") -> None:
    assert press(visitor, f"/p/{mug.product.slug}/", {"quantity": quantity}).status_code == 302


class TestTwoTabs:
    def test_second_tab_of_a_guest_ends_at_the_order(self, visitor: Visitor, mug: Variant) -> None:
        visitor.add(mug)
        one, two = visitor.checkout_form(), visitor.checkout_form()

        visitor.post("/checkout/", one)
        answer = visitor.post("/checkout/", two)

        order = Order.objects.get()
        assert answer["Location"].startswith(f"/orders/{order.pk}/")
        assert (
            f"This cart was ordered as {order.number}."
            in visitor.get(answer["Location"]).content.decode()
        )

    def test_second_tab_of_a_customer_ends_at_the_order(
        self, visitor: Visitor, mug: Variant
    ) -> None:
        visitor.force_login(make_alice())
        visitor.add(mug)
        one, two = visitor.checkout_form(), visitor.checkout_form()

        visitor.post("/checkout/", one)
        answer = visitor.post("/checkout/", two)

        assert answer["Location"] == f"/orders/{Order.objects.get().pk}/"

    def test_second_tab_never_orders_what_came_into_the_cart_since(
        self, visitor: Visitor, mug: Variant
    ) -> None:
        visitor.add(mug)
        one, two = visitor.checkout_form(), visitor.checkout_form(line1="7 Alder Way")
        visitor.post("/checkout/", one)
        visitor.add(mug)  # the same again: the total is the one that the second tab shows

        answer = visitor.post("/checkout/", two)

        page = answer.content.decode()
        assert answer.status_code == 409
        assert Order.objects.get().number in page
        assert 'value="7 Alder Way"' in page
        assert Order.objects.count() == 1

    def test_checkout_opened_after_the_order_leads_to_it(
        self, visitor: Visitor, mug: Variant
    ) -> None:
        visitor.buy(mug)

        answer = visitor.get("/checkout/")

        assert answer["Location"].startswith(f"/orders/{Order.objects.get().pk}/")

    def test_order_of_yesterday_is_not_meant(self, visitor: Visitor, mug: Variant) -> None:
        visitor.buy(mug)
        Order.objects.update(placed_at=timezone.now() - timedelta(days=1))

        assert visitor.get("/checkout/")["Location"] == "/cart/"


class TestLostCart:
    def test_expired_cart_is_put_together_from_the_form(
        self, visitor: Visitor, mug: Variant
    ) -> None:
        visitor.add(mug, 2)
        form = visitor.checkout_form()
        guests_connection.client().flushall()

        answer = visitor.post("/checkout/", form)
        page = answer.content.decode()

        assert answer.status_code == 409
        assert "We had lost sight of your cart." in page
        assert STREET in page
        assert "2 × Stoneware Mug" in page
        again = visitor.post("/checkout/", form_of(answer, "/checkout/") | {"city": "Salem"})
        assert again.status_code == 302
        assert Order.objects.get().total_amount == 2 * 1800 + 599

    def test_lost_cart_with_more_codes_than_one_may_have_keeps_the_first_ten(
        self, visitor: Visitor, mug: Variant
    ) -> None:
        visitor.add(mug)
        form = visitor.checkout_form()
        cart_id, lines, _codes = signing.loads(form["cart"], salt=form_cart.SALT)
        codes = [f"CODE{n:02}" for n in range(1, 12)]  # two carts were merged
        form["cart"] = signing.dumps([cart_id, lines, codes], salt=form_cart.SALT)
        guests_connection.client().flushall()

        page = visitor.post("/checkout/", form).content.decode()

        assert "CODE10" in page
        assert "CODE11" not in page

    def test_lost_session_ends_at_the_filled_form(self, mug: Variant) -> None:
        visitor = careful()
        put_into_cart(visitor, mug, "2")
        form = with_token(visitor, "/checkout/", visitor.checkout_form())
        visitor.cookies.clear()

        answer = press(visitor, "/checkout/", form)

        page = answer.content.decode()
        assert answer.status_code == 403
        assert STREET in page
        assert "2 × Stoneware Mug" in page
        assert not Order.objects.exists()
        again = with_token(visitor, "/checkout/", form_of(answer, "/checkout/"))
        assert press(visitor, "/checkout/", again).status_code == 302

    def test_cart_of_a_form_that_was_tampered_with_counts_nothing(
        self, visitor: Visitor, mug: Variant
    ) -> None:
        visitor.add(mug)
        form = visitor.checkout_form()
        guests_connection.client().flushall()

        answer = visitor.post("/checkout/", form | {"cart": form["cart"][:-2] + "xx"})

        assert answer["Location"] == "/cart/"

    def test_stranger_with_the_form_learns_no_number(
        self, visitor: Visitor, other_visitor: Visitor, mug: Variant
    ) -> None:
        visitor.add(mug)
        form = visitor.checkout_form()
        visitor.post("/checkout/", form)

        page = other_visitor.post("/checkout/", form).content.decode()

        assert "This cart may have been ordered already." in page
        assert Order.objects.get().number not in page


class TestSignInInAnotherTab:
    def test_ends_at_the_filled_form(self, mug: Variant) -> None:
        make_alice()
        visitor = careful()
        put_into_cart(visitor, mug)
        form = with_token(visitor, "/checkout/", visitor.checkout_form())
        signing_in = {"email": "alice@example.com", "password": PASSWORD}
        press(visitor, "/account/login/", with_token(visitor, "/account/login/", signing_in))

        answer = press(visitor, "/checkout/", form)

        page = answer.content.decode()
        assert answer.status_code == 403
        assert "You have signed in or out since" in page
        assert STREET in page
        again = with_token(visitor, "/checkout/", form_of(answer, "/checkout/"))
        assert press(visitor, "/checkout/", again).status_code == 302
        assert Order.objects.get().user is not None

    def test_other_forms_are_asked_again_with_what_was_typed(self, mug: Variant) -> None:
        visitor, path = careful(), f"/cart/lines/{mug.sku}/"
        put_into_cart(visitor, mug)
        form = {"quantity": "3", "csrfmiddlewaretoken": "x" * 64}

        answer = press(visitor, path, form)

        assert answer.status_code == 403
        assert "Once more, please." in answer.content.decode()
        again = form_of(answer, path)
        assert again["quantity"] == "3"
        again["csrfmiddlewaretoken"] = token_in(answer)
        assert press(visitor, path, again)["Location"] == "/cart/#line-1"
        assert visitor.session["count"] == 3

    def test_password_is_never_written_into_a_page(self, shop: None) -> None:
        form = {"email": "alice@example.com", "password": PASSWORD}

        answer = press(careful(), "/account/login/", form)

        assert answer.status_code == 403
        assert PASSWORD not in answer.content.decode()

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://testserver.evil"])
    def test_another_site_fills_in_nothing(self, mug: Variant, origin: str) -> None:
        form = {"line1": "1 Evil Lane", "quantity": "3"}

        for path in ("/checkout/", f"/p/{mug.product.slug}/"):
            answer = press(careful(), path, form, Origin=origin)
            assert answer.status_code == 403
            assert "1 Evil Lane" not in answer.content.decode()
            assert "This door stays shut." in answer.content.decode()


class TestFailedPayment:
    @pytest.fixture
    def declined(self, visitor: Visitor, mug: Variant) -> Order:
        visitor.buy(mug, 2, city="Salem")
        order = Order.objects.get()
        Order.objects.update(status=Order.Status.CANCELLED)
        Saga.objects.update(state=Saga.State.UNDONE, cancel_reason="declined")
        StockItem.objects.update(reserved=0)
        return order

    def test_leads_back_to_the_filled_form(self, visitor: Visitor, declined: Order) -> None:
        page = visitor.get(f"/orders/{declined.pk}/")
        assert "Pay another way" in page.content.decode()
        assert "Back into the cart" not in page.content.decode()

        answer = visitor.post(f"/orders/{declined.pk}/again/", {})
        assert answer["Location"] == f"/checkout/?after={declined.pk}"
        page = visitor.get(answer["Location"]).content.decode()

        assert "The payment did not go through." in page
        assert 'value="Salem"' in page
        assert 'value="alice@example.com"' in page
        assert "2 × Stoneware Mug" in page

    def test_link_in_the_mail_leads_back_too(
        self, other_visitor: Visitor, declined: Order, mug: Variant
    ) -> None:
        page = f"/orders/{declined.pk}/?token={order_token(declined.pk)}"
        form = form_of(other_visitor.get(page), f"/orders/{declined.pk}/again/")

        answer = other_visitor.post(f"/orders/{declined.pk}/again/", form)

        shown = other_visitor.get(answer["Location"]).content.decode()
        assert "The payment did not go through." in shown
        assert 'value="Salem"' in shown
        assert "2 × Stoneware Mug" in shown

    def test_stranger_is_not_led_anywhere(self, other_visitor: Visitor, declined: Order) -> None:
        assert other_visitor.post(f"/orders/{declined.pk}/again/", {}).status_code == 404

    def test_is_told_apart_from_a_cancellation(self, visitor: Visitor, declined: Order) -> None:
        assert "Not paid." in visitor.get(f"/orders/{declined.pk}/").content.decode()

        Saga.objects.update(cancel_reason="shopper")

        page = visitor.get(f"/orders/{declined.pk}/").content.decode()
        assert "Called off." in page
        assert 'class="failed"' not in page
        assert "Pay another way" not in page
        assert "Back into the cart" in page

    def test_reason_is_shown_to_nobody_else(
        self, other_visitor: Visitor, declined: Order, mug: Variant
    ) -> None:
        other_visitor.add(mug)

        page = other_visitor.get(f"/checkout/?after={declined.pk}").content.decode()

        assert "The payment did not go through." not in page


class TestWhatStandsInTheWay:
    def test_stock_is_told_when_the_checkout_opens(
        self, visitor: Visitor, other_visitor: Visitor, mug: Variant
    ) -> None:
        visitor.add(mug, 3)
        other_visitor.buy(mug, 2, email="bob@example.com")

        page = visitor.get("/checkout/").content.decode()

        assert "Only 1 of Stoneware Mug left." in page
        assert "Go on with what is left" in page

    def test_going_on_with_what_is_left_keeps_the_form(
        self, visitor: Visitor, other_visitor: Visitor, mug: Variant
    ) -> None:
        visitor.add(mug, 3)
        form = visitor.checkout_form()
        other_visitor.buy(mug, 2, email="bob@example.com")

        answer = visitor.post("/checkout/", form | {"refresh": "take-left"})

        page = answer.content.decode()
        assert "1 × Stoneware Mug" in page
        assert STREET in page
        assert visitor.post("/checkout/", form_of(answer, "/checkout/")).status_code == 302

    def test_used_code_is_told_with_the_address_and_can_be_left_out(
        self, visitor: Visitor, mug: Variant
    ) -> None:
        PromoFactory(code="ONCE", kind=Promo.Kind.FIXED, amount=500, customer_limit=1)
        visitor.add(mug)
        visitor.post("/cart/promo/", {"code": "ONCE"})
        visitor.post("/checkout/", visitor.checkout_form())
        Redemption.objects.update(use_number=1)  # that order was paid
        visitor.add(mug)
        visitor.post("/cart/promo/", {"code": "ONCE"})

        answer = visitor.post("/checkout/", visitor.checkout_form() | {"refresh": "delivery"})
        assert "Go on without ONCE" in answer.content.decode()
        form = form_of(answer, "/checkout/") | {"refresh": "without ONCE"}
        answer = visitor.post("/checkout/", form)

        assert STREET in answer.content.decode()
        assert "Go on without ONCE" not in answer.content.decode()
        assert visitor.post("/checkout/", form_of(answer, "/checkout/")).status_code == 302
        assert Order.objects.count() == 2

    def test_look_at_the_cart_loses_nothing_that_was_typed(
        self, visitor: Visitor, mug: Variant
    ) -> None:
        visitor.add(mug)
        kept = visitor.post("/checkout/", visitor.checkout_form() | {"refresh": "keep"})
        assert kept.status_code == 204

        visitor.get("/cart/")

        assert STREET in visitor.get("/checkout/").content.decode()

    def test_form_is_empty_again_after_the_order(self, visitor: Visitor, mug: Variant) -> None:
        visitor.buy(mug)
        visitor.add(mug)

        assert STREET not in visitor.get("/checkout/").content.decode()

    def test_form_is_kept_while_redis_is_away(
        self, visitor: Visitor, mug: Variant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        visitor.add(mug)
        form = visitor.checkout_form()

        def away() -> None:
            raise redis.ConnectionError("away")

        with monkeypatch.context() as patch:
            patch.setattr("apps.cart.guests.connection.client", away)
            assert visitor.post("/checkout/", form).status_code == 503

        assert STREET in visitor.get("/checkout/").content.decode()


class TestTotals:
    def test_tax_is_no_number_before_the_address(self, visitor: Visitor, mug: Variant) -> None:
        visitor.add(mug)

        page = visitor.get("/checkout/").content.decode()

        assert "calculated after the address" in page
        assert "$0.00" not in page
        assert "Total so far" in page
        form = visitor.checkout_form(region="OR") | {"refresh": "delivery"}
        known = visitor.post("/checkout/", form).content.decode()
        assert "<dt>Tax</dt><dd>$0.00</dd>" in known
        assert "Total so far" not in known

    def test_cart_says_the_same(self, visitor: Visitor, mug: Variant) -> None:
        visitor.add(mug)

        page = visitor.get("/cart/").content.decode()

        assert page.count("calculated after the address") == 2
        assert "Total so far" in page


class TestAddressBook:
    @pytest.fixture
    def alice(self, visitor: Visitor, mug: Variant) -> Visitor:
        visitor.force_login(make_alice())
        visitor.add(mug)
        return visitor

    def test_enter_presses_the_button_that_orders(self, alice: Visitor) -> None:
        AddressFactory(user_id=alice.session["_auth_user_id"])
        page = alice.get("/checkout/").content.decode()

        form = page[page.index("data-checkout") :]
        first = form[form.index("<button") :].split(">", 1)[0]
        assert 'type="submit"' in first
        assert "name=" not in first

    def test_typed_address_can_be_kept(self, alice: Visitor) -> None:
        alice.post("/checkout/", alice.checkout_form(save_address="1"))

        page = alice.get("/account/addresses/").content.decode()
        assert "12 Pine Street" in page

    def test_address_is_kept_once(self, alice: Visitor, mug: Variant) -> None:
        alice.post("/checkout/", alice.checkout_form(save_address="1"))
        alice.add(mug)
        alice.post("/checkout/", alice.checkout_form(save_address="1"))

        assert Order.objects.count() == 2
        assert alice.get("/account/addresses/").content.decode().count("<address>") == 1

    def test_guest_has_no_book(self, visitor: Visitor, mug: Variant) -> None:
        visitor.add(mug)

        assert 'name="save_address"' not in visitor.get("/checkout/").content.decode()
        assert (
            visitor.post("/checkout/", visitor.checkout_form(save_address="1")).status_code == 302
        )

    def test_another_address_empties_the_fields(self, alice: Visitor) -> None:
        AddressFactory(user_id=alice.session["_auth_user_id"], line1="7 Alder Way")
        form = alice.checkout_form(saved="") | {"refresh": "saved"}

        page = alice.post("/checkout/", form).content.decode()

        assert STREET not in page
        assert "7 Alder Way" not in page.split('id="address-fields"')[1].split("</section>")[0]


def test_sold_out_product_in_a_lost_cart(
    visitor: Visitor, mug: Variant, empty_all_redis: Callable[[], None]
) -> None:
    """What is sold out meanwhile is left out; where nothing is left, the cart says so."""
    visitor.add(mug, 2)
    form = visitor.checkout_form()
    empty_all_redis()
    StockItem.objects.filter(variant=mug).update(on_hand=1)
    a_mug(slug="another-mug")

    page = visitor.post("/checkout/", form).content.decode()

    assert "1 × Stoneware Mug" in page
