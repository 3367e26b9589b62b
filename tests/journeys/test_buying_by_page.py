"""Buying as a guest with JavaScript off: pages and forms, nothing else. About five seconds."""

import html

import pytest

from tests.journeys.conftest import Goods
from tests.journeys.shopper import (
    ADDRESS,
    CHALLENGED,
    DECLINED,
    VISA,
    App,
    Browser,
    answer_challenge,
    crowd,
)
from tools.stack import Stack

pytestmark = pytest.mark.journey


@pytest.fixture
def guest(live_stack: Stack, goods: Goods) -> Browser:
    return Browser(live_stack.url)


def text_of(guest: Browser) -> str:
    return html.unescape(guest.text)


def test_from_the_product_to_the_parcel(guest: Browser, app: App, goods: Goods) -> None:
    guest.add_to_cart(goods.mug.slug, 2)
    guest.open("/cart/")
    assert "Journey Mug" in guest.text
    assert "$36.00" in guest.text

    guest.check_out()

    assert guest.page.status_code == 200
    placed = guest.placed()
    assert "Order received." in guest.text or "approved" in guest.text or "Paid" in guest.text
    assert '<meta http-equiv="refresh" content="5">' in guest.text, "the page looks again by itself"
    app.follow(placed, "CONFIRMED")
    guest.open(guest.page.url)
    assert "We are packing." in guest.text
    assert "Paid and confirmed. We are packing your order." in guest.text
    assert "$40.90" in guest.text
    assert "An empty bowl." in guest.open("/cart/").text


def test_with_another_card_after_one_that_is_declined(
    guest: Browser, app: App, goods: Goods
) -> None:
    guest.add_to_cart(goods.mug.slug)
    guest.check_out(card=DECLINED)
    placed = guest.placed()
    app.follow(placed, "PAYMENT_FAILED")

    guest.open(guest.page.url)
    assert "Your card was declined. You can pay with another card until" in text_of(guest)
    guest.submit(f"/orders/{placed.id}/pay/", payment_method=VISA)

    assert guest.path == f"/orders/{placed.id}/"
    assert app.follow(placed)["status"] == "CONFIRMED"


def test_with_a_card_that_is_declined_for_good(guest: Browser, app: App, goods: Goods) -> None:
    guest.add_to_cart(goods.mug.slug)
    guest.check_out(card="pm_card_visa_chargeDeclinedStolenCard")
    placed = guest.placed()
    page = guest.page.url

    app.follow(placed, "CANCELLED")

    guest.open(page)
    assert "Not paid." in guest.text
    assert "Your card was declined." in text_of(guest)
    guest.submit(f"/orders/{placed.id}/again/")
    assert guest.path == "/checkout/"
    assert "Journey Mug" in guest.text, "another try with another card"
    assert ADDRESS["line1"] in guest.text, "filled in as it was"
    guest.submit("/checkout/", payment_method=VISA)
    again = guest.placed()
    assert again.id != placed.id
    assert app.follow(again)["status"] == "CONFIRMED"


def test_with_a_bank_that_asks(guest: Browser, app: App, goods: Goods) -> None:
    guest.add_to_cart(goods.mug.slug)
    guest.check_out(card=CHALLENGED)
    placed = guest.placed()
    page = guest.page.url
    asked = app.follow(placed, "REQUIRES_ACTION")

    guest.open(page)
    assert "Approve the payment" in guest.text
    assert f"/orders/{placed.id}/bank/?token={placed.token}" in guest.text
    assert (
        guest.open(f"/orders/{placed.id}/bank/?token={placed.token}").page.url
        == (asked["next_action"]["url"])
    )
    back = answer_challenge(asked["next_action"]["url"], "approve")

    assert back.url.endswith(f"/orders/{placed.id}/back/"), "that browser did not order"
    assert placed.token not in back.url
    assert app.follow(placed)["status"] == "CONFIRMED"
    guest.open(f"/orders/{placed.id}/?payment_intent=pi_1&redirect_status=succeeded")
    assert "Paid and confirmed." in guest.text, "the browser that ordered comes back to its order"


def test_with_a_code(guest: Browser, app: App, goods: Goods) -> None:
    guest.add_to_cart(goods.kettle.slug)
    guest.open("/cart/")
    guest.submit("/cart/promo/", code="no such code")
    assert "We do not know the code no such code." in text_of(guest)

    guest.submit("/cart/promo/", code=" slow-morning ")
    assert "-$6.40" in guest.text.replace("−", "-")
    guest.check_out()

    placed = guest.placed()
    app.follow(placed, "CONFIRMED")
    order = app.order(placed)
    assert order["promo_codes"] == ["SLOWMORNING"]
    assert order["totals"]["discount"]["amount"] == "6.40"
    assert order["total"]["amount"] == "62.50"  # 64.00 − 6.40 + 4.90


def test_called_off_by_the_button(guest: Browser, app: App, goods: Goods) -> None:
    guest.add_to_cart(goods.mug.slug)
    guest.check_out()
    placed = guest.placed()
    app.follow(placed, "CONFIRMED")

    guest.open(guest.page.url).submit(f"/orders/{placed.id}/cancel/")

    assert "We are calling it off." in guest.text
    assert app.follow(placed, "CANCELLED")["status"] == "CANCELLED"


def test_what_is_missing_is_said_and_nothing_typed_is_lost(guest: Browser, goods: Goods) -> None:
    guest.add_to_cart(goods.mug.slug)
    guest.open("/checkout/").submit(
        "/checkout/", email="not an address", name="Alice <b>Archer</b>", country="US"
    )

    assert guest.page.status_code == 400
    assert guest.path == "/checkout/"
    assert 'id="id_email-error"' in guest.text
    assert 'value="not an address"' in guest.text
    assert "Alice &lt;b&gt;Archer&lt;/b&gt;" in guest.text


def test_pressed_eight_times_at_once_is_one_order(
    guest: Browser, live_stack: Stack, goods: Goods
) -> None:
    guest.add_to_cart(goods.mug.slug)
    guest.open("/checkout/")
    form = guest.page
    typed = {"email": "alice@example.com", "payment_method": VISA, **ADDRESS}

    def press(_: int) -> str:
        finger = Browser(live_stack.url)
        finger._session.cookies.update(guest._session.cookies)
        finger.page = form
        return finger.submit("/checkout/", **typed).placed().id

    assert len(set(crowd(8, press))) == 1


def test_sold_out_cannot_be_put_into_the_cart(guest: Browser, goods: Goods) -> None:
    guest.open(f"/p/{goods.memory.slug}/")

    assert guest.page.status_code == 200
    assert "sold out" in guest.text.lower()
    assert "data-add" not in guest.text
