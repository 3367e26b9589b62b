"""The rest of the shop in a browser, on phone and desk: options, cart, order, times, fonts."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.keys import Keys

from tests.journeys.conftest import HEADER, Goods, SandboxControl
from tests.journeys.shopper import CHALLENGED, App, Placed
from tests.journeys.site_window import ShopWindow, fresh_visitor
from tools.stack import Stack

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = [pytest.mark.journey, pytest.mark.browser]

SCARF = "journey-scarf"
OPTIONS = [
    # colour, size, units
    ("Pine", "Short", 9),
    ("Pine", "Long", 0),
    ("Clay", "Short", 1),
    ("Clay", "Long", 9),
]
HAND_OVER = """
from uuid import UUID
from apps.orders.fulfilment import shipping
shipping.hand_to_carrier(UUID("{id}"), actor="test")
shipping.mark_delivered(UUID("{id}"), actor="test")
"""
SHIFTS = """
    const done = arguments[arguments.length - 1];
    let sum = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((shift) => (sum += shift.value)))
      .observe({ type: "layout-shift", buffered: true });
    setTimeout(() => done(sum), 1500);
"""


@pytest.fixture(params=["phone", "desk"])
def window(
    request: pytest.FixtureRequest, chromium: "Chrome", live_stack: Stack, goods: Goods
) -> Iterator[ShopWindow]:
    yield from fresh_visitor(chromium, live_stack.url, width=request.param)


@pytest.fixture(scope="module")
def scarf(live_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The slug of a product with two options; some of its variants are sold out or nearly so."""
    return import_scarf(live_stack, tmp_path_factory.mktemp("scarf"))


