"""One real browser: buys, watches the order move, approves at the bank. About fifteen seconds.

What each page does is written down by the page itself, in a script that runs before the shop's own
(WATCH): which websocket messages came, which policy was violated, which errors were thrown. It also
cuts the other way by which a page can learn of a move: questions for status and events fail. What
moves then has moved by websocket.
"""

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.journeys.conftest import Goods, SandboxControl
from tests.journeys.shopper import ADDRESS, CHALLENGED, VISA, App
from tools.stack import Stack

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = [pytest.mark.journey, pytest.mark.browser]

WATCH = """
    window.seen = { messages: [], asked: [], violations: [], errors: [] };
    addEventListener("securitypolicyviolation", (event) =>
      seen.violations.push(`${event.violatedDirective}: ${event.blockedURI}`));
    addEventListener("error", (event) => seen.errors.push(event.message || String(event.target)),
                     true);
    addEventListener("unhandledrejection", (event) => seen.errors.push(String(event.reason)));
    window.WebSocket = class extends WebSocket {
      constructor(...given) {
        super(...given);
        this.addEventListener("message", (event) => seen.messages.push(JSON.parse(event.data)));
      }
    };
    const ask = window.fetch;
    window.fetch = (address, ...more) => {
      if (!/\\/(status|events)\\//.test(String(address))) return ask(address, ...more);
      seen.asked.push(String(address));
      return Promise.reject(new TypeError("polling is cut"));
    };
"""


class Window:
    """The browser as its tests use it."""

    def __init__(self, chrome: "Chrome", url: str) -> None:
        self.chrome, self.url = chrome, url

    def open(self, path: str) -> None:
        self.chrome.get(self.url + path)

    def run(self, script: str, *given: Any) -> Any:
        return self.chrome.execute_script(script, *given)

    def seen(self, what: str) -> list[Any]:
        return list(json.loads(self.run(f"return JSON.stringify(window.seen.{what})")))

    def text(self, selector: str) -> str:
        return str(self.chrome.find_element(By.CSS_SELECTOR, selector).text)

    def press(self, selector: str) -> None:
        part = self.chrome.find_element(By.CSS_SELECTOR, selector)
        # The page scrolls smoothly: a click at once would miss what is still on its way.
        self.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", part)
        part.click()

    def type(self, field: str, text: str) -> None:
        box = self.chrome.find_element(By.NAME, field)
        self.run("arguments[0].value = ''", box)
        box.send_keys(text)

    def choose(self, name: str, value: str) -> None:
        self.press(f'label:has(input[name="{name}"][value="{value}"])')

    def until(self, condition: Callable[[], object], what: str) -> None:
        ignored = (StaleElementReferenceException,)
        WebDriverWait(self.chrome, 30, 0.05, ignored).until(lambda _: condition(), what)

    def until_text(self, selector: str, text: str) -> None:
        self.until(lambda: self.text(selector) == text, f"{selector} reads {text!r}")

    def put_into_cart(self, slug: str) -> None:
        self.open(f"/p/{slug}/")
        self.press("[data-add]")
        # The click returns before the form's answer: the cart's page says that it is in.
        self.until(lambda: self.chrome.current_url.endswith("/cart/"), "the cart is there")

    def check_out(self, *, card: str) -> None:
        """Fill in the checkout's form as a person does, and press the button."""
        self.open("/checkout/")
        self.type("email", "alice@example.com")
        for field in ("name", "line1", "city", "postal_code"):
            self.type(field, ADDRESS[field])
        # The state decides the tax: the page asks the server for the summary once it is typed.
        self.type("region", ADDRESS["region"])
        self.choose("payment_method", card)
        self.until(
            lambda: not self.chrome.find_elements(By.CSS_SELECTOR, "form.busy"), "prices are there"
        )
        self.press("[data-place-order]")
        self.until(lambda: "/orders/" in self.chrome.current_url, "the order's page is there")

    def assert_quiet(self) -> None:
        """Nothing was thrown, blocked, missing or complained of."""
        assert (self.seen("errors"), self.seen("violations")) == ([], [])
        complaints = [entry for entry in self.chrome.get_log("browser") if entry["level"] != "INFO"]
        assert complaints == []


