"""A browser window of a fresh visitor, at one width, without the script that cuts polling."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.journeys import axe
from tests.journeys.shopper import ADDRESS, VISA
from tests.journeys.test_buying_in_chromium import Window

if TYPE_CHECKING:
    from selenium.webdriver import Chrome


class ShopWindow(Window):
    """The window with what journeys of the site do again and again."""

    def find(self, selector: str) -> WebElement:
        return self.chrome.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.chrome.find_elements(By.CSS_SELECTOR, selector)

    def value(self, field: str) -> str:
        return str(self.run("return document.querySelector(arguments[0]).value", f"[name={field}]"))

    def focused(self) -> str:
        """Name, or else text, of what has the focus."""
        return str(self.run("const at = document.activeElement; return at.name || at.textContent"))

    def mark_page(self) -> None:
        """So that `is_same_page` can tell whether it was loaded again."""
        self.run("window.marked = true")

    def is_same_page(self) -> bool:
        return bool(self.run("return window.marked === true"))

    def fill_in(self, card: str = VISA, **changes: str) -> None:
        """The checkout's form, as a person fills it in; prices have come at the end."""
        typed = {"email": "alice@example.com", **ADDRESS} | changes
        for field in ("email", "name", "line1", "city", "region", "postal_code"):
            self.type(field, typed[field])
        self.choose("payment_method", card)
        self.until_quiet()

    def until_quiet(self) -> None:
        """Until no prices are asked for any more."""
        self.until(lambda: not self.all("form.busy"), "prices are there")

    def place_order(self) -> None:
        self.press("[data-place-order]")

    def until_ordered(self) -> None:
        self.until(lambda: "/orders/" in self.chrome.current_url, "the order's page is there")

    def until_at(self, path: str) -> None:
        self.until(lambda: self.chrome.current_url.startswith(self.url + path), f"at {path}")

    def sign_in(self, email: str, password: str) -> None:
        self.open("/account/login/")
        self.type("email", email)
        self.type("password", password)
        self.press("main form button[type=submit]")
        self.until(lambda: "/login/" not in self.chrome.current_url, "signed in")

    def network(self, *, offline: bool = False, latency_ms: int = 0) -> None:
        """Cut the network, or make every answer late; without arguments as it was."""
        conditions: dict[str, Any] = {"offline": offline, "latency": latency_ms}
        conditions |= {"downloadThroughput": -1, "uploadThroughput": -1}
        self.chrome.execute_cdp_cmd("Network.enable", {})
        self.chrome.execute_cdp_cmd("Network.emulateNetworkConditions", conditions)


def fresh_visitor(chromium: "Chrome", url: str, *, width: str = "desk") -> Iterator[ShopWindow]:
    """The window, with no cookie; as it was afterwards."""
    chromium.get("about:blank")
    chromium.execute_cdp_cmd("Network.clearBrowserCookies", {})
    chromium.get_log("browser")
    axe.wear(chromium, width=width, scheme="light")
    window = ShopWindow(chromium, url)
    yield window
    # What the page sends when it is left would arrive after the cookies are cleared, and its answer
    # would give the next visitor the cookies of another one. A page without fetch sends nothing;
    # without a network, no form does.
    window.run("window.fetch = () => Promise.reject(new Error('the test is over'))")
    window.network(offline=True)
    chromium.get("about:blank")
    window.network()
    axe.undress(chromium)