def import_scarf(stack: Stack, folder: Path) -> str:
    header = f"{HEADER},Option1 Name,Option1 Value,Option2 Name,Option2 Value"
    rows = [
        f"{SCARF},Journey Scarf,<p>Warm.</p>,Kettle & Pine,Journeys,true,"
        f"SCARF-{colour}-{size},200,{units},30.00,true,true,Colour,{colour},Size,{size}"
        for colour, size, units in OPTIONS
    ]
    file = folder / "scarf.csv"
    file.write_text("\n".join([header, *rows]))
    done = stack.manage("import_catalog", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    return SCARF


def test_option_buttons_keep_their_words_after_a_choice(window: ShopWindow, scarf: str) -> None:
    window.open(f"/p/{scarf}/")

    def words() -> dict[str, str]:
        """What a screen reader says of each button."""
        return {
            str(window.run("return arguments[0].value", radio)): radio.accessible_name
            for radio in window.all(".chip input")
        }

    assert words() == {
        "Pine": "Pine",
        "Clay": "Clay 1 left",
        "Short": "Short",
        "Long": "Long sold out",
    }
    window.choose("option-0", "Clay")
    assert words() == {
        "Pine": "Pine",
        "Clay": "Clay 1 left",
        "Short": "Short 1 left",
        "Long": "Long",
    }
    window.choose("option-1", "Long")
    assert words()["Pine"] == "Pine sold out"
    window.choose("option-0", "Pine")
    assert words() == {
        "Pine": "Pine sold out",
        "Clay": "Clay",
        "Short": "Short",
        "Long": "Long sold out",
    }
    assert window.text(".chip:has(input[value=Long]) small") == "sold out"


def test_quantity_keeps_place_and_focus(window: ShopWindow, goods: Goods) -> None:
    for good in (goods.kettle, goods.lamp, goods.candle, goods.mug):
        window.put_into_cart(good.slug)
    window.mark_page()
    box = window.find(f'[data-key="quantity of {goods.candle.sku}"]')
    window.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", box)
    box.click()
    before = window.run("return scrollY")

    box.send_keys(Keys.ARROW_UP, Keys.ARROW_UP)
    window.until(lambda: "$29.85" in window.text("main"), "three candles")

    assert window.is_same_page()
    assert "6" in window.text(".tools"), "the head counts along"
    focused = window.run("return document.activeElement.dataset.key")
    assert focused == f"quantity of {goods.candle.sku}"
    assert abs(window.run("return scrollY") - before) < 3
    window.press(f'[data-key="remove {goods.candle.sku}"]')
    window.until(lambda: "Journey Candle" not in window.text("main"), "gone")
    assert window.is_same_page()
    assert goods.mug.sku in window.run("return document.activeElement.dataset.key"), "its neighbour"
    assert "3 lines" in window.run("return document.querySelector('[data-said]').textContent")


def test_quantity_typed_before_the_way_to_the_checkout_counts(
    window: ShopWindow, goods: Goods
) -> None:
    window.put_into_cart(goods.mug.slug)
    box = window.find(f'[data-key="quantity of {goods.mug.sku}"]')
    window.run("arguments[0].value = ''", box)
    box.send_keys("3")

    window.press("a.button.wide")
    window.until_at("/checkout/")

    assert "3 × Journey Mug" in window.text("#totals")


def test_quantity_that_cannot_be_keeps_the_shopper_in_the_cart(
    window: ShopWindow, goods: Goods
) -> None:
    window.put_into_cart(goods.spoon.slug)
    box = window.find(f'[data-key="quantity of {goods.spoon.sku}"]')
    window.run("arguments[0].value = ''", box)
    box.send_keys("900")

    window.press("a.button.wide")
    window.until(lambda: window.all(".line .note.bad"), "what is left is told")

    assert window.chrome.current_url.endswith("/cart/")
    assert box_value(window, goods.spoon.sku) == "900", "what was typed stays"


def box_value(window: ShopWindow, sku: str) -> str:
    return str(window.find(f'[data-key="quantity of {sku}"]').get_attribute("value"))


def test_live_is_said_only_while_it_is(window: ShopWindow, goods: Goods, app: App) -> None:
    placed = app.buy((goods.mug.sku, 1))
    app.follow(placed, "CONFIRMED")
    window.open(page_of(placed))
    window.until_text("[data-live]", "Live: this page moves by itself.")

    window.network(offline=True)
    window.until(lambda: "No connection" in window.text("[data-live]"), "it says so")
    window.network()

    window.until_text("[data-live]", "Live: this page moves by itself.")


def test_times_are_those_of_the_shopper(window: ShopWindow, goods: Goods, app: App) -> None:
    placed = app.buy((goods.mug.sku, 1), card=CHALLENGED)
    status = app.follow(placed, "REQUIRES_ACTION")
    zone = "Asia/Kolkata"  # half an hour beside the others
    window.chrome.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": zone})
    try:
        window.open(page_of(placed))
        clock = window.run(
            "return new Date(arguments[0]).toLocaleTimeString('en-GB',"
            " { timeZone: arguments[1], hour: '2-digit', minute: '2-digit' })",
            status["next_action"]["until"],
            zone,
        )

        assert window.text("[data-deadline]") == clock
        assert f"until {clock}." in window.text("[data-message]")
        assert "UTC" not in window.text("main")
    finally:
        window.chrome.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": ""})


def test_paid_is_not_lit_before_it_is(
    window: ShopWindow, goods: Goods, app: App, sandbox: SandboxControl
) -> None:
    sandbox.set(latency_ms=1500)
    placed = app.buy((goods.mug.sku, 1))

    window.open(page_of(placed))
    window.until_text("[data-label]", "Approved.")
    paid = window.find("[data-stage=paid]").get_attribute("class")
    still = window.text("[data-label]") == "Approved."

    assert paid != "done" or not still
    window.until_text("[data-label]", "We are packing.")
    assert window.find("[data-stage=paid]").get_attribute("class") == "done"


def test_cancelling_asks_first_and_is_no_error(window: ShopWindow, goods: Goods, app: App) -> None:
    placed = app.buy((goods.mug.sku, 1))
    app.follow(placed, "CONFIRMED")
    window.open(page_of(placed))
    assert not window.find(".ask button").is_displayed()

    window.press(".ask summary")
    window.until(lambda: window.find(".ask button").is_displayed(), "it asks")
    assert app.follow(placed, "CONFIRMED"), "nothing has happened yet"
    window.press(".ask button")

    window.until_text("[data-label]", "Called off.")
    assert not window.all(".track .failed")
    assert not window.all(".again button")


def test_return_tells_where_it_goes(
    window: ShopWindow, goods: Goods, app: App, live_stack: Stack
) -> None:
    placed = app.buy((goods.mug.sku, 2))
    app.follow(placed, "CONFIRMED")
    done = live_stack.manage("shell", "-c", HAND_OVER.format(id=placed.id))
    assert done.returncode == 0, done.stderr
    window.open(page_of(placed))

    window.type(f"quantity-{goods.mug.sku}", "9")
    window.type("reason", "Too blue.")
    window.press("#return button[type=submit]")
    window.until(lambda: window.all("#return .error"), "too many")
    assert window.text("#return .error") == "At most 2 of Journey Mug can come back."
    window.type(f"quantity-{goods.mug.sku}", "1")
    window.press("#return button[type=submit]")
    window.until(lambda: "Your return" in window.text("main"), "it is noted")

    page = window.text("main")
    assert f"{placed.number}-R1" in page
    assert "1 × Journey Mug" in page
    assert "48 Mill Lane" in page
    assert goods.mug.sku not in page


def test_removing_an_address_asks_first(window: ShopWindow, goods: Goods) -> None:
    window.sign_in("alice@kettleandpine.example", "slow-mornings")
    window.open("/account/addresses/")

    assert not window.find(".ask form button").is_displayed()
    window.press(".ask summary")

    window.until(lambda: window.find(".ask form button").is_displayed(), "it asks")


def test_order_numbers_have_lining_figures(window: ShopWindow, goods: Goods, app: App) -> None:
    placed = app.buy((goods.mug.sku, 1))
    window.open(page_of(placed))

    styles = window.run(
        "return [...document.querySelectorAll('.number')].map(part =>"
        " getComputedStyle(part).fontVariantNumeric)"
    )

    assert window.text("h1 .number") == placed.number
    assert all("lining-nums" in style for style in styles)


def test_lost_page_has_a_search(window: ShopWindow, goods: Goods) -> None:
    window.open("/p/nothing-of-the-kind/")

    window.type("q", "journey kettle")
    window.find("[name=q]").send_keys(Keys.ENTER)

    window.until(lambda: "Journey Kettle" in window.text("main"), "found")


@pytest.mark.parametrize("path", ["/", "/p/everyday-teapot/", "/account/login/"])
def test_fonts_that_come_late_move_nothing(window: ShopWindow, goods: Goods, path: str) -> None:
    window.chrome.execute_cdp_cmd("Network.enable", {})
    window.chrome.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": True})
    window.network(latency_ms=300)
    window.chrome.set_script_timeout(30)
    try:
        window.open(path)
        assert window.chrome.execute_async_script(SHIFTS) < 0.01
    finally:
        window.chrome.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": False})


def page_of(placed: Placed) -> str:
    return f"/orders/{placed.id}/?token={placed.token}"
