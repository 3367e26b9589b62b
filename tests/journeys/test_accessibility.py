"""axe over every page and state of the shop, at both widths, in both schemes of colours: nothing.

Two minutes of one browser. A state is a page as shoppers find it: empty, filled, refused, open.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.by import By

from tests.journeys import axe
from tests.journeys.conftest import Goods, SandboxControl
from tests.journeys.shopper import ADDRESS, CHALLENGED, DECLINED, App, Placed
from tests.journeys.site_window import fresh_visitor
from tests.journeys.test_buying_in_chromium import Window
from tools.stack import Stack

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = [pytest.mark.journey, pytest.mark.browser]

HAND_OVER = """
from uuid import UUID
from apps.orders.fulfilment import shipping
shipping.hand_to_carrier(UUID("{id}"), actor="test")
shipping.mark_delivered(UUID("{id}"), actor="test")
"""

SALE = """
from datetime import timedelta
from django.utils import timezone
from apps.catalog.models import Variant
from apps.flash_sales.models import FlashSale
now = timezone.now()
times = dict(queue_opens_at=now - timedelta(minutes=1), starts_at=now + timedelta(hours=1))
sale = FlashSale.objects.create(name="Journey Sale", slug="journey-sale", waiting_room=True,
    admit_per_second=1, ends_at=now + timedelta(hours=2), **times)
