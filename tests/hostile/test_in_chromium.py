"""In a real browser: markup runs nowhere, and the policies break no page, the office's included.

A policy would hide markup that was not escaped: it blocks the script and reports that only on the
console. So an empty console means that there was nothing to block.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from selenium.webdriver.common.by import By

from tests.journeys.shopper import ADDRESS, App
from tests.journeys.test_buying_in_chromium import WATCH, Window
from tools.stack import Stack

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = [pytest.mark.journey, pytest.mark.browser]

ALERT = "<img src=x onerror=alert(1)><script>alert(2)</script>"
ALERTS = "window.alert = (words) => { (window.alerted ??= []).push(words); };"
HEADER = (
    "Handle,Title,Body (HTML),Vendor,Type,Published,Variant SKU,Variant Grams,"
    "Variant Inventory Qty,Variant Price,Variant Requires Shipping,Variant Taxable"
)


@pytest.fixture
def window(chromium: "Chrome", live_stack: Stack) -> Iterator[Window]:
    chromium.get("about:blank")
    chromium.execute_cdp_cmd("Network.clearBrowserCookies", {})
    chromium.get_log("browser")
    script = chromium.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument", {"source": WATCH + ALERTS}
    )
    yield Window(chromium, live_stack.url)
    chromium.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)


@pytest.fixture(scope="module")
def evil_mug(live_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The SKU of a product whose supplier sent markup for its name, type, vendor and text."""
    file: Path = tmp_path_factory.mktemp("markup") / "goods.csv"
    row = f"evil-mug,Evilware {ALERT},{ALERT},{ALERT},Hostile,true,EVIL-MUG,100,500,10.00,true,true"
    file.write_text(f"{HEADER}\n{row}\n")
    done = live_stack.manage("import_catalog", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    return "EVIL-MUG"


def assert_nothing_ran(window: Window, what: str) -> None:
    assert window.run("return window.alerted || []") == [], what
    complaints = [
        entry["message"]
        for entry in window.chrome.get_log("browser")
        if entry["level"] not in ("INFO", "DEBUG") and "404 (Not Found)" not in entry["message"]
    ]
    assert (window.seen("errors"), window.seen("violations"), complaints) == ([], [], []), what


def shows(window: Window) -> bool:
    """Whether the page has the markup in it, as text."""
    return bool(window.run("return document.body.textContent.includes(arguments[0])", ALERT))


def test_the_look_itself_would_see_an_alert_and_a_violation(window: Window) -> None:
    window.open("/")
    window.run("alert(1); document.body.insertAdjacentHTML('beforeend', arguments[0])", ALERT)
    window.until(lambda: window.seen("violations"), "the policy stands in the way")

    assert window.run("return window.alerted") == [1]


def test_markup_of_suppliers_and_shoppers_runs_nowhere(
    window: Window, live_stack: Stack, evil_mug: str
) -> None:
    app = App(live_stack.url)
    address = ADDRESS | {"name": ALERT, "line1": ALERT, "city": ALERT}
    placed = app.buy((evil_mug, 1), shipping_address=address)
    app.follow(placed, "CONFIRMED")
    for path in ("/c/hostile/", "/p/evil-mug/", "/search/?q=evilware", f"/search/?q={ALERT}"):
        window.open(path)
        assert shows(window), path
        assert_nothing_ran(window, path)
    window.put_into_cart("evil-mug")
    assert shows(window)
    assert_nothing_ran(window, "cart")
    window.open("/checkout/")
    for field in ("name", "line1", "city"):
        window.type(field, ALERT)
    assert_nothing_ran(window, "checkout")

    window.open(f"/orders/{placed.id}/?token={placed.token}")
    window.until_text("[data-live]", "Live: this page moves by itself.")
    assert shows(window)
    with psycopg.connect(live_stack.database_url, autocommit=True) as books:
        # A transition whose text a third party chose (bank, carrier), received over the websocket.
        books.execute(
            "WITH moved AS (UPDATE orders_order SET seq = seq + 1 WHERE id = %s RETURNING *)"
            " INSERT INTO orders_orderevent (order_id, seq, status, message, actor, created_at)"
            " SELECT id, seq, status, %s, '', now() FROM moved",
            [placed.id, ALERT],
        )
    window.until(lambda: window.text("[data-message]") == ALERT, "the words came over the socket")
    assert window.seen("messages")[-1]["message"] == ALERT
    assert_nothing_ran(window, "order")


def sign_in_to_the_office(window: Window) -> None:
    window.open("/admin/")
    window.type("username", "admin@kettleandpine.example")
    window.type("password", "kettle-is-on")
    window.press("#login-form button")
    window.until(lambda: window.chrome.current_url.endswith("/admin/"), "the office is open")


def test_the_office_works_under_its_policy_and_shows_markup_as_text(
    window: Window, live_stack: Stack, evil_mug: str
) -> None:
    app = App(live_stack.url)
    placed = app.buy((evil_mug, 1), shipping_address=ADDRESS | {"name": ALERT, "city": ALERT})
    app.follow(placed, "CONFIRMED")
    window.open("/admin/login/")
    assert_nothing_ran(window, "the sign-in page")
    sign_in_to_the_office(window)
    window.until(lambda: window.run("return !!window.Alpine"), "Alpine runs")
    assert_nothing_ran(window, "today")
    window.open("/admin/second-factor/")
    drawn = "const code = document.querySelector('.bo-qr'); return code.naturalWidth > 100"
    assert window.run(drawn), "the policy lets the code for the phone be drawn"
    assert_nothing_ran(window, "second factor")
    window.open("/admin/orders/order/")
    assert_nothing_ran(window, "orders")
    window.open("/admin/catalog/product/?q=evilware")
    assert shows(window)
    assert_nothing_ran(window, "products")
    change = window.chrome.find_element(By.CSS_SELECTOR, "#result_list a[href*='/change/']")
    window.open(change.get_attribute("href").removeprefix(window.url))
    assert_nothing_ran(window, "product")
    window.open(f"/admin/orders/order/{placed.id}/change/")
    assert shows(window)
    assert_nothing_ran(window, "order")
    action = window.run(
        "return [...document.querySelectorAll('a')].map(a => a.href).find(h => /cancel/.test(h))"
    )
    assert action, "an order that can be called off shows how"
    window.open(action.removeprefix(window.url))
    assert "form_id" in window.chrome.page_source
    assert_nothing_ran(window, "action")


def test_the_apis_browser_works_under_its_policy(window: Window) -> None:
    window.open("/api/docs/")
    window.until(
        lambda: len(window.chrome.find_elements(By.CSS_SELECTOR, ".opblock")) > 20,
        "calls are there",
    )

    assert_nothing_ran(window, "docs")


def test_pages_of_the_shop_are_quiet(window: Window, live_stack: Stack, evil_mug: str) -> None:
    for path in ("/", "/search/?q=kettle", "/account/login/", "/account/register/", "/cart/",
                 "/nowhere/", "/account/password/reset/"):  # fmt: skip
        window.open(path)
        assert_nothing_ran(window, path)
    window.put_into_cart("evil-mug")
    window.open("/checkout/")
    assert_nothing_ran(window, "checkout")
