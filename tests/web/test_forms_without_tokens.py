"""The form that adds to the cart has no token: a shared cache may keep its page. The browser says
which page has sent it, and what another site has sent is refused."""

import pytest
from django.test import Client

from apps.catalog.models import Variant
from tests.web.conftest import Visitor, form_of

OURS = "http://testserver"
REFUSED = {
    "another site": {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    "another site, by its site alone": {"Sec-Fetch-Site": "cross-site"},
    "another site, by its origin alone": {"Origin": "https://evil.example"},
    "a neighbour of this host": {"Sec-Fetch-Site": "same-site", "Origin": "http://evil.testserver"},
    "a page without an origin": {"Origin": "null"},
    "two that disagree": {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
    "our name, another scheme": {"Origin": "https://testserver"},
    "no page": {"Sec-Fetch-Site": "none"},
    "nothing said": {},
}


@pytest.fixture
def browser() -> Visitor:
    return Visitor(enforce_csrf_checks=True, raise_request_exception=False)


def add(browser: Client, mug: Variant, headers: dict[str, str]) -> int:
    return browser.post(f"/p/{mug.product.slug}/", {"quantity": 1}, headers=headers).status_code


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin", "Origin": OURS},
        {"Sec-Fetch-Site": "same-origin"},
        {"Origin": OURS},
    ],
    ids=str,
)
def test_form_of_our_own_page_is_taken(
    browser: Visitor, mug: Variant, headers: dict[str, str]
) -> None:
    page = browser.get(f"/p/{mug.product.slug}/")

    assert "csrfmiddlewaretoken" not in page.content.decode()
    assert add(browser, mug, headers) == 302
    assert browser.session["count"] == 1


@pytest.mark.parametrize("headers", REFUSED.values(), ids=REFUSED)
def test_what_another_site_sends_is_refused(
    browser: Visitor, mug: Variant, headers: dict[str, str]
) -> None:
    assert add(browser, mug, headers) == 403
    assert "cart" not in browser.session


def test_old_browser_is_asked_once_more(browser: Visitor, mug: Variant) -> None:
    """It names neither its page's site nor its origin, only the page (Referer)."""
    path = f"/p/{mug.product.slug}/"
    page = browser.post(path, {"quantity": 2}, headers={"Referer": f"{OURS}{path}"})
    assert page.status_code == 403
    again = form_of(page, path)
    assert again == {"quantity": "2"}

    token = browser.cookies["csrftoken"].value
    taken = browser.post(path, again | {"csrfmiddlewaretoken": token})

    assert taken.status_code == 302
    assert browser.session["count"] == 2


@pytest.mark.parametrize("path", ["/cart/promo/", "/checkout/", "/account/login/"])
def test_every_other_form_still_needs_its_token(browser: Visitor, mug: Variant, path: str) -> None:
    """A token also tells a form of before a sign-in from one of after it."""
    ours = {"Sec-Fetch-Site": "same-origin", "Origin": OURS}
    add(browser, mug, ours)

    assert browser.post(path, {"code": "X"}, headers=ours).status_code == 403
