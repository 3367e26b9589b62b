"""The checkout in a browser, on phone and desk: nothing typed is lost, every press counts."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.journeys.conftest import Goods, SandboxControl
from tests.journeys.lapsed import lapse
from tests.journeys.shopper import CHALLENGED, DECLINED, VISA, App
from tests.journeys.site_window import ShopWindow, fresh_visitor
from tools.stack import Stack

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = [pytest.mark.journey, pytest.mark.browser]

ALICE = ("alice@kettleandpine.example", "slow-mornings")


@pytest.fixture(params=["phone", "desk"])
def window(
    request: pytest.FixtureRequest, chromium: "Chrome", live_stack: Stack, goods: Goods
) -> Iterator[ShopWindow]:
    yield from fresh_visitor(chromium, live_stack.url, width=request.param)


def test_enter_never_refills_the_address(window: ShopWindow, goods: Goods) -> None:
    window.sign_in(*ALICE)
    window.put_into_cart(goods.mug.slug)
    window.open("/checkout/")
    assert window.value("saved"), "the form stands filled in from the book"

    window.type("line1", "99 Typed Street")
    assert window.value("saved") == "", "it is not the address of the book any more"
    window.type("city", "")
    window.find("[name=postal_code]").send_keys(Keys.ENTER)

    window.until(lambda: window.all(".error"), "the missing city is told")
    assert window.value("line1") == "99 Typed Street"
    assert window.value("city") == ""


def test_another_address_empties_the_fields_and_typed_ones_come_back(
    window: ShopWindow, goods: Goods
) -> None:
    window.sign_in(*ALICE)
    window.put_into_cart(goods.mug.slug)
    window.open("/checkout/")
    entry, saved = window.value("saved"), window.value("line1")

    choose_saved(window, "")
    window.until(lambda: window.value("line1") == "", "the fields are empty")
    assert window.find("#save-address").is_displayed()
    window.type("line1", "5 Elm Street")
    choose_saved(window, entry)
    window.until(lambda: window.value("line1") == saved, "the book's address is there")
    choose_saved(window, "")
    window.until(lambda: window.value("line1") == "5 Elm Street", "what was typed is back")


def choose_saved(window: ShopWindow, value: str) -> None:
    window.find(f"#id_saved option[value='{value}']").click()
    window.until_quiet()


def test_answer_between_press_and_release_does_not_swallow_the_click(
    window: ShopWindow, goods: Goods
) -> None:
    window.put_into_cart(goods.mug.slug)
    window.open("/checkout/")
    window.fill_in()
    button = window.find("[data-place-order]")
    window.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", button)
    window.run(
        "window.answered = 0; const ask = fetch; window.fetch = async (...given) => {"
        " const answer = await ask(...given); answered += 1; return answer; }"
    )

    ActionChains(window.chrome).click_and_hold(button).perform()
    window.run(
        "const region = document.querySelector('[name=region]');"
        " region.dispatchEvent(new Event('change', { bubbles: true }))"
    )
    window.until(lambda: window.run("return answered"), "the answer came while the button was down")
    ActionChains(window.chrome).pause(0.3).release().perform()

    window.until_ordered()


def test_answer_takes_neither_focus_nor_what_is_typed(window: ShopWindow, goods: Goods) -> None:
    window.put_into_cart(goods.mug.slug)
    window.open("/checkout/")
    window.type("email", "alice@example.com")
    window.network(latency_ms=2000)

    window.type("region", "NY")
    window.find("[name=region]").send_keys(Keys.TAB)
    box = window.find("[name=postal_code]")
    box.send_keys("100")
    assert window.all("form.busy"), "the answer is on its way"
    window.until_quiet()
    box.send_keys("01")

    assert window.value("postal_code") == "10001"
    assert window.focused() == "postal_code"
    window.choose("shipping_method", "express")
    window.until_quiet()
    assert window.run("return document.activeElement.value") == "express"
    assert window.value("postal_code") == "10001"


def test_address_of_the_book_takes_no_field_that_is_being_typed_into(
    window: ShopWindow, goods: Goods
) -> None:
    window.sign_in(*ALICE)
    window.put_into_cart(goods.mug.slug)
    window.open("/checkout/")
    entry, street = window.value("saved"), window.value("line1")
    choose_saved(window, "")
    window.network(latency_ms=2000)

    window.find(f"#id_saved option[value='{entry}']").click()
    box = window.find("[name=line2]")
    box.click()
    box.send_keys("Third")
    assert window.all("form.busy"), "the answer is on its way"
    window.until_quiet()
    window.chrome.switch_to.active_element.send_keys(" floor")

    assert window.value("line2") == "Third floor"
    assert window.value("line1") == street, "the rest came from the book"


def test_tax_is_told_once_the_address_is_there(window: ShopWindow, goods: Goods) -> None:
    window.put_into_cart(goods.mug.slug)
    assert window.text(".totals").count("calculated after the address") == 2
    window.open("/checkout/")
    assert "calculated after the address" in window.text("#totals")
    assert "$0.00" not in window.text("#totals")

    window.fill_in()

    window.until(lambda: "calculated after" not in window.text("#totals"), "the tax is told")
    assert "Total so far" not in window.text("#totals")


@pytest.mark.parametrize("failure", ["declined", "refused at the bank"])
def test_failed_payment_leads_back_to_the_filled_form(
    window: ShopWindow, goods: Goods, sandbox: SandboxControl, live_stack: Stack, failure: str
) -> None:
    window.put_into_cart(goods.mug.slug)
    window.open("/checkout/")
    window.fill_in(DECLINED if failure == "declined" else CHALLENGED, line1="7 Alder Way")
    window.place_order()
    window.until_ordered()
    if failure != "declined":
        window.until(lambda: window.find("[data-action-link]").is_displayed(), "the bank asks")
        assert window.text("[data-deadline]"), "until when is told"
        window.press("[data-action-link]")
        window.until(lambda: "/3d-secure/" in window.chrome.current_url, "the bank's page is there")
        window.press('button[value="refuse"]')
        window.until_at("/orders/")
    window.until(lambda: window.all(".pay-again"), "another card can be tried")
    window.until(lambda: "left)" in window.text("[data-countdown]"), "and for how long")
    lapse(live_stack)
    window.until(lambda: window.all("form.again button"), "there is a way back")
    window.until_text("[data-label]", "Not paid.")
    # The bar shows the failure, and nothing that was not reached.
    assert len(window.all(".track .failed")) == 1
    assert not window.all(".track [data-stage=paid].done")

    window.press("form.again button")
    window.until_at("/checkout/")

    assert "The payment did not go through." in window.text("[data-focus]")
    assert window.value("line1") == "7 Alder Way"
    assert window.value("email") == "alice@example.com"
    window.choose("payment_method", VISA)
    window.until_quiet()
    window.place_order()
    window.until_ordered()
    window.until_text("[data-label]", "We are packing.")


def test_declined_order_is_paid_with_another_card_on_its_page(
    window: ShopWindow, goods: Goods, sandbox: SandboxControl
) -> None:
    window.put_into_cart(goods.mug.slug)
    window.open("/checkout/")
    window.fill_in(DECLINED)
    window.place_order()
    window.until_ordered()
    window.until(lambda: window.all(".pay-again"), "another card can be tried")
    order_page = window.chrome.current_url
    assert "Your card was declined." in window.text("[data-message]")

    window.choose("payment_method", DECLINED)
    window.press(".pay-again button[type=submit]")
    window.until(lambda: len(window.all("[data-timeline] li")) == 4, "declined once more")
    window.until(lambda: window.all(".pay-again"), "and yet another card can be tried")
    window.choose("payment_method", VISA)
    window.press(".pay-again button[type=submit]")

    window.until_text("[data-label]", "We are packing.")
    assert window.chrome.current_url == order_page
    assert not window.all(".pay-again")


def test_sold_out_line_leads_back_to_the_filled_form(
    window: ShopWindow, goods: Goods, app: App
) -> None:
    window.put_into_cart(goods.mug.slug)
    window.put_into_cart(goods.spoon.slug)
    window.open("/checkout/")
    window.fill_in(line1="7 Alder Way")
    left = app.available(goods.spoon.sku, goods.spoon.slug)
    rival = app.buy((goods.spoon.sku, left))
    app.follow(rival, "CONFIRMED")
    try:
        window.place_order()
        window.until(lambda: window.all("#problems button"), "what is wrong is told")
        assert window.value("line1") == "7 Alder Way"
        window.press("#problems button")
        window.until(lambda: "Journey Spoon" not in window.text("#totals"), "out of the cart")
        assert window.value("line1") == "7 Alder Way"
        window.choose("payment_method", VISA)
        window.place_order()
        window.until_ordered()
    finally:
        # The next width of this test wants the spoons back.
        app.ask("POST", f"/orders/{rival.id}/cancel/", X_Order_Token=rival.token)
        app.follow(rival, "CANCELLED")


def test_second_tab_ends_at_the_order(window: ShopWindow, goods: Goods) -> None:
    window.put_into_cart(goods.mug.slug)
    window.open("/checkout/")
    window.fill_in()
    first = window.chrome.current_window_handle
    window.chrome.switch_to.new_window("tab")
    try:
        window.open("/checkout/")
        window.fill_in()
        window.place_order()
        window.until_ordered()
        order = window.chrome.current_url.split("?")[0]
    finally:
        window.chrome.close()
        window.chrome.switch_to.window(first)

    window.place_order()

    window.until_ordered()
    assert window.chrome.current_url.split("?")[0] == order


def test_sign_in_in_another_tab_ends_at_the_filled_form(window: ShopWindow, goods: Goods) -> None:
    window.put_into_cart(goods.mug.slug)
    window.open("/checkout/")
    window.fill_in(line1="7 Alder Way")
    first = window.chrome.current_window_handle
    window.chrome.switch_to.new_window("tab")
    try:
        window.sign_in(*ALICE)
    finally:
        window.chrome.close()
        window.chrome.switch_to.window(first)

    window.place_order()
    window.until(lambda: window.all(".note.bad[data-focus]"), "it says why")

    assert "You have signed in or out since" in window.text("[data-focus]")
    assert window.value("line1") == "7 Alder Way"
    window.place_order()
    window.until_ordered()


def test_lost_session_ends_at_the_filled_form(window: ShopWindow, goods: Goods) -> None:
    window.put_into_cart(goods.mug.slug)
    window.open("/checkout/")
    window.fill_in(line1="7 Alder Way")
    window.chrome.delete_all_cookies()

    window.place_order()
    window.until(lambda: window.all(".note.bad[data-focus]"), "it says why")

    assert window.value("line1") == "7 Alder Way"
    assert "Journey Mug" in window.text("#totals")
    window.place_order()
    window.until_ordered()


def test_look_at_the_cart_keeps_what_was_typed(window: ShopWindow, goods: Goods) -> None:
    window.put_into_cart(goods.mug.slug)
    window.open("/checkout/")
    window.type("line1", "7 Alder Way")
    window.chrome.find_element(By.CSS_SELECTOR, ".brand").click()
    window.until(lambda: window.all(".hero"), "away")

    window.open("/checkout/")

    assert window.value("line1") == "7 Alder Way"


def test_every_step_has_its_number_and_the_first_begins_at_the_top(
    window: ShopWindow, goods: Goods
) -> None:
    """Parts that are replaced stand around the headings; an empty one takes no room."""
    window.put_into_cart(goods.mug.slug)
    window.open("/checkout/")

    numbered, gap = window.chrome.execute_script(
        """
        const steps = [...document.querySelectorAll(".steps > .step")];
        const title = (step) => step.querySelector("h2, legend");
        const number = (step) => getComputedStyle(title(step), "::before").content;
        const top = (element) => element.getBoundingClientRect().top;
        return [steps.map(number), top(steps[0]) - top(document.querySelector(".steps"))];
        """
    )

    assert numbered == ["counter(step)"] * 4
    assert gap == 0