@pytest.fixture
def window(chromium: "Chrome", live_stack: Stack, goods: Goods) -> Iterator[Window]:
    """A fresh visitor in a wide window."""
    chromium.get("about:blank")
    chromium.execute_cdp_cmd("Network.clearBrowserCookies", {})
    chromium.get_log("browser")
    script = chromium.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
    yield Window(chromium, live_stack.url)
    chromium.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_guest_sees_their_order_move_by_websocket(
    window: Window, goods: Goods, sandbox: SandboxControl
) -> None:
    sandbox.set(latency_ms=1500)  # time to be on the page before the bank has answered
    window.put_into_cart(goods.mug.slug)
    window.assert_quiet()

    window.check_out(card=VISA)

    assert window.text("[data-label]") == "We have your order."
    window.until_text("[data-live]", "Live: this page moves by itself.")
    window.until_text("[data-label]", "We are packing.")
    received = window.seen("messages")
    assert [(move["seq"], move["status"]) for move in received] == [
        (2, "PAYMENT_AUTHORIZED"),
        (3, "CONFIRMED"),
    ]
    assert window.seen("asked") == [], "it never had to ask"
    assert window.run("return performance.navigation.type") == 0, "nor to load again"
    assert window.text("[data-message]") == received[-1]["message"]
    lines = window.run(
        "return [...document.querySelectorAll('[data-timeline] li')].map(li => li.dataset.seq)"
    )
    assert lines == ["1", "2", "3"]
    window.assert_quiet()


def test_bank_asks_and_the_shopper_approves(
    window: Window, goods: Goods, sandbox: SandboxControl, live_stack: Stack
) -> None:
    sandbox.set(latency_ms=800)
    window.put_into_cart(goods.mug.slug)

    window.check_out(card=CHALLENGED)
    window.until_text("[data-label]", "Your bank has a question.")
    assert [move["status"] for move in window.seen("messages")] == ["REQUIRES_ACTION"]
    assert window.seen("asked") == []
    window.assert_quiet()
    window.press("[data-action-link]")
    window.until(lambda: "/3d-secure/" in window.chrome.current_url, "the bank's page is there")
    window.press('button[value="approve"]')

    window.until(
        lambda: window.chrome.current_url.startswith(window.url), "the order's page is back"
    )
    window.until_text("[data-label]", "We are packing.")
    assert "secret" not in window.chrome.current_url
    assert not window.chrome.find_element(By.CSS_SELECTOR, "[data-action]").is_displayed()
    window.assert_quiet()


def test_every_page_fits_a_small_phone(window: Window, goods: Goods, live_stack: Stack) -> None:
    """360 px: nothing hangs out to the right, on any page that a shopper comes by."""
    window.chrome.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True},
    )
    app = App(live_stack.url)
    confirmed = app.buy((goods.mug.sku, 1), (goods.lamp.sku, 3), promo_code="SLOWMORNING")
    asked = app.buy((goods.mug.sku, 1), card=CHALLENGED)
    app.follow(confirmed, "CONFIRMED")
    app.follow(asked, "REQUIRES_ACTION")
    window.put_into_cart(goods.mug.slug)
    anybodys = [
        *("/", "/search/", "/search/?q=kettle", "/search/?q=nothing-of-the-kind"),
        *("/c/journeys/", "/c/cups-mugs/", f"/p/{goods.mug.slug}/", "/p/first-light-gooseneck/"),
        *("/p/everyday-teapot/", f"/p/{goods.memory.slug}/", "/cart/", "/checkout/"),
        f"/orders/{confirmed.id}/?token={confirmed.token}",
        f"/orders/{asked.id}/?token={asked.token}",
        *("/account/login/", "/account/register/", "/account/password/reset/"),
    ]
    account_pages = [
        "/account/",
        "/account/orders/",
        "/account/addresses/",
        "/account/addresses/new/",
    ]

    wide = {path: hangs_out(window, path) for path in anybodys}
    window.open("/account/login/")
    window.type("email", "alice@kettleandpine.example")
    window.type("password", "slow-mornings")
    window.press("main form button[type=submit]")
    window.until(lambda: "/login/" not in window.chrome.current_url, "signed in")
    wide |= {
        path: hangs_out(window, path) for path in [*account_pages, "/account/profile/", "/cart/"]
    }

    assert {path: found for path, found in wide.items() if found} == {}
    window.run("document.querySelector('h1').style.width = '400px'")
    assert beyond_the_edge(window), "the look itself can find something"


def hangs_out(window: Window, path: str) -> list[str]:
    """What reaches beyond the right edge of the page at `path`."""
    window.open(path)
    assert window.run("return document.contentType") == "text/html"
    assert window.text("h1"), f"{path} has no heading"
    assert window.seen("errors") == window.seen("violations") == [], path
    return beyond_the_edge(window)


def beyond_the_edge(window: Window) -> list[str]:
    """Parts that make the page scroll sideways; nothing when it does not."""
    return list(
        window.run(
            """
            const page = document.documentElement;
            if (page.scrollWidth <= 360 && innerWidth <= 360) return [];
            return [...document.querySelectorAll("body *")]
              .filter((part) => part.getBoundingClientRect().right > 360.5)
              .map((part) => `${part.tagName}.${part.className}`).slice(0, 5)
              .concat(`${page.scrollWidth} px wide`);
            """
        )
    )