sale.variants.set(Variant.objects.filter(sku="{sku}"))
"""
NO_SALE = """
from apps.flash_sales.models import FlashSale
FlashSale.objects.filter(slug="journey-sale").delete()
"""


@pytest.fixture
def window(chromium: "Chrome", live_stack: Stack, goods: Goods) -> Iterator[Window]:
    yield from fresh_visitor(chromium, live_stack.url)


class Looks:
    """What was found, state by state."""

    def __init__(self, window: Window) -> None:
        self.window, self.found = window, {}

    def at(self, path: str, what: str = "") -> None:
        """The page at `path`, as it opens."""
        self.window.open(path)
        self.now(what or path)

    def now(self, what: str) -> None:
        """The page as it stands."""
        self.found |= axe.everywhere(self.window.chrome, what)


@pytest.fixture
def looks(window: Window) -> Iterator[Looks]:
    looks = Looks(window)
    yield looks
    axe.undress(window.chrome)
    assert looks.found == {}


def test_axe_finds_what_is_wrong(window: Window) -> None:
    window.open("/cart/")
    window.run("document.querySelector('h1').outerHTML = '<h4>Cart</h4><img src=/favicon.ico>'")

    found = " ".join(axe.violations(window.chrome))

    assert "heading-order" in found or "page-has-heading-one" in found
    assert "image-alt" in found


def test_looking_around(looks: Looks, goods: Goods) -> None:
    for path in (
        *("/", "/search/", "/search/?q=kettle", "/search/?q=nothing-of-the-kind"),
        *("/search/?min_price=9&max_price=5", "/c/cups-mugs/", "/p/everyday-teapot/"),
        *(f"/p/{goods.memory.slug}/", "/nowhere/"),
    ):
        looks.at(path)
    looks.window.open(f"/p/{goods.mug.slug}/")
    looks.window.type("quantity", "0")
    looks.window.press("[data-add]")
    looks.window.until(lambda: _all(looks.window, ".buy .note.bad"), "the refusal is there")
    looks.now("product, refused")


def test_stale_form(looks: Looks, goods: Goods) -> None:
    window = looks.window
    window.put_into_cart(goods.mug.slug)
    window.type("code", "TEATIME")
    window.chrome.delete_all_cookies()
    # As without the script, which would ask for the cart behind the page.
    window.run("document.getElementById('code').form.submit()")
    window.until(lambda: window.text("h1") == "Once more, please.", "it is asked again")
    looks.now("a form that is out of date")


def test_waiting_room(looks: Looks, goods: Goods, live_stack: Stack) -> None:
    made = live_stack.manage("shell", "-c", SALE.format(sku=goods.memory.sku))
    assert made.returncode == 0, made.stderr
    try:
        # The processes look for new sales every few seconds.
        def opened() -> bool:
            looks.window.open("/queue/journey-sale/")
            return looks.window.text("h1") == "The kettle is on."

        looks.window.until(opened, "the queue is open")
        looks.now("waiting room")
    finally:
        live_stack.manage("shell", "-c", NO_SALE)


def test_buying(looks: Looks, goods: Goods) -> None:
    window = looks.window
    looks.at("/cart/", "cart, empty")
    window.put_into_cart(goods.mug.slug)
    looks.now("cart, with a message")
    window.type("quantity", "9999")
    window.press("[data-quantity] button")
    window.until(lambda: _all(window, ".line .note.bad"), "the refusal is there")
    looks.now("cart, a refused quantity")
    window.type("code", "NOSUCHCODE")
    window.press("[data-key=apply]")
    window.until(lambda: _all(window, "#code-error"), "the refusal is there")
    looks.now("cart, a refused code")
    looks.at("/checkout/", "checkout")
    window.press("[data-place-order]")
    window.until(lambda: _all(window, ".error-summary"), "the errors are there")
    looks.now("checkout, errors")
    window.type("email", "alice@example.com")
    for field in ("name", "line1", "city", "postal_code", "region"):
        window.type(field, ADDRESS[field])
    window.run("document.querySelector('[name=expected_total]').value = '1'")
    window.press("[data-place-order]")
    window.until(lambda: _all(window, ".note.bad[data-focus]"), "the new total is told")
    looks.now("checkout, another total")


def test_orders(
    looks: Looks, app: App, goods: Goods, live_stack: Stack, sandbox: SandboxControl
) -> None:
    window = looks.window
    asked = app.buy((goods.mug.sku, 1), card=CHALLENGED)
    declined = app.buy((goods.mug.sku, 1), card=DECLINED)
    confirmed, delivered = app.buy((goods.mug.sku, 2)), app.buy((goods.mug.sku, 2))
    cancelled = app.buy((goods.mug.sku, 1))
    for placed in (confirmed, delivered, cancelled):
        app.follow(placed, "CONFIRMED")
    app.follow(asked, "REQUIRES_ACTION")
    app.follow(declined, "PAYMENT_FAILED")
    lapsed = app.buy((goods.mug.sku, 1), card="pm_card_visa_chargeDeclinedStolenCard")
    app.follow(lapsed, "CANCELLED")
    app.ask("POST", f"/orders/{cancelled.id}/cancel/", X_Order_Token=cancelled.token)
    app.follow(cancelled, "CANCELLED")
    done = live_stack.manage("shell", "-c", HAND_OVER.format(id=delivered.id))
    assert done.returncode == 0, done.stderr

    looks.at(_page(asked), "order, the bank asks")
    looks.at(_page(declined), "order, declined")
    looks.at(_page(lapsed), "order, not paid")
    looks.at(_page(cancelled), "order, called off")
    looks.at(_page(confirmed), "order, confirmed")
    window.press(".ask summary")
    looks.now("order, asked before it is cancelled")
    looks.at(_page(delivered), "order, delivered")
    window.press("#return button[type=submit]")
    window.until(lambda: _all(window, "#return .error"), "the errors are there")
    looks.now("order, a refused return")
    window.type(f"quantity-{goods.mug.sku}", "1")
    window.type("reason", "Too blue.")
    window.press("#return button[type=submit]")
    window.until(lambda: "Your return" in window.text("main"), "the return is noted")
    looks.now("order, on its way back")


def test_accounts(looks: Looks, goods: Goods) -> None:
    window = looks.window
    for path in ("/account/login/", "/account/register/", "/account/password/reset/",
                 "/account/password/new/MQ/nope/"):  # fmt: skip
        looks.at(path)
    window.open("/account/register/")
    window.press("main form button[type=submit]")
    window.until(lambda: _all(window, ".error"), "the errors are there")
    looks.now("register, errors")
    sign_in(window)
    for path in ("/account/", "/account/orders/", "/account/addresses/", "/account/addresses/new/",
                 "/account/profile/"):  # fmt: skip
        looks.at(path)
    window.open("/account/addresses/")
    window.press(".ask summary")
    looks.now("address book, asked before it is removed")
    window.put_into_cart(goods.mug.slug)
    looks.at("/checkout/", "checkout, with an address book")


def sign_in(window: Window) -> None:
    window.open("/account/login/")
    window.type("email", "alice@kettleandpine.example")
    window.type("password", "slow-mornings")
    window.press("main form button[type=submit]")
    window.until(lambda: "/login/" not in window.chrome.current_url, "signed in")


def _page(placed: Placed) -> str:
    return f"/orders/{placed.id}/?token={placed.token}"


def _all(window: Window, selector: str) -> list[object]:
    return list(window.chrome.find_elements(By.CSS_SELECTOR, selector))
