"""A new variant or address opens with its fields, in a real browser."""

from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.factories import a_mug, make_alice, make_clerk

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def signed_in(chromium: Any, url: str) -> None:
    browser = Client()
    browser.force_login(make_clerk())
    chromium.get(f"{url}/robots.txt")
    cookie = browser.cookies[settings.SESSION_COOKIE_NAME]
    chromium.add_cookie({"name": cookie.key, "value": cookie.value, "path": "/"})


def shown(chromium: Any, name: str) -> bool:
    return bool(chromium.find_element(By.NAME, name).is_displayed())


def add(chromium: Any, prefix: str) -> None:
    group = f"#{prefix}-group .add-row"
    link = chromium.find_element(By.CSS_SELECTOR, f"{group} a, {group}")
    chromium.execute_script("arguments[0].click()", link)


@pytest.mark.parametrize("width", [360, 1440])
def test_new_variant_opens_and_is_saved(chromium: Any, live_server: Any, width: int) -> None:
    mug = a_mug(sku="MUG-1")
    signed_in(chromium, live_server.url)
    chromium.set_window_size(width, 900)
    chromium.get(live_server.url + reverse("admin:catalog_product_change", args=[mug.product_id]))
    WebDriverWait(chromium, 10).until(lambda _: chromium.find_elements(By.CSS_SELECTOR, ".add-row"))
    assert not shown(chromium, "variants-0-sku"), "rows that are there stay closed"

    add(chromium, "variants")

    WebDriverWait(chromium, 10).until(lambda _: shown(chromium, "variants-1-sku"))
    WebDriverWait(chromium, 10).until(
        lambda _: chromium.switch_to.active_element.get_attribute("name") == "variants-1-sku"
    )
    chromium.find_element(By.NAME, "variants-1-sku").send_keys("MUG-2")
    chromium.find_element(By.NAME, "variants-1-price_amount").send_keys("20.00")
    save = chromium.find_element(By.NAME, "_continue")
    chromium.execute_script("arguments[0].click()", save)
    WebDriverWait(chromium, 10).until(
        lambda _: chromium.find_elements(By.CSS_SELECTOR, "[name=variants-1-id][value]")
    )
    assert set(mug.product.variants.values_list("sku", flat=True)) == {"MUG-1", "MUG-2"}


def test_new_address_opens(chromium: Any, live_server: Any) -> None:
    alice = make_alice()
    signed_in(chromium, live_server.url)
    chromium.get(live_server.url + reverse("admin:customers_user_change", args=[alice.pk]))

    add(chromium, "addresses")

    WebDriverWait(chromium, 10).until(lambda _: shown(chromium, "addresses-0-line1"))
